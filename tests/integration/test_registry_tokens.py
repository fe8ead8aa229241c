"""Bearer tokens: a real registry that takes no others, and a token server of the test's own.

(distribution, "Token Authentication Specification"; its JWTs carry their certificate in `x5c`.)
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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
from lab.pki import Pki
from lab.process import Server, free_port, port_ready
from lab.tokens import IDENTITY, PASSWORD, USER, TokenServer
from tests.images import DEBIAN, Layout


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
            "token": tokens.accepted_by(pki),
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
