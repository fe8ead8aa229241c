"""Bearer tokens: a real registry that takes no others, and a token server of the test's own.

(distribution, "Token Authentication Specification"; its JWTs carry their certificate in `x5c`.)
"""

from __future__ import annotations

import base64
import json
import secrets
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from imagegate.errors import AuthenticationFailed
from imagegate.http.client import HttpClient
from imagegate.http.credentials import CredentialStore
from imagegate.image.layout import LayoutSource
from imagegate.image.reference import parse, parse_repository
from imagegate.image.resolve import resolve
from imagegate.model import Platform
from imagegate.progress import NoProgress
from imagegate.registry.repository import TrustedRepository
from imagegate.registry.source import RegistrySource
from imagegate.settings import Host, Http, Limits
from lab.pki import Certificate, Pki
from lab.process import Server, free_port, port_ready
from tests.images import DEBIAN, Layout

USER, PASSWORD, IDENTITY = "robot", "token-password", "identity-token"


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class TokenServer:
    """Gives anybody the scopes asked for, when the login is right. life: seconds of a token."""

    def __init__(self, certificate: Certificate) -> None:
        self.life = 300
        self.asked: list[dict[str, list[str]]] = []
        self._certificate = x509.load_pem_x509_certificate(certificate.certificate.read_bytes())
        key = serialization.load_pem_private_key(certificate.key.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, scopes: list[str]) -> str:
        der = self._certificate.public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
        now = int(time.time())
        access = []
        for scope in " ".join(scopes).split():
            kind, name, actions = scope.split(":", 2)
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        claims = {
            "iss": "lab",
            "sub": USER,
            "aud": "lab-registry",
            "exp": now + self.life,
            "nbf": now - 5,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": access,
        }
        signed = f"{part(header)}.{part(claims)}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{part(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def _handler(outer) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's, inside
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Say nothing."""

            def do_GET(self) -> None:
                self.give(parse_qs(urlsplit(self.path).query), self.basic())

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.give(form, form.get("refresh_token") == [IDENTITY])

            def basic(self) -> bool:
                expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
                return self.headers.get("Authorization") == f"Basic {expected}"

            def give(self, asked: dict[str, list[str]], allowed: bool) -> None:
                outer.asked.append(asked)
                body = json.dumps({"token": outer.token(asked.get("scope", [])), "expires_in": outer.life}).encode()
                self.send_response(200 if allowed else 401)
                self.send_header("Content-Length", str(len(body) if allowed else 0))
                self.end_headers()
                if allowed:
                    self.wfile.write(body)

        return Handler


@pytest.fixture
def tokens(pki: Pki) -> Iterator[TokenServer]:
    server = TokenServer(pki.issue("tokens"))
    yield server
    server.stop()


@pytest.fixture
def guarded(tmp_path: Path, pki: Pki, tokens: TokenServer, registry: object) -> Iterator[str]:
    """A registry that takes the token server's tokens only; yields its host."""
    certificate, port = pki.issue("guarded"), free_port()
    config: dict[str, Any] = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "storage")}},
        "http": {
            "addr": f"127.0.0.1:{port}",
            "secret": "of-the-lab-only",
            "tls": {"certificate": str(certificate.certificate), "key": str(certificate.key)},
        },
        "auth": {
            "token": {
                "realm": f"https://{tokens.host}/token",
                "service": "lab-registry",
                "issuer": "lab",
                "rootcertbundle": str(pki.ca_file),
            }
        },
    }
    (tmp_path / "config.yml").write_text(json.dumps(config))
    command = ["docker-registry", "serve", str(tmp_path / "config.yml")]
    with Server(command, ready=port_ready(port), log=tmp_path / "log"):
        yield f"127.0.0.1:{port}"


def client(guarded: str, tokens: TokenServer, pki: Pki, auths: dict[str, Any], directory: Path) -> HttpClient:
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_text(json.dumps({"auths": {guarded: auths}}))
    ca = Host(ca_file=str(pki.ca_file))
    store = CredentialStore({"DOCKER_CONFIG": str(directory)})
    return HttpClient(Http(budget=10, retries=2), {guarded: ca, tokens.host: ca}, store)


LOGINS: dict[str, dict[str, Any]] = {
    "password": {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()},
    "identity": {"identitytoken": IDENTITY},
}


@pytest.mark.parametrize("kind", LOGINS)
def test_an_image_is_copied_and_mounted_with_tokens(
    guarded: str, tokens: TokenServer, pki: Pki, tmp_path: Path, kind: str
) -> None:
    http = client(guarded, tokens, pki, LOGINS[kind], tmp_path / "docker")
    layout = Layout(tmp_path / "layout")
    source = LayoutSource(parse(layout.name(layout.image([DEBIAN]), "x")), Limits())  # type: ignore[arg-type]
    image = resolve(source, platform=Platform(), all_platforms=False, limits=Limits())
    target = TrustedRepository(parse_repository(f"{guarded}/team/one"), http, Limits())
    assert target.copy(source, image, NoProgress()).uploaded == 2
    target.tag(image.root, "1.0")
    assert target.tagged("1.0") == image.digest
    assert len(tokens.asked) == 1, "one token serves all requests of a scope"
    near = RegistrySource(parse(f"{guarded}/team/one:1.0"), http, Limits())  # type: ignore[arg-type]
    found = resolve(near, platform=Platform(), all_platforms=False, limits=Limits())
    other = TrustedRepository(parse_repository(f"{guarded}/team/two"), http, Limits())
    assert other.copy(near, found, NoProgress()).mounted == 2


def test_a_token_that_ends_midway_is_fetched_anew(guarded: str, tokens: TokenServer, pki: Pki, tmp_path: Path) -> None:
    http = client(guarded, tokens, pki, LOGINS["password"], tmp_path / "docker")
    target = TrustedRepository(parse_repository(f"{guarded}/team/app"), http, Limits())
    tokens.life = -300
    with pytest.raises(AuthenticationFailed):
        target.tagged("1.0")
    tokens.life = 300
    assert target.tagged("1.0") is None


@pytest.mark.parametrize(
    "login", [{}, {"auth": base64.b64encode(b"robot:wrong-password").decode()}, {"identitytoken": "old"}]
)
def test_a_refused_login_is_told_without_the_secret(
    guarded: str, tokens: TokenServer, pki: Pki, tmp_path: Path, login: dict[str, Any]
) -> None:
    http = client(guarded, tokens, pki, login, tmp_path / "docker")
    with pytest.raises(AuthenticationFailed, match="token server") as caught:
        TrustedRepository(parse_repository(f"{guarded}/team/app"), http, Limits()).tagged("1.0")
    assert "wrong-password" not in str(caught.value)
    assert guarded in str(caught.value)
