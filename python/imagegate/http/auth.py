"""Answering a 401: Basic, and Bearer tokens of a registry's token server.

(RFC 7235 for the challenge; distribution's "Token Authentication Specification" and its OAuth2 variant for tokens.)
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from imagegate.errors import AuthenticationFailed, RegistryError
from imagegate.http.credentials import CredentialStore, Login

_PARAMETER = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_EARLY = 10.0
"""Seconds before its end that a token is no longer used."""
_DEFAULT_LIFE = 60.0
"""Seconds that a token lives when the server does not say. (Token specification, `expires_in`.)"""


class Challenge(msgspec.Struct, frozen=True):
    """A `WWW-Authenticate` header. scheme: lower-case."""

    scheme: str
    parameters: dict[str, str]


class Fetch(Protocol):
    """Sends one request of the token exchange."""

    def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str], parameters: list[tuple[str, str]]
    ) -> tuple[int, bytes]: ...


class Authenticates(Protocol):
    """Logs in to hosts. Every method but `forget` raises AuthenticationFailed."""

    def header(self, host: str, scope: str) -> str:
        """Return the `Authorization` header to begin with, "" for none."""

    def answer(self, host: str, scope: str, challenge_header: str) -> str:
        """Return the header that answers a 401; the same as before when there is no other."""

    def login(self, host: str) -> Login | None:
        """Return the login that is used for a host, for errors that say whose it was."""

    def forget(self, host: str, scope: str) -> None:
        """Drop a token that the host no longer takes."""


def parse_challenge(header: str) -> Challenge | None:
    """Return the challenge that we can answer best, Bearer before Basic; None when there is none."""
    starts = list(re.finditer(r"(?:^|,)\s*(Bearer|Basic)(?=\s|$)", header, re.IGNORECASE))
    challenges = []
    for number, start in enumerate(starts):
        end = starts[number + 1].start() if number + 1 < len(starts) else len(header)
        parameters = {
            name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain
            for name, quoted, plain in _PARAMETER.findall(header[start.end() : end])
        }
        challenges.append(Challenge(start.group(1).lower(), parameters))
    return min(challenges, key=lambda each: each.scheme != "bearer", default=None)


class Authenticator:
    """Remembers what each host asked for, and the tokens that are still good."""

    def __init__(self, credentials: CredentialStore, fetch: Fetch) -> None:
        self._credentials, self._fetch = credentials, fetch
        self._challenges: dict[str, Challenge] = {}
        self._tokens: dict[tuple[str, str], tuple[str, float]] = {}

    def header(self, host: str, scope: str) -> str:
        """Return an `Authorization` header known to be right for a host, or "" before it has challenged us."""
        challenge = self._challenges.get(host)
        if challenge is None:
            return ""
        if challenge.scheme == "basic":
            login = self._credentials.login(host)
            return login.basic if login else ""
        token, until = self._tokens.get((host, scope), ("", 0.0))
        return f"Bearer {token}" if until > time.monotonic() else ""

    def answer(self, host: str, scope: str, challenge_header: str) -> str:
        """Return the header that answers a challenge. Raises AuthenticationFailed: we have none, or it is refused."""
        challenge = parse_challenge(challenge_header)
        if challenge is None:
            raise AuthenticationFailed(
                f"{host} asks for a login of a kind that is not known", why=challenge_header[:100]
            )
        self._challenges[host] = challenge
        login = self._credentials.login(host)
        if challenge.scheme == "basic":
            if login is None:
                raise AuthenticationFailed(f"{host} asks for a login", hint=f"Log in with `docker login {host}`.")
            return login.basic
        token, life = self._token(host, challenge, scope or challenge.parameters.get("scope", ""), login)
        self._tokens[host, scope] = (token, time.monotonic() + max(life - _EARLY, 1.0))
        return f"Bearer {token}"

    def login(self, host: str) -> Login | None:
        """Return the login that is used for a host, for errors that say whose it was."""
        return self._credentials.login(host)

    def forget(self, host: str, scope: str) -> None:
        """Drop a token that the host no longer takes."""
        self._tokens.pop((host, scope), None)

    def _token(self, host: str, challenge: Challenge, scope: str, login: Login | None) -> tuple[str, float]:
        realm, service = challenge.parameters.get("realm", ""), challenge.parameters.get("service", "")
        if not realm.startswith(("https://", "http://")):
            raise AuthenticationFailed(f"{host} names no token server", why=f"realm is {realm[:100]!r}")
        scopes = scope.split(" ") if scope else []
        if login and login.is_token:
            form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", login.secret),
                ("service", service),
                ("client_id", "imagegate"),
                ("scope", scope),
            ]
            status, body = self._fetch("POST", realm, headers={}, parameters=form)
        else:
            query = [("service", service)] if service else []
            query += [("scope", each) for each in scopes]
            if login:
                query.append(("account", login.user))
            headers = {"Authorization": login.basic} if login else {}
            status, body = self._fetch("GET", realm, headers=headers, parameters=query)
        if status in (400, 401, 403):
            whose = f"the login from {login.origin}" if login else "an anonymous login"
            raise AuthenticationFailed(
                f"the token server of {host} refused {whose}", why=f"status {status}", hint=f"Log in to {host} again."
            )
        return _read_token(host, status, body)


def _read_token(host: str, status: int, body: bytes) -> tuple[str, float]:
    try:
        document: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        document = {}
    token = document.get("token") or document.get("access_token")
    if status != 200 or not isinstance(token, str):
        raise RegistryError(f"the token server of {host} gave no token", why=f"status {status}")
    life = document.get("expires_in")
    return token, float(life) if isinstance(life, int | float) and life > 0 else _DEFAULT_LIFE
