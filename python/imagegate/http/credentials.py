"""Who we are to a registry or a Notary server: from the environment, Docker's config file, or a credential helper.

Secrets are held in values whose text and repr do not show them, and go nowhere but into a request's header.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from imagegate.errors import AuthenticationFailed

DOCKER_HUB = "https://index.docker.io/v1/"
_TOKEN_USER = "<token>"  # noqa: S105 - the marker by which credential helpers say that the secret is an identity token


class Login(msgspec.Struct, frozen=True):
    """A user and a password, or an identity token (an OAuth2 refresh token). origin: where it came from, for errors."""

    user: str
    secret: str
    is_token: bool
    origin: str

    def __repr__(self) -> str:
        return f"Login(user={self.user!r}, origin={self.origin!r})"

    @property
    def basic(self) -> str:
        """The value of a Basic `Authorization` header. (RFC 7617.)"""
        return "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()


class CredentialStore:
    """Finds the login of a host. Nothing is read before it is asked, and each host is asked once."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._found: dict[str, Login | None] = {}

    def login(self, host: str) -> Login | None:
        """Return the login for `host[:port]`, None for an anonymous one. Raises AuthenticationFailed."""
        if host not in self._found:
            self._found[host] = self._from_environment(host) or self._from_docker(host)
        return self._found[host]

    def _from_environment(self, host: str) -> Login | None:
        environ = self._environ
        if environ.get("IMAGEGATE_REGISTRY_HOST") != host:
            return None
        user, secret = environ.get("IMAGEGATE_REGISTRY_USER"), environ.get("IMAGEGATE_REGISTRY_PASSWORD")
        if not user and not secret:
            return None  # a CI server names the host for all steps, and gives the login to those that need it
        if not user or not secret:
            raise AuthenticationFailed(
                f"IMAGEGATE_REGISTRY_HOST names {host}, but the login is not complete",
                hint="Set IMAGEGATE_REGISTRY_USER and IMAGEGATE_REGISTRY_PASSWORD as well.",
            )
        return Login(user, secret, False, "IMAGEGATE_REGISTRY_USER")

    def _config_file(self) -> Path:
        directory = self._environ.get("DOCKER_CONFIG")
        return (Path(directory) if directory else Path(self._environ.get("HOME", "/")) / ".docker") / "config.json"

    def _from_docker(self, host: str) -> Login | None:
        file = self._config_file()
        try:
            document = json.loads(file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise AuthenticationFailed(f"{file} cannot be read", why=str(error), hint="Repair or remove it.") from error
        if not isinstance(document, dict):
            return None
        names = _names(host)
        helpers = document.get("credHelpers") or {}
        helper = next((helpers[name] for name in names if name in helpers), document.get("credsStore"))
        if helper:
            found = self._from_helper(str(helper), names, file)
            if found:
                return found
        return _from_auths(document.get("auths") or {}, names, file)

    def _from_helper(self, helper: str, names: tuple[str, ...], file: Path) -> Login | None:
        # The helper protocol is the docker package's; its import takes long, so it waits until a helper is configured.
        from docker.credentials import CredentialsNotFound, Store, StoreError

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a helper that is not there is told below, as an error
            store = Store(helper, environment=dict(self._environ))
        for name in names:
            try:
                answer: dict[str, Any] = store.get(name)
            except CredentialsNotFound:
                continue
            except StoreError as error:
                raise AuthenticationFailed(
                    f"the credential helper docker-credential-{helper} failed for {name}",
                    why=str(error),
                    hint=f"It is named in {file}.",
                ) from error
            user, secret = str(answer.get("Username", "")), str(answer.get("Secret", ""))
            if secret:
                return Login(user, secret, user == _TOKEN_USER, f"docker-credential-{helper}")
        return None


def _names(host: str) -> tuple[str, ...]:
    """Return the keys under which Docker's config may know a host."""
    if host in ("docker.io", "registry-1.docker.io", "index.docker.io"):
        return (DOCKER_HUB, "docker.io", "index.docker.io")
    return (host, f"https://{host}", f"https://{host}/", f"https://{host}/v1/", f"https://{host}/v2/", f"http://{host}")


def _from_auths(auths: Mapping[str, Any], names: tuple[str, ...], file: Path) -> Login | None:
    entry = next((auths[name] for name in names if isinstance(auths.get(name), dict)), None)
    if not entry:
        return None
    if entry.get("identitytoken"):
        return Login(_TOKEN_USER, str(entry["identitytoken"]), True, str(file))
    if entry.get("auth"):
        try:
            user, colon, secret = base64.b64decode(str(entry["auth"])).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            colon = ""
        if not colon:
            raise AuthenticationFailed(f"{file} holds no valid login for {names[0]}", hint="Log in again.")
        return Login(user, secret.rstrip("\0"), False, str(file))
    if entry.get("username"):
        return Login(str(entry["username"]), str(entry.get("password", "")), False, str(file))
    return None
