"""A server of advisories on loopback, as the publishers' are: ETag, Last-Modified, conditions, ranges; and with faults.

Faults are queued by path and used up one a request. Records are made up.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

EPOCH = 1_790_000_000.0
"""When the files of a mirror were made, unless they say otherwise."""


@dataclass
class Seen:
    """One request, and the status that it got."""

    path: str
    headers: dict[str, str]
    status: int = 0


@dataclass
class Mirror:
    """files: path to content; times: path to when it was made; faults: path to what goes wrong next."""

    host: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    requests: list[Seen] = field(default_factory=list)
    validators: bool = True
    etag_suffix: str = ""

    @property
    def url(self) -> str:
        return f"http://{self.host}/"

    def fail(self, path: str, *faults: Fault) -> None:
        self.faults.setdefault(path, []).extend(faults)

    def asked(self, path: str) -> list[Seen]:
        return [seen for seen in self.requests if seen.path == path]

    def write_to(self, directory: Path) -> None:
        """Make the same files in a directory."""
        for name, data in self.files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def put_osv(
        self, ecosystem: str, records: list[dict[str, Any]], *, archived: list[dict[str, Any]] | None = None
    ) -> None:
        """Publish an export. archived: what the archive has, where that is not all."""
        base = f"{ecosystem}/"
        for name in [name for name in self.files if name.startswith(base)]:
            del self.files[name]
        ordered = sorted(records, key=lambda each: str(each["modified"]), reverse=True)
        lines = [f"{each['modified']},{each['id']}\n" for each in ordered]
        self.files[f"{base}modified_id.csv"] = "".join(lines).encode()
        self.files[f"{base}all.zip"] = archive(records if archived is None else archived)
        for each in records:
            self.files[f"{base}{each['id']}.json"] = json.dumps(each).encode()

    def put_secdb(self, **branches: dict[str, dict[str, list[str]]]) -> None:
        """Publish Alpine's database. branches: `v3_20` or `edge` to package to version to ids, all in main."""
        names = [name.replace("_", ".") for name in branches]
        links = "".join(f'<a href="{name}/">{name}/</a>' for name in names)
        self.files[""] = f'<html><a href="../">../</a><a href="last-update">x</a>{links}</html>'.encode()
        for name, packages in zip(names, branches.values(), strict=True):
            entries = [{"pkg": {"name": package, "secfixes": fixes}} for package, fixes in packages.items()]
            document = {"distroversion": name, "reponame": "main", "packages": entries}
            self.files[f"{name}/main.json"] = json.dumps(document).encode()


Fault = Callable[["_Handler", bytes], None]
"""Answers a request in place of the mirror. It is given the handler and the file's bytes."""


def status(number: int, **headers: str) -> Fault:
    """Answer with a status."""

    def answer(handler: _Handler, _: bytes) -> None:
        handler.head(
            number, {name.replace("_", "-"): value for name, value in headers.items()} | {"Content-Length": "0"}
        )

    return answer


def cut(after: int) -> Fault:
    """Send so many bytes of what was asked for, then drop the connection."""

    def answer(handler: _Handler, data: bytes) -> None:
        body = handler.begin(data)
        handler.wfile.write(body[:after])
        handler.wfile.flush()
        handler.close_connection = True
        handler.connection.shutdown(2)

    return answer


def body(content: bytes, **headers: str) -> Fault:
    """Answer 200 with other content."""

    def answer(handler: _Handler, _: bytes) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.head(200, {"Content-Length": str(len(content)), **named})
        handler.wfile.write(content)

    return answer


def slow(pause: float) -> Fault:
    """Send the right bytes, a tenth at a time."""

    def answer(handler: _Handler, data: bytes) -> None:
        rest = handler.begin(data)
        step = max(len(rest) // 10, 1)
        for start in range(0, len(rest), step):
            time.sleep(pause)
            handler.wfile.write(rest[start : start + step])

    return answer


def redirect(to: str) -> Fault:
    return status(302, Location=to)


class _Handler(BaseHTTPRequestHandler):
    mirror: Mirror
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path = unquote(self.path).lstrip("/")
        self.path = path
        self.seen = Seen(path, dict(self.headers))
        self.mirror.requests.append(self.seen)
        faults = self.mirror.faults.get(path)
        data = self.mirror.files.get(path, b"")
        try:
            if faults:
                faults.pop(0)(self, data)
            elif path not in self.mirror.files:
                self.head(404, {"Content-Length": "0"})
            else:
                self.wfile.write(self.begin(data))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def head(self, number: int, headers: dict[str, str]) -> None:
        self.seen.status = number
        self.send_response(number)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def begin(self, data: bytes) -> bytes:
        """Send the head that a file's state and the request's conditions ask for, and return what is to follow."""
        made = self.mirror.times.get(self.path, EPOCH)
        etag = f'"{hashlib.sha256(data).hexdigest()[:16]}{self.mirror.etag_suffix}"'
        modified = formatdate(made, usegmt=True)
        headers = {"ETag": etag, "Last-Modified": modified} if self.mirror.validators else {}
        since = self.headers.get("If-Modified-Since")
        matches = self.headers.get("If-None-Match") == etag
        if not self.headers.get("If-None-Match") and since:
            matches = parsedate_to_datetime(since).timestamp() >= int(made)
        if self.mirror.validators and matches:
            self.head(304, headers)
            return b""
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if start and self.headers.get("If-Range") in (etag, modified):
            first = int(start[1])
            if first >= len(data):
                self.head(416, {"Content-Length": "0"})
                return b""
            there = f"bytes {first}-{len(data) - 1}/{len(data)}"
            self.head(206, {**headers, "Content-Range": there, "Content-Length": str(len(data) - first)})
            return data[first:]
        self.head(200, {**headers, "Content-Length": str(len(data))})
        return data


@contextmanager
def serve() -> Iterator[Mirror]:
    """Run a mirror for the length of a `with` block."""
    mirror = Mirror()
    handler = type("Handler", (_Handler,), {"mirror": mirror})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    mirror.host = f"127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield mirror
    finally:
        server.shutdown()
        server.server_close()


def record(number: int, modified: str = "", fixed: str = "2.0", ecosystem: str = "PyPI") -> dict[str, Any]:
    """Return an OSV record about the package `demo-<number>`."""
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}]
    return {
        "id": f"TEST-2026-{number}",
        "modified": modified or f"2026-01-01T00:{number // 60 % 60:02}:{number % 60:02}Z",
        "affected": [{"package": {"ecosystem": ecosystem, "name": f"demo-{number}"}, "ranges": ranges}],
    }


def archive(records: list[dict[str, Any]]) -> bytes:
    """Return an export archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        for each in records:
            opened.writestr(f"{each['id']}.json", json.dumps(each))
    return file.getvalue()


def tracker(**packages: dict[str, str]) -> bytes:
    """Return the Debian tracker's document. packages: name to CVE to the version that fixes it in bookworm."""
    return json.dumps(
        {
            name: {
                cve: {
                    "description": "made up",
                    "releases": {
                        "bookworm": {
                            "status": "resolved",
                            "repositories": {"bookworm": fixed},
                            "fixed_version": fixed,
                            "urgency": "not yet assigned",
                        }
                    },
                }
                for cve, fixed in issues.items()
            }
            for name, issues in packages.items()
        }
    ).encode()


def kev(*ids: str) -> bytes:
    """Return CISA's catalog."""
    entries = [{"cveID": name} for name in ids]
    return json.dumps(
        {"catalogVersion": "2026.11.24", "dateReleased": "2026-11-24T10:00:00.000Z", "vulnerabilities": entries}
    ).encode()


def epss(**scores: float) -> bytes:
    """Return FIRST's scores. scores: `CVE_2026_1` to score."""
    lines = ["#model_version:v2026.01.01,score_date:2026-11-24T00:00:00+0000", "cve,epss,percentile"]
    lines += [f"{name.replace('_', '-')},{score},{score}" for name, score in scores.items()]
    return gzip.compress("\n".join(lines).encode() + b"\n", mtime=0)
