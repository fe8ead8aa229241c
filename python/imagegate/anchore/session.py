"""Requests to an Anchore server: where it is, which version of the API it speaks, and its errors in words."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from imagegate.errors import AnchoreError, AuthenticationFailed, NetworkError
from imagegate.http.client import HttpClient
from imagegate.http.transport import Response

LONGEST = 512 * 1024**2
"""Bytes of an answer. The vulnerabilities of a large image are some ten megabytes."""
_ATTEMPTS = 4
_JSON = "application/json"


class Session:
    """A server and a version of its API. Safe to use from several threads."""

    def __init__(self, http: HttpClient, base_url: str, *, account: str = "") -> None:
        """base_url: with the version, `https://host/v2`. account: whose images; empty: the login's own."""
        self.base_url, self.account = base_url, account
        self._http = http
        self._welcome = False
        self._headers = {"Accept": "application/json", "Anchore-Request-Id": f"imagegate-{secrets.token_hex(8)}"}
        if account:
            self._headers["x-anchore-account"] = account

    @property
    def host(self) -> str:
        """The server's name and port, for messages."""
        return urlsplit(self.base_url).netloc

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """Return the answer to a GET. Raises AnchoreError, AuthenticationFailed, NetworkError."""
        return self.send("GET", path, query)

    def send(
        self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None, media_type: str = _JSON
    ) -> Any:
        """Send a request, and return the answer's JSON. What is not a GET is sent once, however it ends.

        body: bytes are sent as they are, anything else as JSON.
        """
        asked = {
            name: str(value).lower() if isinstance(value, bool) else value for name, value in (query or {}).items()
        }
        place = quote(path, safe="/:@")
        url = f"{self.base_url}{place}" + (f"?{urlencode(asked)}" if asked else "")
        data = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        for attempt in range(1, _ATTEMPTS + 1):
            last = method != "GET" or attempt == _ATTEMPTS
            try:
                response = self._sent(method, url, data, media_type)
                if response.status_code >= 300:
                    raise _failed(method, path, self.host, response.status_code, response.content)
                return msgspec.json.decode(response.content) if response.content.strip() else None
            except msgspec.DecodeError as error:
                if last:
                    kind = AnchoreError if method == "GET" else NetworkError  # the latter: it may have been done
                    raise kind(f"{self.host} answered {method} {path} with what is no JSON", why=str(error)) from error
            time.sleep(random.uniform(0.2, 1.0) * attempt)  # noqa: S311 - jitter
        raise AssertionError("the last attempt returns or raises")

    def download(self, path: str) -> bytes:
        """Return an answer that need not be JSON. Raises AnchoreError, AuthenticationFailed, NetworkError."""
        response = self._sent("GET", f"{self.base_url}{quote(path, safe='/:@')}", None, _JSON)
        if response.status_code >= 300:
            raise _failed("GET", path, self.host, response.status_code, response.content)
        return response.content

    def _sent(self, method: str, url: str, data: bytes | None, media_type: str) -> Response:
        """Send. A refused login is tried once more, as a starting node refuses all; oftener if it was taken before."""
        headers = self._headers | ({"Content-Type": media_type} if data is not None else {})
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                response = self._http.request(method, url, headers=headers, data=data, repeatable=method == "GET")
            except AuthenticationFailed as error:
                if "status 401" not in error.why or attempt >= (_ATTEMPTS if self._welcome else 2):
                    raise
                time.sleep(random.uniform(0.2, 1.0) * attempt)  # noqa: S311 - jitter
                continue
            self._welcome = True
            return response
        raise AssertionError("the last attempt returns or raises")


def in_words(raw: bytes) -> str:
    """Return what a server says of an error, in whichever of its forms.

    (Engine: `{httpcode, message, detail: {error_codes}}`, or RFC 7807 from the framework; both recorded. Enterprise:
    `ApiErrorResponse`.)
    """
    try:
        document = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return raw[:200].decode("utf-8", "replace").strip()
    if not isinstance(document, dict):
        return str(document)[:200]
    parts = [str(document[name]) for name in ("message", "title") if document.get(name)]
    detail = document.get("detail")
    if isinstance(detail, str):
        parts.append(detail)
    elif isinstance(detail, dict):
        parts += [str(code) for code in detail.get("error_codes") or ()]
        parts += [str(each.get("details")) for each in detail.get("validation_details") or () if isinstance(each, dict)]
    return "; ".join(dict.fromkeys(parts))[:1000]


def _failed(method: str, path: str, host: str, status: int, raw: bytes) -> AnchoreError:
    words = in_words(raw)
    hint = next((text for code, text in _HINTS.items() if code in words), "")
    return AnchoreError(
        f"the Anchore server {host} refuses {method} {path}",
        why=f"status {status}" + (f", {words}" if words else ""),
        hint=hint,
        status=status,
        words=words,
    )


_HINTS = {
    "REGISTRY_PERMISSION_DENIED": "Give the server a login for that registry.",
    "REGISTRY_IMAGE_NOT_FOUND": "The server must be able to pull the image: push it first, or set anchore.staging.",
    "SKOPEO_UNKNOWN_ERROR": "The server cannot reach the registry: check its name, certificate and network.",
}
