"""imagegate, `notary` and `docker trust` on one real server: each reads what the others sign."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from imagegate.errors import NotTrusted, TagConflict
from imagegate.http.client import HttpClient
from imagegate.model import Digest, Repository, Target
from imagegate.settings import Host, Http, NotarySettings
from imagegate.trust.notary.keys import PrivateKey, certificate
from imagegate.trust.notary.signer import NotarySigner
from imagegate.trust.notary.verifier import NotaryVerifier
from lab.notary import PASSPHRASES, Notary
from lab.packages import ensure

DIGEST = "ab" * 32


def target(name: str, digit: str = "a", length: int = 100) -> Target:
    return Target(name, Digest(f"sha256:{digit * 64}"), length)


class Peer:
    """imagegate with a key store that `notary` shares, and a consumer that has nothing but the server."""

    def __init__(self, notary: Notary, directory: Path) -> None:
        self.notary, self.directory, self.keys = notary, directory, directory / "keys"
        self.http = HttpClient(Http(), {notary.host: Host(ca_file=str(notary.ca_file))})
        self.repository = Repository("registry.example.com:5000", f"team/{uuid.uuid4().hex}")
        self.gun = str(self.repository)

    def signer(self, cache: str = "cache", **chosen: Any) -> NotarySigner:
        chosen = {"create_root": True, **chosen}
        settings = NotarySettings(server=self.notary.url, keys=str(self.keys), **chosen)
        return NotarySigner(settings, self.http, self.directory / cache, environ=PASSPHRASES)

    def verifier(self, cache: str = "consumer", **chosen: Any) -> NotaryVerifier:
        settings = NotarySettings(server=self.notary.url, trust_on_first_use=True, **chosen)
        return NotaryVerifier(settings, self.http, self.directory / cache)

    def cli(self, *arguments: str, keys: bool = False) -> str:
        return self.notary.cli(*arguments, trust=self.keys if keys else self.directory / "notary").stdout

    def listed(self, *roles: str) -> dict[str, str]:
        rows = self.cli("list", self.gun, *(part for role in roles for part in ("-r", role))).splitlines()[2:]
        return {row.split()[0]: row.split()[1] for row in rows if row.strip()}

    def signed(self) -> set[str]:
        return {each.target.name for each in self.verifier().targets(self.repository)}


@pytest.fixture
def peer(notary: Notary, tmp_path: Path) -> Peer:
    return Peer(notary, tmp_path)


def test_notary_reads_what_we_sign(peer: Peer) -> None:
    peer.signer().sign(peer.repository, [target("1.0"), target("1.1", "b")])
    assert peer.listed() == {"1.0": "a" * 64, "1.1": "b" * 64}
    peer.signer().sign(peer.repository, [target("1.0", "c")], replace=True)
    assert peer.listed() == {"1.0": "c" * 64, "1.0.superseded-aaaaaaaaaaaa": "a" * 64, "1.1": "b" * 64}
    assert "1.0 sha256:" + "c" * 64 in peer.cli("lookup", peer.gun, "1.0")


def test_notary_checks_a_file_that_we_signed(peer: Peer) -> None:
    import hashlib

    content = b'{"schemaVersion":2}'
    digest = Digest("sha256:" + hashlib.sha256(content).hexdigest())
    peer.signer().sign(peer.repository, [Target("file", digest, len(content))])
    (peer.directory / "file").write_bytes(content)
    peer.cli("verify", peer.gun, "file", "-i", str(peer.directory / "file"), "-q")


def test_notary_signs_with_our_keys_on_top_of_ours(peer: Peer) -> None:
    peer.signer().sign(peer.repository, [target("1.0")])
    peer.cli("addhash", "-p", peer.gun, "2.0", "18", "--sha256", DIGEST, keys=True)
    assert peer.signed() == {"1.0", "2.0"}
    peer.signer().sign(peer.repository, [target("3.0", "c")])
    assert peer.listed() == {"1.0": "a" * 64, "2.0": DIGEST, "3.0": "c" * 64}


@pytest.mark.parametrize("managed", ["client", "server"])
def test_we_read_and_extend_what_notary_signs(managed: str, peer: Peer) -> None:
    peer.cli("init", "-p", peer.gun, keys=True)
    if managed == "server":
        peer.cli("key", "rotate", peer.gun, "snapshot", "-r", keys=True)
    peer.cli("addhash", "-p", peer.gun, "1.0", "18", "--sha256", DIGEST, keys=True)
    found = peer.verifier().verify(peer.repository, "1.0")
    assert found.target == Target("1.0", Digest(f"sha256:{DIGEST}"), 18)
    peer.signer().sign(peer.repository, [target("2.0")])
    assert peer.listed() == {"1.0": DIGEST, "2.0": "a" * 64}
    assert peer.signed() == {"1.0", "2.0"}


def test_a_root_key_of_notary_signs_and_is_the_pin(peer: Peer) -> None:
    peer.cli("key", "generate", "ecdsa", "-r", "root", keys=True)
    (root,) = (line.split()[1] for line in peer.cli("key", "list", keys=True).splitlines() if line.startswith("root"))
    pins = {"registry.example.com:5000/*": (root,)}
    peer.signer(create_root=False, pins=pins).sign(peer.repository, [target("1.0")])
    settings = NotarySettings(server=peer.notary.url, pins=pins)
    assert NotaryVerifier(settings, peer.http, peer.directory / "pinned").verify(peer.repository, "1.0")
    assert peer.listed() == {"1.0": "a" * 64}


@pytest.mark.parametrize("rotation", [("targets",), ("snapshot", "-r"), ("timestamp", "-r"), ("root",)])
def test_rotated_keys_are_followed(rotation: tuple[str, ...], peer: Peer) -> None:
    peer.signer().sign(peer.repository, [target("1.0")])
    root = next(entry for entry in (peer.keys / "private").iterdir() if "role: root" in entry.read_text()).stem
    assert peer.signed() == {"1.0"}
    command = ["notary", "-s", peer.notary.url, "--tlscacert", str(peer.notary.ca_file), "-d", str(peer.keys)]
    subprocess.run(
        [*command, "key", "rotate", peer.gun, *rotation],
        env={**os.environ, **PASSPHRASES},
        input="yes\n",
        text=True,
        check=True,
        capture_output=True,
    )
    assert peer.signed() == {"1.0"}, "warm"
    assert peer.verifier("cold").verify(peer.repository, "1.0"), "cold"
    pinned = NotarySettings(server=peer.notary.url, pins={"*": (root,)})
    assert NotaryVerifier(pinned, peer.http, peer.directory / "p").verify(peer.repository, "1.0"), (
        "by the first root's pin"
    )
    peer.signer().sign(peer.repository, [target("2.0", "b")])
    assert peer.listed() == {"1.0": "a" * 64, "2.0": "b" * 64}


def _certificate(directory: Path, name: str) -> tuple[Path, PrivateKey]:
    from datetime import UTC, datetime

    key = PrivateKey.generate()
    issued: x509.Certificate = certificate(key.certify(name, datetime.now(UTC)))
    path = directory / f"{name}.crt"
    path.write_bytes(issued.public_bytes(serialization.Encoding.PEM))
    return path, key


def test_delegations_work_both_ways(peer: Peer) -> None:
    peer.signer(signer="alice").sign(peer.repository, [target("1.0")])
    assert peer.listed("targets/releases") == {"1.0": "a" * 64} == peer.listed("targets/alice")
    peer.cli("addhash", "-p", peer.gun, "1.1", "18", "--sha256", DIGEST, "-r", "targets/releases", keys=True)
    assert peer.verifier().verify(peer.repository, "1.1").role == "targets/releases"
    path, key = _certificate(peer.directory, "bob")
    for role in ("targets/releases", "targets/bob"):
        peer.cli("delegation", "add", "-p", peer.gun, role, str(path), "--all-paths", keys=True)
    shutil.rmtree(peer.keys)
    (peer.keys / "private").mkdir(parents=True)
    file = peer.keys / "private" / f"{key.key_id}.key"
    file.write_bytes(
        key._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    file.chmod(0o600)
    peer.signer(signer="bob").sign(peer.repository, [target("2.0", "b")])
    assert peer.verifier().verify(peer.repository, "2.0").signers == ("bob",)
    assert peer.listed("targets/bob") == {"2.0": "b" * 64}
    assert set(peer.listed("targets/releases")) == {"1.0", "1.1", "2.0"}


@pytest.mark.parametrize("binary", ["/usr/bin/docker", "docker"])
@pytest.mark.parametrize("signer", ["", "alice"])
def test_docker_trusts_what_we_sign(signer: str, binary: str, peer: Peer) -> None:
    peer.signer(signer=signer).sign(peer.repository, [target("1.0")])
    ensure("dockerd")
    tls = peer.directory / "docker" / "tls" / peer.notary.host
    tls.mkdir(parents=True)
    shutil.copy(peer.notary.ca_file, tls / "ca.crt")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(peer.directory),
        "DOCKER_CONTENT_TRUST_SERVER": peer.notary.url,
        "DOCKER_CONFIG": str(peer.directory / "docker"),
    }
    done = subprocess.run(
        [binary, "trust", "inspect", peer.gun], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (tag,) = json.loads(done.stdout)[0]["SignedTags"]
    assert (tag["SignedTag"], tag["Digest"]) == ("1.0", "a" * 64)
    assert tag["Signers"] == ([signer] if signer else ["Repo Admin"])


def _sign(arguments: tuple[str, str, str, str, str, str, str, str]) -> int:
    url, host, ca_file, keys, cache, registry, name, tag = arguments
    http = HttpClient(Http(), {host: Host(ca_file=ca_file)})
    settings = NotarySettings(server=url, keys=keys, create_root=True, trust_on_first_use=True)
    signer = NotarySigner(settings, http, Path(cache), environ=PASSPHRASES)
    return signer.sign(Repository(registry, name), [target(tag)]).attempts


@pytest.mark.parametrize("shared_cache", [True, False])
def test_jobs_at_once_lose_nothing(shared_cache: bool, peer: Peer) -> None:
    """Eight processes, one key store, one new repository: all signatures are there, with one key of each role."""
    n, r = peer.notary, peer.repository

    def job(number: int) -> tuple[str, ...]:
        cache = str(peer.directory / ("cache" if shared_cache else f"cache-{number}"))
        return (n.url, n.host, str(n.ca_file), str(peer.keys), cache, r.registry, r.name, f"t{number}")

    run: Callable[..., Any] = _sign
    with ProcessPoolExecutor(8) as pool:
        assert all(attempts > 0 for attempts in pool.map(run, [job(number) for number in range(8)]))
    expected = {f"t{number}" for number in range(8)}
    assert set(peer.listed()) == expected == peer.signed()
    assert len(list((peer.keys / "private").glob("*.key"))) == 2


def test_a_tag_that_notary_moved_is_a_conflict(peer: Peer) -> None:
    peer.signer().sign(peer.repository, [target("1.0")])
    peer.cli("addhash", "-p", peer.gun, "1.0", "18", "--sha256", DIGEST, keys=True)
    with pytest.raises(TagConflict, match=DIGEST):
        peer.signer().sign(peer.repository, [target("1.0")])


def test_a_deleted_repository_is_noticed(peer: Peer) -> None:
    peer.signer().sign(peer.repository, [target("1.0")])
    assert peer.signed() == {"1.0"}
    peer.cli("delete", peer.gun, "--remote", keys=True)
    with pytest.raises(NotTrusted, match="no longer has"):
        peer.verifier().find(peer.repository, "1.0")
    with pytest.raises(NotTrusted, match="no longer has"):
        peer.signer().sign(peer.repository, [target("1.0")])


def test_a_long_repository_name(peer: Peer) -> None:
    long = Repository("registry.example.com:5000", "team/" + "x" * 90 + uuid.uuid4().hex)
    peer.signer().sign(long, [target("1.0")])
    assert "a" * 64 in peer.cli("list", str(long))


def test_twenty_thousand_tags_in_one_publish(peer: Peer) -> None:
    many = [target(f"v{number}", "d", number) for number in range(20_000)]
    peer.signer().sign(peer.repository, many)
    peer.signer().sign(peer.repository, [target("last")])
    assert peer.verifier().verify(peer.repository, "last").target == target("last")
    assert "a" * 64 in peer.cli("lookup", peer.gun, "last")
