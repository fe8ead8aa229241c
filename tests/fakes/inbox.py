"""Who is told: a webhook on loopback that has faults, and a mail server."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from lab.pki import Certificate


@dataclass
class Post:
    """A request: path, headers, body."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def key(self) -> str:
        return self.headers["Idempotency-Key"]


@dataclass
class Webhook:
    """posts: what came in, in order, also what was answered with a fault. faults: `503`, `reset`, `slow`, used up."""

    host: str = ""
    posts: list[Post] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    seconds: float = 3.0

    @property
    def url(self) -> str:
        return f"http://{self.host}/hook"


@contextmanager
def webhook() -> Iterator[Webhook]:
    """Serve until the end of the block."""
    state = Webhook()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.posts.append(Post(self.path, dict(self.headers), body))
            fault = state.faults.pop(0) if state.faults else "200"
            if fault == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                return
            if fault == "slow":
                time.sleep(state.seconds)
                fault = "200"
            self.send_response(int(fault))
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Nobody reads it."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Who was killed does not wait for its answer."""

    server = Server(("127.0.0.1", 0), Handler)
    state.host = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class PostOffice:
    """A mail server. refuses: addresses that it takes nothing for.

    login: the user and password that it asks for; came: who tried to.
    """

    def __init__(self, login: tuple[str, str] | None = None) -> None:
        self.login = login
        self.came: list[str] = []
        self.mails: list[Message] = []
        self.recipients: list[list[str]] = []
        self.refuses: set[str] = set()
        self.host = ""

    def lets_in(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        """Check who logs in. (aiosmtpd's authenticator.)"""
        assert isinstance(data, LoginPassword)
        given = data.login.decode(), data.password.decode()
        self.came.append(given[0])
        return AuthResult(success=given == self.login, handled=False)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuses:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 OK"


@contextmanager
def post_office(
    certificate: Certificate | None = None, *, starttls: bool = True, login: tuple[str, str] | None = None
) -> Iterator[PostOffice]:
    """Serve until the end of the block. starttls: encrypt by that, else from the first byte on."""
    state = PostOffice(login)
    more: dict[str, Any] = (
        {"authenticator": state.lets_in, "auth_required": starttls, "auth_require_tls": starttls} if login else {}
    )
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate.certificate, certificate.key)
        more |= {"tls_context": context, "require_starttls": True} if starttls else {"ssl_context": context}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(state, hostname="127.0.0.1", port=port, **more)
    controller.start()
    state.host = f"127.0.0.1:{port}"
    try:
        yield state
    finally:
        controller.stop()
