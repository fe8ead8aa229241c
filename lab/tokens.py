"""A token server on loopback, whose tokens a registry or notary-server is told to trust.

(distribution, "Token Authentication Specification"; its JWTs carry their certificate in `x5c`.)
"""

from __future__ import annotations

import base64
import json
import secrets
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from lab.pki import Certificate, Pki

USER, PASSWORD, IDENTITY = "robot", "token-password", "identity-token"
ISSUER, SERVICE = "lab", "lab"


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

    def accepted_by(self, pki: Pki) -> dict[str, str]:
        """Return the options of a server that takes these tokens, as registry and notary-server name them."""
        return {
            "realm": f"https://{self.host}/token",
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": str(pki.ca_file),
        }

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, scopes: list[str]) -> str:
        der = self._certificate.public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
        now = int(time.time())
        access = []
        for scope in " ".join(scopes).split():
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        claims = {
            "iss": ISSUER,
            "sub": USER,
            "aud": SERVICE,
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
