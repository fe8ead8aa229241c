"""A notary-server that asks for tokens, as registries' own ones do."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagegate.errors import AuthenticationFailed
from imagegate.http.client import HttpClient
from imagegate.http.credentials import CredentialStore
from imagegate.model import Digest, Repository, Target
from imagegate.settings import Host, Http, NotarySettings
from imagegate.trust.notary.signer import NotarySigner
from imagegate.trust.notary.verifier import NotaryVerifier
from lab.notary import PASSPHRASES, Notary
from lab.packages import ensure
from lab.pki import Pki
from lab.tokens import PASSWORD, USER, TokenServer

REPOSITORY = Repository("registry.example.com:5000", "team/app")
TARGET = Target("1.0", Digest(f"sha256:{'a' * 64}"), 100)


class Site:
    """A notary-server with tokens, and a client that logs in with a password."""

    def __init__(self, notary: Notary, tokens: TokenServer, directory: Path) -> None:
        self.notary, self.tokens, self.directory = notary, tokens, directory
        self.settings = NotarySettings(
            server=notary.url, keys=str(directory / "keys"), create_root=True, trust_on_first_use=True
        )

    def http(self, password: str = PASSWORD) -> HttpClient:
        auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
        (self.directory / "config.json").write_text(json.dumps({"auths": {self.notary.host: {"auth": auth}}}))
        ca = Host(ca_file=str(self.notary.ca_file))
        store = CredentialStore({"DOCKER_CONFIG": str(self.directory)})
        return HttpClient(Http(budget=10, retries=2), {self.notary.host: ca, self.tokens.host: ca}, store)

    def signer(self, http: HttpClient) -> NotarySigner:
        return NotarySigner(self.settings, http, self.directory / "cache", environ=PASSPHRASES)


@pytest.fixture
def site(tmp_path: Path, pki: Pki) -> Iterator[Site]:
    ensure("notary", "notary-server", "notary-signer")
    tokens = TokenServer(pki.issue("notary-tokens"))
    try:
        with Notary(tmp_path / "notary", pki, tokens) as notary:
            yield Site(notary, tokens, tmp_path)
    finally:
        tokens.stop()


def test_we_sign_and_verify_with_tokens(site: Site) -> None:
    site.signer(site.http()).sign(REPOSITORY, [TARGET])
    assert {scope for asked in site.tokens.asked for scope in asked["scope"]} == {f"repository:{REPOSITORY}:push,pull"}
    site.tokens.asked.clear()
    verifier = NotaryVerifier(site.settings, site.http(), site.directory / "consumer")
    assert verifier.verify(REPOSITORY, "1.0").target == TARGET
    assert {scope for asked in site.tokens.asked for scope in asked["scope"]} == {f"repository:{REPOSITORY}:pull"}


def test_a_login_that_the_token_server_refuses_is_told(site: Site) -> None:
    with pytest.raises(AuthenticationFailed):
        site.signer(site.http("wrong")).sign(REPOSITORY, [TARGET])


def test_a_token_that_ended_midway_is_fetched_anew(site: Site) -> None:
    http = site.http()
    site.signer(http).sign(REPOSITORY, [TARGET])
    site.tokens.life = -300
    with pytest.raises(AuthenticationFailed):
        NotaryVerifier(site.settings, site.http(), site.directory / "one").verify(REPOSITORY, "1.0")
    site.tokens.life = 300
    assert NotaryVerifier(site.settings, http, site.directory / "two").verify(REPOSITORY, "1.0").target == TARGET
