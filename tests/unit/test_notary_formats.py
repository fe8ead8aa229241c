"""Canonical JSON, key files and metadata, against the peers' own bytes."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.formats import encode_canonical

from imagegate.errors import TrustError
from imagegate.trust.notary import canonical, chain, pem
from imagegate.trust.notary.keys import PrivateKey, key_id, plain_key_id
from imagegate.trust.notary.keystore import KeyStore
from imagegate.trust.notary.metadata import parse_root, parse_snapshot, parse_targets, parse_timestamp
from imagegate.trust.notary.passphrases import Passphrases
from tests.unit.notary_fake import ENVIRONMENT, GUN, NOW

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(VALUES)
def test_canonical_json_is_the_reference_implementations(value: object) -> None:
    assert canonical.encode(value) == encode_canonical(value).encode()


def test_recorded_metadata_is_read_and_verified(shared: Path) -> None:
    """All that notary and its server sent to each other: parsed, written again, equal; and signed by whom it says."""
    parsers = {"root": parse_root, "snapshot": parse_snapshot, "timestamp": parse_timestamp}
    seen = 0
    for file in sorted((shared / "notary" / "exchanges").glob("*.json")):
        if file.name[:3] in ("064", "066"):  # broken on purpose
            continue
        exchange = json.loads(file.read_text())
        found = [
            (part["headers"][0].rpartition("filename=")[2].strip('"'), part["raw"])
            for part in exchange["request"]["body"] or []
            if isinstance(part, dict)
        ]
        path = exchange["request"]["path"].rpartition("/_trust/tuf/")[2]
        if path.endswith(".json") and exchange["response"]["status"] == 200:
            found.append((path.split(".")[0], exchange["response"]["raw"]))
        for role, raw in found:
            parsed = parsers.get(role, parse_targets)(raw.encode())
            assert parsed.raw == raw.encode()
            seen += 1
            if role == "root":
                chain.check_root(raw.encode())
    assert seen > 30


def test_key_ids_are_notarys() -> None:
    key = PrivateKey.generate()
    text = '{"keytype":"ecdsa","keyval":{"private":null,"public":"KEY"}}'.replace("KEY", key.public.keyval.public)
    assert key.key_id == hashlib.sha256(text.encode()).hexdigest() == key_id(key.public)
    assert plain_key_id(key.certify("a" * 200, NOW)) == key.key_id, "also for a name that X.520 finds too long"


def test_key_files_are_read_back(tmp_path: Path) -> None:
    store = KeyStore(tmp_path, Passphrases(ENVIRONMENT))
    with store.lock():
        made = store.create("targets", GUN)
    (path,) = (tmp_path / "private").glob("*.key")
    assert path.name == f"{made.key_id}.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().startswith(f"-----BEGIN ENCRYPTED PRIVATE KEY-----\ngun: {GUN}\nrole: targets\n\n")
    fresh = KeyStore(tmp_path, Passphrases(ENVIRONMENT))
    (entry,) = fresh.find("targets", GUN)
    assert fresh.load(entry).key_id == made.key_id
    assert "KEY" not in repr(made)


def test_a_wrong_passphrase_names_its_variable_and_no_secret(tmp_path: Path) -> None:
    store = KeyStore(tmp_path, Passphrases(ENVIRONMENT))
    store.create("root")
    wrong = KeyStore(tmp_path, Passphrases({"NOTARY_ROOT_PASSPHRASE": "not-the-passphrase"}))
    with pytest.raises(TrustError, match="passphrase in NOTARY_ROOT_PASSPHRASE is wrong") as caught:
        wrong.load(wrong.find("root")[0])
    assert "not-the-passphrase" not in str(caught.value)
    with pytest.raises(TrustError, match="Set NOTARY_ROOT_PASSPHRASE or IMAGEGATE_NOTARY_ROOT_PASSPHRASE_FILE"):
        KeyStore(tmp_path, Passphrases({})).load(wrong.find("root")[0])


def test_passphrases_come_from_files_and_dockers_variables_too(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-a-file\n")
    environment = {
        "IMAGEGATE_NOTARY_ROOT_PASSPHRASE_FILE": str(tmp_path / "secret"),
        "NOTARY_ROOT_PASSPHRASE": "other",
        "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE": "docker's",
    }
    found = Passphrases(environment)
    assert found.get("root") == ("from-a-file", "IMAGEGATE_NOTARY_ROOT_PASSPHRASE_FILE")
    assert found.get("targets")[0] == found.get("alice")[0] == "docker's"
    assert "from" not in repr(found)
    with pytest.raises(TrustError, match="cannot be read"):
        Passphrases({"IMAGEGATE_NOTARY_ROOT_PASSPHRASE_FILE": "/nowhere"}).get("root")


@pytest.mark.parametrize("form", ["pkcs8", "sec1"])
def test_unencrypted_keys_must_be_private(form: str, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as ser

    key = PrivateKey.generate()
    kind = ser.PrivateFormat.PKCS8 if form == "pkcs8" else ser.PrivateFormat.TraditionalOpenSSL
    text = key._key.private_bytes(ser.Encoding.PEM, kind, ser.NoEncryption())
    path = tmp_path / "private" / f"{key.key_id}.key"
    path.parent.mkdir()
    path.write_bytes(text)
    path.chmod(0o600)
    store = KeyStore(tmp_path, Passphrases({}))
    assert store.load(store.entries()[0]).key_id == key.key_id
    path.chmod(0o644)
    fresh = KeyStore(tmp_path, Passphrases({}))
    with pytest.raises(TrustError, match="others can read it"):
        fresh.load(fresh.entries()[0])


@given(st.binary(max_size=400))
def test_hostile_key_files_are_errors_that_explain_themselves(content: bytes) -> None:
    with pytest.raises(TrustError):
        pem.decrypt(content, "passphrase")


@given(st.binary(min_size=1), st.text(min_size=1))
def test_encryption_round_trip(secret: bytes, passphrase: str) -> None:
    inner = pem._sequence(pem._tlv(2, b"\0"), pem._sequence(), pem._tlv(4, secret))
    passphrase = passphrase.encode("utf-8", "replace").decode()
    assert pem.decrypt(pem.encrypt(inner, passphrase), passphrase) == inner


def test_a_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "x.key").write_text("-----BEGIN PRIVATE KEY-----\n%%%\n-----END PRIVATE KEY-----\n")
    with pytest.raises(TrustError, match=r"x\.key cannot be used"):
        KeyStore(tmp_path, Passphrases({})).entries()
    assert os.listdir(tmp_path) == ["private"]


def test_signatures_are_64_raw_bytes() -> None:
    signature = PrivateKey.generate().sign(b"{}")
    assert len(base64.b64decode(signature.sig)) == 64
