"""Public and private keys: ids, certificates, signing, checking. (notary/tuf/data/keys.go, tuf/signed/verifiers.go)"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import warnings
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from imagegate.errors import NotTrusted, TrustError
from imagegate.trust.notary import canonical
from imagegate.trust.notary.metadata import Key, KeyValue, Signature

if TYPE_CHECKING:
    from cryptography import x509  # 0.02 s, and not needed where the root is known and not pinned

ROOT_LIFE = timedelta(days=3650)
_P256_BYTES = 32


def key_id(key: Key) -> str:
    """Return the id of a key: SHA-256, in hex, over its canonical JSON."""
    return hashlib.sha256(canonical.encode(key)).hexdigest()


def plain_key_id(key: Key) -> str:
    """Return the id of the key inside a certificate, by which its private key's file is named."""
    if not key.keytype.endswith("-x509"):
        return key_id(key)
    return key_id(_plain(certificate(key), key.keytype.removesuffix("-x509")))


def certificate(key: Key) -> x509.Certificate:
    """Return the certificate of an `-x509` key. Raises NotTrusted."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(base64.b64decode(key.keyval.public, validate=True))
    except (ValueError, binascii.Error) as error:
        raise NotTrusted("a key in the metadata is malformed", why="it is no PEM certificate") from error


def common_names(issued: x509.Certificate) -> list[str]:
    """Return the common names of a certificate's subject; for a root's, the repository."""
    from cryptography.x509.oid import NameOID

    with warnings.catch_warnings(action="ignore"):  # about names over 64 characters, as long repositories have
        return [str(name.value) for name in issued.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]


def certificate_key(issued: x509.Certificate) -> Key:
    """Return a certificate as the key that metadata holds."""
    pem = issued.public_bytes(serialization.Encoding.PEM)
    kind = "ecdsa" if isinstance(issued.public_key(), ec.EllipticCurvePublicKey) else "rsa"
    return Key(f"{kind}-x509", KeyValue(None, base64.b64encode(pem).decode()))


def _plain(issued: x509.Certificate, kind: str) -> Key:
    der = issued.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Key(kind, KeyValue(None, base64.b64encode(der).decode()))


def is_valid(signature: Signature, key: Key, message: bytes) -> bool:
    """Return whether the signature over a canonical message is by this key. Raises NotTrusted for an unusable key."""
    try:
        sig = base64.b64decode(signature.sig, validate=True)
    except (ValueError, binascii.Error):
        return False
    kind = key.keytype.removesuffix("-x509")
    try:
        if key.keytype.endswith("-x509"):
            public: object = certificate(key).public_key()
        elif kind == "ed25519":
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

            public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.keyval.public, validate=True))
        else:
            public = serialization.load_der_public_key(base64.b64decode(key.keyval.public, validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NotTrusted("a key in the metadata is malformed", why=f"it is no {key.keytype[:20]} key") from error
    try:
        _check(public, kind, signature.method, sig, message)
    except InvalidSignature:
        return False
    return True


def _check(public: object, kind: str, method: str, sig: bytes, message: bytes) -> None:
    if kind == "ecdsa" and method == "ecdsa" and isinstance(public, ec.EllipticCurvePublicKey):
        half = (public.curve.key_size + 7) // 8
        if len(sig) != 2 * half:
            raise InvalidSignature
        r, s = int.from_bytes(sig[:half], "big"), int.from_bytes(sig[half:], "big")
        return public.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    if kind == "rsa":
        return _check_rsa(public, method, sig, message)
    if kind == "ed25519" and method == "eddsa":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        if isinstance(public, Ed25519PublicKey):
            return public.verify(sig, message)
    raise InvalidSignature


def _check_rsa(public: object, method: str, sig: bytes, message: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    pss = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size)
    paddings: dict[str, padding.AsymmetricPadding] = {"rsapss": pss, "rsapkcs1v15": padding.PKCS1v15()}
    if not isinstance(public, rsa.RSAPublicKey) or method not in paddings or public.key_size < 2048:
        raise InvalidSignature
    public.verify(sig, message, paddings[method], hashes.SHA256())


class PrivateKey:
    """An ECDSA P-256 private key. Its repr tells the id only."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.public = Key("ecdsa", KeyValue(None, base64.b64encode(der).decode()))
        self.key_id = key_id(self.public)

    def __repr__(self) -> str:
        return f"PrivateKey({self.key_id})"

    @classmethod
    def generate(cls) -> PrivateKey:
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_der(cls, der: bytes) -> PrivateKey:
        """Load unencrypted PKCS#8 or SEC1. Raises TrustError for other kinds of key, ValueError for no key."""
        key = serialization.load_der_private_key(der, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise TrustError(
                "the private key cannot be used", why="it is not an ECDSA P-256 key", hint="Make one with notary."
            )
        return cls(key)

    def to_der(self) -> bytes:
        """Return unencrypted PKCS#8."""
        return self._key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(self, message: bytes, as_key: str = "") -> Signature:
        """Sign a canonical message. as_key: the id under which the role knows this key, e.g. its certificate's."""
        r, s = decode_dss_signature(self._key.sign(message, ec.ECDSA(hashes.SHA256())))
        raw = r.to_bytes(_P256_BYTES, "big") + s.to_bytes(_P256_BYTES, "big")
        return Signature(as_key or self.key_id, "ecdsa", base64.b64encode(raw).decode())

    def certify(self, gun: str, now: datetime) -> Key:
        """Return a self-signed certificate for code signing of a repository, as root keys have them."""
        from cryptography import x509
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

        # A GUN may be longer than the 64 characters that X.520 gives a common name; Go does not mind.
        with warnings.catch_warnings(action="ignore"):
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gun, _validate=False)])
        usage = x509.KeyUsage(True, False, True, False, False, False, False, False, False)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + ROOT_LIFE)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return certificate_key(made)


_HEX_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)


def is_key_id(text: str) -> bool:
    """Return whether text has the form of a key id or a certificate's SHA-256 fingerprint."""
    return bool(_HEX_ID.fullmatch(text))
