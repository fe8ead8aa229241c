"""notary-server over HTTP: read files, read server keys, publish. It checks nothing; `refresh` does."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
import urllib3

from imagegate.errors import NetworkError, NotTrusted, TrustError
from imagegate.trust.notary.metadata import Key, KeyValue

if TYPE_CHECKING:
    from imagegate.http.client import HttpClient
    from imagegate.http.transport import Response

MAX_FILE = 100 * 1024**2  # what notary reads at most
_READS = 3
_CONFLICTS = ("VERSION", "UPDATING")


class PublishConflict(TrustError):
    """Somebody else published meanwhile."""


class PublishRefused(TrustError):
    """The server does not accept what was published."""


class _WireKeyValue(msgspec.Struct, frozen=True):
    public: str


class _WireKey(msgspec.Struct, frozen=True):
    keytype: str
    keyval: _WireKeyValue


class NotaryClient:
    """One per server. push: ask for the right to publish too."""

    def __init__(self, server: str, http: HttpClient, *, push: bool = False) -> None:
        self._server, self._http = server.rstrip("/"), http
        self._actions = "push,pull" if push else "pull"

    def _url(self, gun: str, name: str = "") -> str:
        return f"{self._server}/v2/{gun}/_trust/tuf/{name}"

    def _scope(self, gun: str) -> str:
        return f"repository:{gun}:{self._actions}"

    def fetch(self, gun: str, name: str, limit: int = MAX_FILE) -> bytes | None:
        """Return a file such as `timestamp.json`, None when the server has none. limit: bytes that it may have.

        Raises NetworkError, AuthenticationFailed, TrustError (a strange answer), NotTrusted (too big).
        """
        for attempt in range(1, _READS + 1):
            response = self._http.request("GET", self._url(gun, name), scope=self._scope(gun), stream=True)
            with response:
                if response.status_code == 404:
                    return None
                if response.status_code != 200:
                    raise TrustError(f"the Notary server refuses {name} of {gun}", why=_complaint(response)[1])
                try:
                    return _read(response, name, limit)
                except urllib3.exceptions.HTTPError as error:
                    if attempt == _READS:
                        raise NetworkError(
                            f"{name} of {gun} cannot be read from the Notary server",
                            why="the connection broke in the middle of it",
                        ) from error
        raise AssertionError  # the loop returns or raises

    def server_key(self, gun: str, role: str) -> Key:
        """Return the public key that the server signs `timestamp` or `snapshot` with. Raises as `fetch`."""
        raw = self.fetch(gun, f"{role}.key", 64 * 1024)
        try:
            key = msgspec.json.decode(raw or b"", type=_WireKey)
        except msgspec.DecodeError as error:
            raise TrustError(f"the Notary server has no {role} key for {gun}", why=str(error)) from error
        return Key(key.keytype, KeyValue(None, key.keyval.public))

    def publish(self, gun: str, files: Mapping[str, bytes]) -> None:
        """Upload files by role, all or none. Raises PublishConflict, PublishRefused, NetworkError.

        It may be sent twice: the second time, the server sees versions that it has and answers with a conflict.
        """
        boundary = secrets.token_hex(16)
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{role}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n".encode()
            + raw
            + b"\r\n"
            for role, raw in files.items()
        ]
        response = self._http.request(
            "POST",
            self._url(gun),
            scope=self._scope(gun),
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
            data=b"".join([*parts, f"--{boundary}--\r\n".encode()]),
        )
        if response.status_code == 200:
            return
        code, complaint = _complaint(response)
        if code in _CONFLICTS:
            raise PublishConflict(f"somebody else published to {gun} meanwhile", why=complaint)
        raise PublishRefused(f"the Notary server refuses what was signed for {gun}", why=complaint)


def _read(response: Response, name: str, limit: int) -> bytes:
    chunks, size = [], 0
    for chunk in response.iter_content(256 * 1024):
        size += len(chunk)
        if size > limit:
            raise NotTrusted(f"{name} is too big", why=f"more than {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


class _Complaint(msgspec.Struct):
    code: str = ""
    message: str = ""
    detail: msgspec.Raw = msgspec.Raw(b"")


class _Complaints(msgspec.Struct):
    errors: list[_Complaint] = []


def _complaint(response: Response) -> tuple[str, str]:
    """Return the server's error code, and its words."""
    try:
        first = msgspec.json.decode(response.content[:10_000], type=_Complaints).errors[0]
    except (msgspec.DecodeError, IndexError, urllib3.exceptions.HTTPError):
        return "", f"status {response.status_code}"
    detail = bytes(first.detail).decode(errors="replace")[:300]
    return first.code, f"status {response.status_code}, {first.code} {first.message} {detail}".rstrip(" {}")
