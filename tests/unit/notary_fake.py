"""A Notary server in memory, honest or not, behind the interface of `HttpClient`."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from imagegate.model import Digest, Repository, Target
from imagegate.trust.notary import update
from imagegate.trust.notary.keys import PrivateKey
from imagegate.trust.notary.metadata import FileMeta, Listing, Targets, format_time

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
REPOSITORY = Repository("registry.example.com:5000", "team/app")
GUN = str(REPOSITORY)
ENVIRONMENT = {
    "NOTARY_ROOT_PASSPHRASE": "root-passphrase",
    "NOTARY_TARGETS_PASSPHRASE": "targets-passphrase",
    "NOTARY_DELEGATION_PASSPHRASE": "delegation-passphrase",
}


def target(name: str, digit: str = "a", length: int = 100) -> Target:
    return Target(name, Digest(f"sha256:{digit * 64}"), length)


def file_meta(raw: bytes) -> FileMeta:
    return FileMeta({"sha256": base64.b64encode(hashlib.sha256(raw).digest()).decode()}, len(raw))


class FakeNotary:
    """Keeps one repository. files: by the name they are read under; current: by role; before_post: a race."""

    def __init__(self) -> None:
        self.snapshot_key, self.timestamp_key = PrivateKey.generate(), PrivateKey.generate()
        self.files: dict[str, bytes] = {}
        self.current: dict[str, bytes] = {}
        self.versions: dict[str, int] = {"snapshot": 0, "timestamp": 0}
        self.requests: list[str] = []
        self.lasts = timedelta(days=14)
        self.before_post: Callable[[], None] | None = None
        self.spoil: Callable[[str, bytes], bytes] = lambda _, raw: raw

    def request(self, method: str, url: str, *, data: bytes = b"", **_: Any) -> requests.Response:
        name = url.rpartition("/_trust/tuf/")[2]
        self.requests.append(f"{method} {name}")
        if method == "POST":
            if self.before_post:
                race, self.before_post = self.before_post, None
                race()
            return self._post(data)
        if name.endswith(".key"):
            key = self.snapshot_key if name.startswith("snapshot") else self.timestamp_key
            value = {"keytype": "ecdsa", "keyval": {"public": key.public.keyval.public, "private": None}}
            return _response(200, json.dumps(value).encode())
        if name not in self.files:
            return _response(404, b'{"errors":[{"code":"METADATA_NOT_FOUND","message":"none"}]}')
        return _response(200, self.spoil(name, self.files[name]))

    def _post(self, body: bytes) -> requests.Response:
        boundary = body[: body.index(b"\r\n")]
        files = {}
        for part in body.split(boundary)[1:-1]:
            head, _, raw = part.partition(b"\r\n\r\n")
            found = re.search(rb'name="files"; filename="([^"]+)"', head)
            assert found
            files[found[1].decode()] = raw.removesuffix(b"\r\n")
        for role, raw in files.items():
            if json.loads(raw)["signed"]["version"] <= self.versions.get(role, 0):
                return _response(400, b'{"errors":[{"code":"VERSION","message":"newer","detail":{}}]}')
        self.put(files)
        return _response(200, b"")

    def put(self, files: dict[str, bytes]) -> None:
        """Take files as they are, and sign a snapshot and a timestamp over them."""
        for role, raw in files.items():
            self.current[role] = raw
            version = json.loads(raw)["signed"]["version"]
            self.versions[role] = version
            self.files[f"{role}.{hashlib.sha256(raw).hexdigest()}.json"] = self.files[f"{role}.json"] = raw
            if role == "root":
                self.files[f"{version}.root.json"] = raw
        self.seal()

    def seal(
        self,
        *,
        snapshot: int | None = None,
        timestamp: int | None = None,
        lasts: timedelta | None = None,
        keys: tuple[PrivateKey, PrivateKey] | None = None,
    ) -> None:
        """Sign snapshot and timestamp; with these versions and keys, when given."""
        snapshot_key, timestamp_key = keys or (self.snapshot_key, self.timestamp_key)
        self.versions["snapshot"] = self.versions["snapshot"] + 1 if snapshot is None else snapshot
        self.versions["timestamp"] = self.versions["timestamp"] + 1 if timestamp is None else timestamp
        meta = {role: file_meta(raw) for role, raw in self.current.items()}
        later = format_time(NOW + timedelta(days=1000))
        listing = Listing("Snapshot", later, meta, self.versions["snapshot"])
        raw = update.sign(listing, [(snapshot_key, snapshot_key.key_id)])
        self.files[f"snapshot.{hashlib.sha256(raw).hexdigest()}.json"] = raw
        stamp = Listing(
            "Timestamp",
            format_time(NOW + (self.lasts if lasts is None else lasts)),
            {"snapshot": file_meta(raw)},
            self.versions["timestamp"],
        )
        self.files["timestamp.json"] = update.sign(stamp, [(timestamp_key, timestamp_key.key_id)])

    def put_targets(self, signed: Targets, *keys: PrivateKey, role: str = "targets") -> None:
        self.put({role: update.sign(signed, [(key, key.key_id) for key in keys])})


def _response(status: int, body: bytes) -> requests.Response:
    response = requests.Response()
    response.status_code, response.raw = status, io.BytesIO(body)
    response.headers["Content-Length"] = str(len(body))
    return response
