"""Signatures by each kind of key that Notary's metadata may hold."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from imagegate.errors import NotTrusted
from imagegate.trust.notary.keys import is_valid
from imagegate.trust.notary.metadata import Key, KeyValue, Signature

MESSAGE = b'{"version":1}'
RSA = rsa.generate_private_key(65537, 2048)
P384 = ec.generate_private_key(ec.SECP384R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)


def public(private: Any) -> str:
    if isinstance(private, ed25519.Ed25519PrivateKey):
        raw = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    else:
        raw = private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    return base64.b64encode(raw).decode()


def raw_ecdsa(message: bytes) -> bytes:
    r, s = decode_dss_signature(P384.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(48, "big") + s.to_bytes(48, "big")


Sign = Callable[[bytes], bytes]
KINDS: dict[str, tuple[str, Any, str, Sign]] = {
    "rsapss": ("rsa", RSA, "rsapss", lambda message: RSA.sign(message, PSS, hashes.SHA256())),
    "pkcs1": ("rsa", RSA, "rsapkcs1v15", lambda message: RSA.sign(message, padding.PKCS1v15(), hashes.SHA256())),
    "eddsa": ("ed25519", ED25519, "eddsa", ED25519.sign),
    "p384": ("ecdsa", P384, "ecdsa", raw_ecdsa),
}


def valid(kind: str, private: Any, method: str, sig: bytes, message: bytes = MESSAGE) -> bool:
    return is_valid(
        Signature("id", method, base64.b64encode(sig).decode()), Key(kind, KeyValue(None, public(private))), message
    )


@pytest.mark.parametrize("name", KINDS)
def test_a_right_signature_counts_and_a_wrong_one_does_not(name: str) -> None:
    kind, private, method, sign = KINDS[name]
    sig = sign(MESSAGE)
    assert valid(kind, private, method, sig)
    assert not valid(kind, private, method, sig, MESSAGE + b" ")
    assert not valid(kind, private, method, sig[:-1] + bytes([sig[-1] ^ 1]))
    assert not valid(kind, private, method, b"")


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("method", ["none", "", "ecdsa", "rsapss", "rsapkcs1v15", "eddsa"])
def test_a_method_that_is_not_the_signatures_own_does_not_count(name: str, method: str) -> None:
    kind, private, own, sign = KINDS[name]
    assert valid(kind, private, method, sign(MESSAGE)) is (method == own)


def test_an_rsa_key_that_is_too_short_does_not_count() -> None:
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - short on purpose
    assert not valid("rsa", short, "rsapss", short.sign(MESSAGE, PSS, hashes.SHA256()))


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519", "ecdsa-x509", "rsa-x509", "unknown"])
@pytest.mark.parametrize("what", [b"", b"nothing", dsa.generate_private_key(2048)])
def test_a_key_that_is_none_is_refused_or_does_not_count(kind: str, what: Any) -> None:
    value = base64.b64encode(what).decode() if isinstance(what, bytes) else public(what)
    signature = Signature("id", "ecdsa", base64.b64encode(b"1" * 64).decode())
    try:
        assert not is_valid(signature, Key(kind, KeyValue(None, value)), MESSAGE)
    except NotTrusted as error:
        assert "malformed" in str(error)  # noqa: PT017 - either is right


def test_a_curve_that_is_not_supported_is_told() -> None:
    """An elliptic curve key whose curve is named by an object identifier that nobody knows."""
    der = bytearray(base64.b64decode(public(P384)))
    oid = der.index(bytes.fromhex("06052b81040022"))
    der[oid + 6] = 0x7F
    key = Key("ecdsa", KeyValue(None, base64.b64encode(der).decode()))
    with pytest.raises(NotTrusted, match="malformed"):
        is_valid(Signature("id", "ecdsa", base64.b64encode(b"1" * 96).decode()), key, MESSAGE)
