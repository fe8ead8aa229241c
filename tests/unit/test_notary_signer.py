"""What signing publishes, against a server in memory."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imagegate.errors import ConfigError, NotTrusted, TagConflict, TrustError
from imagegate.model import Repository
from imagegate.settings import NotarySettings
from imagegate.trust.notary.signer import NotarySigner
from imagegate.trust.notary.verifier import NotaryVerifier
from tests.unit.notary_fake import ENVIRONMENT, NOW, REPOSITORY, FakeNotary, target


class Bench:
    """A server, key stores and caches."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.server, self.now = directory, FakeNotary(), NOW

    def clock(self) -> datetime:
        return self.now

    def signer(self, keys: str = "keys", cache: str = "cache", **chosen: Any) -> NotarySigner:
        chosen = {"create_root": True, **chosen}
        settings = NotarySettings(server="https://n", keys=str(self.directory / keys), **chosen)
        return NotarySigner(settings, self.server, self.directory / cache, environ=ENVIRONMENT, clock=self.clock)

    def verifier(self, **chosen: Any) -> NotaryVerifier:
        settings = NotarySettings(server="https://n", trust_on_first_use=True, **chosen)
        return NotaryVerifier(settings, self.server, self.directory / "consumer", clock=self.clock)

    def signed(self) -> dict[str, str]:
        return {each.target.name: each.target.digest[7] for each in self.verifier().targets(REPOSITORY)}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_first_signature_initialises_and_the_next_adds(bench: Bench) -> None:
    receipt = bench.signer().sign(REPOSITORY, [target("1.0"), target("latest")])
    assert (receipt.initialised, receipt.attempts, receipt.roles) == (True, 1, ("targets",))
    receipt = bench.signer().sign(REPOSITORY, [target("1.1", "b")])
    assert (receipt.initialised, receipt.attempts) == (False, 1)
    assert bench.signed() == {"1.0": "a", "latest": "a", "1.1": "b"}


def test_signing_again_publishes_nothing(bench: Bench) -> None:
    bench.signer().sign(REPOSITORY, [target("1.0")])
    bench.server.requests.clear()
    assert bench.signer().sign(REPOSITORY, [target("1.0")]).attempts == 0
    assert bench.server.requests == ["GET timestamp.json"]


def test_what_ends_soon_is_signed_again(bench: Bench) -> None:
    bench.signer().sign(REPOSITORY, [target("1.0")])
    bench.server.lasts = timedelta(days=990)
    bench.server.seal()
    bench.now = NOW + timedelta(days=950)
    assert bench.signer().sign(REPOSITORY, [target("1.0")]).attempts == 1


def test_a_signed_tag_moves_only_when_asked_and_stays_signed(bench: Bench) -> None:
    bench.signer().sign(REPOSITORY, [target("1.0")])
    with pytest.raises(TagConflict, match=r"1\.0 is signed already"):
        bench.signer().sign(REPOSITORY, [target("1.0", "b")])
    bench.signer().sign(REPOSITORY, [target("1.0", "b")], replace=True)
    assert bench.signed() == {"1.0": "b", "1.0.superseded-aaaaaaaaaaaa": "a"}


def test_a_race_loses_no_signature(bench: Bench) -> None:
    bench.signer().sign(REPOSITORY, [target("1.0")])
    other = bench.signer(cache="other", trust_on_first_use=True)
    bench.server.before_post = lambda: other.sign(REPOSITORY, [target("1.1", "b")])
    receipt = bench.signer().sign(REPOSITORY, [target("1.2", "c")])
    assert receipt.attempts == 2
    assert bench.signed() == {"1.0": "a", "1.1": "b", "1.2": "c"}


def test_a_race_for_one_tag_has_one_winner(bench: Bench) -> None:
    bench.signer().sign(REPOSITORY, [target("1.0")])
    other = bench.signer(cache="other", trust_on_first_use=True)
    bench.server.before_post = lambda: other.sign(REPOSITORY, [target("2.0", "b")])
    with pytest.raises(TagConflict):
        bench.signer().sign(REPOSITORY, [target("2.0", "c")])
    assert bench.signed()["2.0"] == "b"


def test_a_race_to_be_first_keeps_both(bench: Bench) -> None:
    other = bench.signer(cache="other")
    bench.server.before_post = lambda: other.sign(REPOSITORY, [target("1.1", "b")])
    assert bench.signer().sign(REPOSITORY, [target("1.2", "c")]).attempts == 2
    assert bench.signed() == {"1.1": "b", "1.2": "c"}


def test_a_publish_that_cannot_be_read_back_is_an_error(bench: Bench) -> None:
    bench.signer().sign(REPOSITORY, [target("1.0")])

    def break_targets() -> None:
        bench.server.spoil = lambda name, raw: (
            raw.replace(b'"length":100', b'"length":101') if "targets." in name else raw
        )

    bench.server.before_post = break_targets
    with pytest.raises(TrustError, match="does not verify when it is read back") as caught:
        bench.signer().sign(REPOSITORY, [target("1.1", "b")])
    assert "Nothing must be tagged" in caught.value.hint
    assert caught.value.exit_code == 2


def test_a_root_key_is_made_only_when_allowed(bench: Bench) -> None:
    with pytest.raises(TrustError, match="no root key") as caught:
        bench.signer(create_root=False).sign(REPOSITORY, [target("1.0")])
    assert "notary.create_root" in caught.value.hint
    assert not bench.server.files


def test_a_repository_is_not_initialised_with_a_root_that_no_pin_names(bench: Bench) -> None:
    with pytest.raises(TrustError, match="not the pinned one"):
        bench.signer(pins={"*": ("0" * 64,)}).sign(REPOSITORY, [target("1.0")])
    assert not bench.server.files


def test_without_the_key_nothing_is_signed(bench: Bench) -> None:
    bench.signer().sign(REPOSITORY, [target("1.0")])
    with pytest.raises(TrustError, match="has 0 of the role's keys"):
        bench.signer(keys="mine", cache="mine", trust_on_first_use=True).sign(REPOSITORY, [target("1.1")])


def test_a_strange_root_is_not_signed_under(bench: Bench) -> None:
    bench.signer().sign(REPOSITORY, [target("1.0")])
    with pytest.raises(NotTrusted, match="not known here"):
        bench.signer(keys="mine", cache="mine").sign(REPOSITORY, [target("1.1")])


def test_a_signer_signs_releases_and_its_own_role(bench: Bench) -> None:
    bench.signer(signer="alice").sign(REPOSITORY, [target("1.0")])
    found = bench.verifier().verify(REPOSITORY, "1.0")
    assert (found.role, found.signers) == ("targets/releases", ("alice",))
    assert bench.verifier().verify(REPOSITORY, "1.0", roles=["targets/alice"]).role == "targets/alice"
    with pytest.raises(NotTrusted):
        bench.verifier().verify(REPOSITORY, "1.0", roles=["targets"])


def test_a_delegation_key_alone_suffices_once_delegated(bench: Bench) -> None:
    bench.signer(signer="alice").sign(REPOSITORY, [target("1.0")])
    private = bench.directory / "keys" / "private"
    for file in private.glob("*.key"):
        if "role: alice" not in file.read_text():
            file.unlink()
    before = bench.server.current["targets"]
    bench.signer(signer="alice").sign(REPOSITORY, [target("1.1", "b")])
    assert bench.signed() == {"1.0": "a", "1.1": "b"}
    assert bench.server.current["targets"] == before
    with pytest.raises(TrustError, match="has 0 of the role's keys"):
        bench.signer(signer="bob").sign(REPOSITORY, [target("1.2")])


def test_a_second_signer_joins(bench: Bench) -> None:
    bench.signer().sign(REPOSITORY, [target("0.9", "c")])
    for name in ("alice", "bob"):
        bench.signer(signer=name).sign(REPOSITORY, [target("1.0")])
    assert bench.verifier().verify(REPOSITORY, "1.0").signers == ("alice", "bob")
    assert bench.signed() == {"0.9": "c", "1.0": "a"}


def test_what_another_role_would_hide_is_not_signed(bench: Bench) -> None:
    bench.signer(signer="alice").sign(REPOSITORY, [target("1.0")])
    with pytest.raises(TagConflict):
        bench.signer().sign(REPOSITORY, [target("1.0", "b")])
    with pytest.raises(TrustError, match="looked at first"):
        bench.signer().sign(REPOSITORY, [target("1.0", "b")], replace=True)


@pytest.mark.parametrize("name", ["", "a b", "<x>", "a/b", "é", "x" * 129, ".x"])
def test_names_that_are_no_tags_are_refused(name: str, bench: Bench) -> None:
    with pytest.raises(TrustError, match="no tag"):
        bench.signer().sign(REPOSITORY, [target(name)])


def test_contradictions_are_refused(bench: Bench) -> None:
    with pytest.raises(TrustError, match="two different images"):
        bench.signer().sign(REPOSITORY, [target("1.0"), target("1.0", "b")])
    with pytest.raises(ConfigError, match="no key store"):
        NotarySigner(NotarySettings(server="https://n"), bench.server, bench.directory, environ={})
    with pytest.raises(ConfigError, match="no name of a signer"):
        bench.signer(signer="../x")


def test_repositories_of_one_root_key_are_apart(bench: Bench) -> None:
    bench.signer().sign(REPOSITORY, [target("1.0")])
    bench.server = FakeNotary()
    other = Repository("registry.example.com:5000", "other/" + "x" * 100)
    assert bench.signer().sign(other, [target("1.0")]).initialised
    roots = [file for file in (bench.directory / "keys" / "private").iterdir() if "role: root" in file.read_text()]
    assert len(roots) == 1
