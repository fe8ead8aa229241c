"""Who we are to an Anchore server: a user, an API key, a token, or a token that the server gives for a user.

`IMAGEGATE_ANCHORE_USER` and `_PASSWORD`, `IMAGEGATE_ANCHORE_API_KEY` (sent as the user `_api_key`), or
`IMAGEGATE_ANCHORE_TOKEN`. With `anchore.oauth` the user's password is sent once, for a token. (Anchore Engine, OpenAPI
0.1.20, `POST /oauth/token`, grant type `password`.)
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec

from imagegate.errors import AuthenticationFailed
from imagegate.http.auth import Fetch
from imagegate.http.credentials import Login

_EARLY = 30.0
"""Seconds before its end that a token is no longer used."""
_HINT = "Set IMAGEGATE_ANCHORE_USER and IMAGEGATE_ANCHORE_PASSWORD, or IMAGEGATE_ANCHORE_API_KEY."


class _Token(msgspec.Struct):
    access_token: str = ""
    token: str = ""
    expires_in: float = 3600.0


class AnchoreLogin:
    """How an Anchore server is logged in to: unasked, with the first request. (`http.auth.Authenticates`.)

    base_url: with the API's version, where the token is asked for.
    """

    def __init__(self, environ: Mapping[str, str], fetch: Fetch, base_url: str, *, oauth: bool) -> None:
        self._environ, self._fetch, self._base_url, self._oauth = environ, fetch, base_url, oauth
        self._token, self._until = "", 0.0

    def header(self, host: str, scope: str) -> str:  # noqa: ARG002 - as `Authenticates` has it
        """Return the `Authorization` header. Raises AuthenticationFailed when there is no login."""
        login = self.login(host)
        if login is None:
            raise AuthenticationFailed(f"there is no login for the Anchore server {host}", hint=_HINT)
        if login.is_token:
            return f"Bearer {login.secret}"
        if not self._oauth:
            return login.basic
        if self._until <= time.monotonic():
            self._ask(host, login)
        return f"Bearer {self._token}"

    def answer(self, host: str, scope: str, challenge_header: str) -> str:  # noqa: ARG002
        """Return the header after a 401: with a new token, or the same login once more."""
        return self.header(host, scope)

    def login(self, host: str) -> Login | None:  # noqa: ARG002
        """Return the login from the environment."""
        user, password = self._environ.get("IMAGEGATE_ANCHORE_USER"), self._environ.get("IMAGEGATE_ANCHORE_PASSWORD")
        if token := self._environ.get("IMAGEGATE_ANCHORE_TOKEN"):
            return Login("", token, True, "IMAGEGATE_ANCHORE_TOKEN")
        if key := self._environ.get("IMAGEGATE_ANCHORE_API_KEY"):
            return Login("_api_key", key, False, "IMAGEGATE_ANCHORE_API_KEY")
        if user and password:
            return Login(user, password, False, "IMAGEGATE_ANCHORE_USER")
        return None

    def forget(self, host: str, scope: str) -> None:  # noqa: ARG002
        """Drop a token that the server no longer takes."""
        self._until = 0.0

    def _ask(self, host: str, login: Login) -> None:
        form = [
            ("grant_type", "password"),
            ("username", login.user),
            ("password", login.secret),
            ("client_id", "anonymous"),
        ]
        status, body = self._fetch("POST", f"{self._base_url}/oauth/token", headers={}, parameters=form)
        if status != 200:
            raise AuthenticationFailed(
                f"{host} gives no token to the login from {login.origin}", why=f"status {status}", hint=_HINT
            )
        try:
            answer = msgspec.json.decode(body, type=_Token)
        except msgspec.DecodeError as error:
            raise AuthenticationFailed(f"{host} gave a token that cannot be read", why=str(error)) from error
        self._token = answer.access_token or answer.token
        self._until = time.monotonic() + max(answer.expires_in - _EARLY, 1.0)
