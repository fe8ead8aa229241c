"""A reverse proxy that goes wrong on request: for tests of what a client does when a server answers badly or dies.

It stands before a real server on loopback, counts the requests, and asks a script what to do with each.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-authorization"}


@dataclass(frozen=True)
class Request:
    """What came in. number: counted from 1 since the proxy started or `forget` was called."""

    number: int
    method: str
    path: str


@dataclass(frozen=True)
class Fault:
    """What to do instead of just forwarding.

    status: answer with it, forward nothing. reset: cut the connection, before forwarding, or after it when `forward`
    (the server did it, the client never learns). truncate: forward, and send only so many bytes of the body.
    before, after: called around the forwarding, e.g. to kill somebody.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    reset: bool = False
    forward: bool = False
    truncate: int | None = None
    before: Callable[[], None] | None = None
    after: Callable[[], None] | None = None


Script = Callable[[Request], Fault | None]


class FaultProxy:
    """The proxy. `script` may be replaced at any time; None forwards everything."""

    def __init__(self, upstream: str, *, ca_file: Path, certificate: Path, key: Path) -> None:
        """upstream: URL of the server. certificate, key: what to show to clients. Raises OSError."""
        self.script: Script | None = None
        self.requests: list[Request] = []
        self._upstream = urlsplit(upstream)
        self._client_context = ssl.create_default_context(cafile=str(ca_file))
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"https://{self.host}"

    def forget(self) -> None:
        """Start counting again."""
        with self._lock:
            self.requests.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _note(self, method: str, path: str) -> Request:
        with self._lock:
            request = Request(len(self.requests) + 1, method, path)
            self.requests.append(request)
        return request

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._upstream.hostname, self._upstream.port
        assert host
        if self._upstream.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=60)
        return http.client.HTTPSConnection(host, port, timeout=60, context=self._client_context)

    def _handler(proxy) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's, inside
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                self.request.settimeout(60)
                super().setup()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Say nothing: the tests look at `requests`."""

            def handle_any(self) -> None:
                body = self._read_body()
                fault = (
                    proxy.script(request)
                    if (request := proxy._note(self.command, self.path)) and proxy.script
                    else None
                )
                fault = fault or Fault(forward=True)
                if fault.before:
                    fault.before()
                if fault.status:
                    self._answer(fault.status, fault.headers, fault.body)
                    return
                if fault.reset and not fault.forward:
                    self._cut()
                    return
                self._forward(body, fault)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - http.server's names

            def _read_body(self) -> bytes:
                if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                    chunks = []
                    while size := int(self.rfile.readline().split(b";")[0], 16):
                        chunks.append(self.rfile.read(size))
                        self.rfile.readline()
                    self.rfile.readline()
                    return b"".join(chunks)
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))

            def _forward(self, body: bytes, fault: Fault) -> None:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
                headers["Content-Length"] = str(len(body))
                headers["X-Forwarded-Proto"] = "https"
                upstream = proxy._connect()
                try:
                    upstream.request(self.command, self.path, body, headers)
                    reply = upstream.getresponse()
                    content = reply.read()
                    answer = {name: value for name, value in reply.getheaders() if name.lower() not in _HOP_BY_HOP}
                except OSError:
                    self._cut()
                    return
                finally:
                    upstream.close()
                if fault.after:
                    fault.after()
                if fault.reset:
                    self._cut()
                elif fault.truncate is not None:
                    answer["Content-Length"] = answer.get("Content-Length", str(len(content)))
                    self._answer(reply.status, answer, content[: fault.truncate])
                    self._cut()
                else:
                    self._answer(reply.status, answer, content)

            def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                names = {name.lower() for name in headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                if "content-length" not in names:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def _cut(self) -> None:
                self.close_connection = True
                self.wfile.flush()
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                self.connection.close()

        return Handler
