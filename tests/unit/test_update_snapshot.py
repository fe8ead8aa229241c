"""Snapshots: what is exported is what is imported, and nothing else is."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from imagegate.cli.main import run
from imagegate.errors import AdvisoryError, ImagegateError, LimitExceeded, NotTrusted, TrustError, UsageError
from imagegate.progress import NoProgress
from imagegate.vulnerability import checked
from imagegate.vulnerability.checked import Checked
from imagegate.vulnerability.database import AdvisoryDatabase
from imagegate.vulnerability.importer import import_files
from imagegate.vulnerability.update.signature import SigningKey
from imagegate.vulnerability.update.snapshot import is_snapshot
from imagegate.vulnerability.update.snapshot_export import export
from imagegate.vulnerability.update.snapshot_import import Taken, take
from tests.fakes.mirror import record

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PASSPHRASE = "passphrase-of-the-test"


class Keys:
    """A key pair in a directory."""

    def __init__(self, directory: Path, name: str) -> None:
        key = Ed25519PrivateKey.generate()
        self.private, self.public = directory / f"{name}.key", directory / f"{name}.pub"
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        self.private.write_bytes(
            key.private_bytes(pem, pkcs8, serialization.BestAvailableEncryption(PASSPHRASE.encode()))
        )
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self.public.write_bytes(key.public_key().public_bytes(pem, form))

    @property
    def signing(self) -> SigningKey:
        return SigningKey(self.private, {"IMAGEGATE_SNAPSHOT_PASSPHRASE": PASSPHRASE})


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path, "snapshot")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "origin" / "advisories.sqlite"
    fill(path, NOW, 50)
    return path


@pytest.fixture
def snapshot(tmp_path: Path, database: Path, keys: Keys) -> Path:
    export(database, tmp_path / "snapshot.tar", keys.signing, now=NOW, progress=NoProgress())
    return tmp_path / "snapshot.tar"


def fill(database: Path, now: datetime, count: int) -> None:
    database.parent.mkdir(parents=True, exist_ok=True)
    records = database.parent / "records.jsonl"
    records.write_text("".join(json.dumps(record(number)) + "\n" for number in range(count)))
    import_files([records], database, now=now, progress=NoProgress())


def bring(
    snapshot: Path, target: Path, *keys: Path, unsigned: bool = False, older: bool = False, now: datetime = NOW
) -> Taken:
    return take(snapshot, target, keys=keys, unsigned=unsigned, older=older, now=now, progress=NoProgress())


def test_what_is_exported_is_imported(tmp_path: Path, database: Path, snapshot: Path, keys: Keys) -> None:
    target = tmp_path / "air-gapped" / "advisories.sqlite"
    taken = bring(snapshot, target, Keys(tmp_path, "other").public, keys.public)
    assert (taken.replaced, taken.key) == (True, keys.signing.id)
    assert target.read_bytes() == database.read_bytes()
    assert not bring(snapshot, target, keys.public).replaced
    assert sorted(path.name for path in target.parent.iterdir()) == [
        "advisories.sqlite",
        "advisories.sqlite.checked",
        "advisories.sqlite.lock",
    ]


def test_when_sources_were_last_looked_at_goes_with_it(tmp_path: Path, database: Path, keys: Keys) -> None:
    later = NOW + timedelta(days=2)
    with AdvisoryDatabase(database) as opened:
        checked.write(database, opened.identity, Checked({"osv/PyPI": later.timestamp()}, {"PyPI": later.timestamp()}))
    manifest = export(database, tmp_path / "s", keys.signing, now=later, progress=NoProgress())
    assert manifest.as_of == later.timestamp()
    target = tmp_path / "there.sqlite"
    bring(tmp_path / "s", target, keys.public, now=later)
    with AdvisoryDatabase(target) as opened:
        assert opened.feeds()[0].synced_at == later


def test_standard_tools_read_and_verify_it(tmp_path: Path, snapshot: Path, keys: Keys) -> None:
    subprocess.run(["tar", "-xf", snapshot, "-C", tmp_path], check=True)
    verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", keys.public, "-rawin", "-in", "manifest.json"]
    done = subprocess.run(
        [*verify, "-sigfile", "manifest.json.sig"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "Successfully" in done.stdout


def test_keys_that_openssl_made_are_read(tmp_path: Path) -> None:
    key = tmp_path / "o.key"
    make = ["openssl", "genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "env:P", "-out", str(key)]
    subprocess.run(make, env={"P": "a passphrase", "PATH": "/usr/bin"}, check=True, capture_output=True)
    file = tmp_path / "passphrase"
    file.write_text("a passphrase\n")
    assert SigningKey(key, {"IMAGEGATE_SNAPSHOT_PASSPHRASE_FILE": str(file)}).sign(b"x")


@pytest.mark.parametrize("environ", [{}, {"IMAGEGATE_SNAPSHOT_PASSPHRASE": "wrong-secret"}])
def test_a_key_does_not_open_without_its_passphrase(keys: Keys, environ: dict[str, str]) -> None:
    with pytest.raises(TrustError) as caught:
        SigningKey(keys.private, environ)
    assert "wrong-secret" not in str(caught.value)


def test_other_kinds_of_keys_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "ec.key"
    key = generate_private_key(SECP256R1())
    pkcs8, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, none))
    with pytest.raises(TrustError, match="no Ed25519 key"):
        SigningKey(file, {})


def test_only_who_is_trusted_may_have_signed(tmp_path: Path, database: Path, snapshot: Path) -> None:
    target = tmp_path / "there.sqlite"
    with pytest.raises(NotTrusted, match="none of the keys"):
        bring(snapshot, target, Keys(tmp_path, "other").public)
    with pytest.raises(NotTrusted, match="no key is trusted"):
        bring(snapshot, target)
    with pytest.raises(NotTrusted, match="none of the keys"):
        bring(snapshot, target, Keys(tmp_path, "other").public, unsigned=True)
    assert not target.exists()


def test_without_a_signature_it_is_taken_only_where_that_is_asked_for(
    tmp_path: Path, database: Path, keys: Keys
) -> None:
    export(database, tmp_path / "s", None, now=NOW, progress=NoProgress())
    with pytest.raises(NotTrusted, match="not signed"):
        bring(tmp_path / "s", tmp_path / "t.sqlite", keys.public)
    assert bring(tmp_path / "s", tmp_path / "t.sqlite", unsigned=True).key == ""


def test_older_advisories_replace_no_newer_ones(tmp_path: Path, snapshot: Path, keys: Keys) -> None:
    target = tmp_path / "t" / "advisories.sqlite"
    fill(target, NOW + timedelta(days=1), 60)
    before = target.read_bytes()
    with pytest.raises(UsageError, match="--older"):
        bring(snapshot, target, keys.public)
    assert target.read_bytes() == before
    assert bring(snapshot, target, keys.public, older=True).replaced


def test_a_damaged_database_is_replaced(tmp_path: Path, snapshot: Path, keys: Keys) -> None:
    target = tmp_path / "t.sqlite"
    target.write_bytes(b"damaged")
    assert bring(snapshot, target, keys.public).replaced


def test_a_snapshot_of_the_future_is_refused(tmp_path: Path, snapshot: Path, keys: Keys) -> None:
    with pytest.raises(AdvisoryError, match="clock"):
        bring(snapshot, tmp_path / "t.sqlite", keys.public, now=NOW - timedelta(days=3))


def members(snapshot: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(snapshot) as archive:
        for member in archive:
            file = archive.extractfile(member)
            yield member.name, file.read() if file else b""


def pack(path: Path, parts: list[tuple[str, bytes]]) -> None:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in parts:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def _changed(parts: list[tuple[str, bytes]]) -> None:
    parts[2] = (parts[2][0], parts[2][1][:-9] + bytes(9))


def _other_size(parts: list[tuple[str, bytes]]) -> None:
    parts[2] = (parts[2][0], parts[2][1] + b"x")


def _edited(parts: list[tuple[str, bytes]]) -> None:
    parts[0] = (parts[0][0], parts[0][1].replace(b"as_of", b"as-of"))


def _no_signature(parts: list[tuple[str, bytes]]) -> None:
    del parts[1]


def _no_database(parts: list[tuple[str, bytes]]) -> None:
    del parts[2]


def _other_order(parts: list[tuple[str, bytes]]) -> None:
    parts.reverse()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (_changed, AdvisoryError),
        (_other_size, AdvisoryError),
        (_edited, NotTrusted),
        (_no_signature, NotTrusted),
        (_no_database, AdvisoryError),
        (_other_order, AdvisoryError),
    ],
)
def test_what_was_tampered_with_is_refused(
    tmp_path: Path,
    snapshot: Path,
    keys: Keys,
    change: Callable[[list[tuple[str, bytes]]], None],
    error: type[ImagegateError],
) -> None:
    parts = list(members(snapshot))
    change(parts)
    pack(tmp_path / "changed", parts)
    target = tmp_path / "t" / "advisories.sqlite"
    fill(target, NOW - timedelta(days=1), 3)
    before = target.read_bytes()
    with pytest.raises(error):
        bring(tmp_path / "changed", target, keys.public)
    assert target.read_bytes() == before
    assert not target.with_name("advisories.sqlite.draft").exists()


@pytest.mark.parametrize("length", [0, 100, 512, 700, 3000, -1000])
def test_a_snapshot_that_was_cut_is_refused(tmp_path: Path, snapshot: Path, keys: Keys, length: int) -> None:
    (tmp_path / "cut").write_bytes(snapshot.read_bytes()[: length or None] if length else b"")
    if length == -1000:
        (tmp_path / "cut").write_bytes(snapshot.read_bytes()[:-11000])
    with pytest.raises(AdvisoryError):
        bring(tmp_path / "cut", tmp_path / "t.sqlite", keys.public)
    assert not (tmp_path / "t.sqlite").exists()


def test_it_inflates_to_no_more_than_was_signed(tmp_path: Path, database: Path, keys: Keys) -> None:
    import zstandard

    export(database, tmp_path / "s", None, now=NOW, progress=NoProgress())
    parts = dict(members(tmp_path / "s"))
    packed = zstandard.compress(bytes(300 * 1024**2))
    manifest = json.loads(parts["manifest.json"])
    manifest["compressed"]["size"] = len(packed)
    pack(tmp_path / "bomb", [("manifest.json", json.dumps(manifest).encode()), ("advisories.sqlite.zst", packed)])
    with pytest.raises(LimitExceeded):
        bring(tmp_path / "bomb", tmp_path / "t.sqlite", unsigned=True)
    assert not (tmp_path / "t.sqlite").exists()


def test_the_command_tells_snapshots_from_records(
    tmp_path: Path,
    database: Path,
    keys: Keys,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGEGATE_ADVISORIES_DATABASE", str(database))
    monkeypatch.setenv("IMAGEGATE_SNAPSHOT_PASSPHRASE", PASSPHRASE)
    assert run(["db", "export", "out"]) == 2
    assert "--key" in capsys.readouterr().err
    assert run(["db", "export", "out", "--key", str(keys.private)]) == 0
    assert is_snapshot(tmp_path / "out")
    assert not is_snapshot(database)
    monkeypatch.setenv("IMAGEGATE_ADVISORIES_DATABASE", str(tmp_path / "t.sqlite"))
    assert run(["db", "import", "out"]) == 1
    monkeypatch.setenv("IMAGEGATE_ADVISORIES_SNAPSHOT_KEYS", str(keys.public))
    assert run(["--json", "db", "import", "out"]) == 0
    assert PASSPHRASE not in "".join(capsys.readouterr())
    assert run(["db", "import", "out", str(database.parent / "records.jsonl")]) == 2
