"""Key files as notary and docker write them: PEM with headers, PKCS#8 encrypted by PBES2.

Neither side reads the other's usual form: docker knows PBKDF2 with HMAC-SHA1 only, which `cryptography` does not write,
and it writes a PKCS#8 of version 1, which `cryptography` refuses. So the container is taken apart here.
(RFC 5958, RFC 8018.)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from imagegate.errors import TrustError

ENCRYPTED = "ENCRYPTED PRIVATE KEY"
_ITERATIONS = 2048  # what docker writes
_MAX_ITERATIONS = 10_000_000
_PBES2 = bytes.fromhex("2a864886f70d01050d")
_PBKDF2 = bytes.fromhex("2a864886f70d01050c")
_AES_CBC = {bytes.fromhex("60864801650304012a"): 32, bytes.fromhex("608648016503040102"): 16}
_AES_256_CBC = next(iter(_AES_CBC))
_PRF = {bytes.fromhex("2a864886f70d0207"): "sha1", bytes.fromhex("2a864886f70d0209"): "sha256"}
_SEQUENCE, _INTEGER, _OCTETS, _OID = 0x30, 0x02, 0x04, 0x06


class WrongPassphrase(TrustError):
    """The passphrase does not open the key."""


class Pem(msgspec.Struct, frozen=True):
    """A PEM block. label: e.g. `ENCRYPTED PRIVATE KEY`; headers: `role` and `gun`."""

    label: str
    headers: dict[str, str]
    der: bytes

    def __repr__(self) -> str:
        return f"Pem({self.label}, {self.headers})"


_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\r?\n(.*?)-----END \1-----", re.DOTALL)


def parse(text: str) -> Pem:
    """Parse the first PEM block that holds a private key. Raises TrustError."""
    match = next((found for found in _BLOCK.finditer(text) if found[1].endswith("PRIVATE KEY")), None)
    if not match:
        raise TrustError("the key file is malformed", why="it has no PEM block of a private key")
    lines = match[2].splitlines()
    headers = {}
    while lines and ":" in lines[0]:
        name, _, value = lines.pop(0).partition(":")
        headers[name.strip().lower()] = value.strip()
    try:
        return Pem(match[1], headers, base64.b64decode("".join(lines).replace(" ", ""), validate=True))
    except binascii.Error as error:
        raise TrustError("the key file is malformed", why="its PEM block is not base64") from error


def format_pem(pem: Pem) -> str:
    """Return the text of a PEM block, headers in docker's order."""
    body = base64.b64encode(pem.der).decode()
    lines = [f"{name}: {value}" for name, value in sorted(pem.headers.items())]
    lines += [""] if lines else []
    lines += [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {pem.label}-----", *lines, f"-----END {pem.label}-----", ""])


def encrypt(pkcs8: bytes, passphrase: str) -> bytes:
    """Return an EncryptedPrivateKeyInfo that docker and notary read."""
    salt, iv = secrets.token_bytes(8), secrets.token_bytes(16)
    # SHA-1 as HMAC in PBKDF2 is docker's only choice; its collisions do not matter there.
    key = hashlib.pbkdf2_hmac("sha1", passphrase.encode(), salt, _ITERATIONS, 32)
    padding = 16 - len(pkcs8) % 16
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    secret = encryptor.update(pkcs8 + bytes([padding]) * padding) + encryptor.finalize()
    derivation = _sequence(
        _tlv(_OID, _PBKDF2), _sequence(_tlv(_OCTETS, salt), _tlv(_INTEGER, _ITERATIONS.to_bytes(2, "big")))
    )
    scheme = _sequence(_tlv(_OID, _AES_256_CBC), _tlv(_OCTETS, iv))
    return _sequence(_sequence(_tlv(_OID, _PBES2), _sequence(derivation, scheme)), _tlv(_OCTETS, secret))


def decrypt(der: bytes, passphrase: str) -> bytes:
    """Return the PKCS#8, of version 0, that is in an EncryptedPrivateKeyInfo.

    Raises WrongPassphrase, TrustError (malformed, or encrypted in a way that neither docker nor notary uses).
    """
    try:
        salt, iterations, prf, size, iv, secret = _take_apart(der)
        key = hashlib.pbkdf2_hmac(prf, passphrase.encode(), salt, iterations, size)
        decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
        plain = decryptor.update(secret) + decryptor.finalize()
    except (ValueError, IndexError, KeyError) as error:
        raise TrustError("the key file is malformed or encrypted in an unknown way") from error
    padding = plain[-1] if plain else 0
    if not 1 <= padding <= 16 or plain[-padding:] != bytes([padding]) * padding:
        raise WrongPassphrase("the passphrase is wrong")
    try:
        inner, _ = _children(plain[:-padding], _SEQUENCE)
        if inner[0][0] != _INTEGER or len(inner[0][1]) != 1 or len(inner) < 3:
            raise ValueError
        # Version 1 promises an attribute that Go does not write; apart from that it is version 0.
        return _sequence(_tlv(_INTEGER, b"\0"), *(_tlv(tag, content) for tag, content in inner[1:3]))
    except (ValueError, IndexError) as error:
        raise WrongPassphrase("the passphrase is wrong") from error


def _take_apart(der: bytes) -> tuple[bytes, int, str, int, bytes, bytes]:
    (algorithm, (_, secret)), _ = _children(der, _SEQUENCE)
    (scheme, parameters), _ = _children(_tlv(*algorithm), _SEQUENCE)
    (derivation, cipher), _ = _children(_tlv(*parameters), _SEQUENCE)
    (function, settings), _ = _children(_tlv(*derivation), _SEQUENCE)
    (aes, (_, iv)), _ = _children(_tlv(*cipher), _SEQUENCE)
    values, _ = _children(_tlv(*settings), _SEQUENCE)
    if scheme[1] != _PBES2 or function[1] != _PBKDF2:
        raise ValueError("not PBES2 with PBKDF2")
    prf = next((_children(_tlv(*value), _SEQUENCE)[0][0][1] for value in values[2:] if value[0] == _SEQUENCE), None)
    iterations = int.from_bytes(values[1][1], "big")
    if not 1 <= iterations <= _MAX_ITERATIONS:
        raise ValueError("absurd iterations")
    return values[0][1], iterations, _PRF[prf] if prf else "sha1", _AES_CBC[aes[1]], iv, secret


def _read(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Return (tag, content, where the next element starts). (X.690, 8.1, definite lengths.)"""
    tag, length, at = data[at], data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4:
            raise ValueError("bad DER length")
        length, at = int.from_bytes(data[at : at + count], "big"), at + count
    if at + length > len(data):
        raise ValueError("truncated DER")
    return tag, data[at : at + length], at + length


def _children(data: bytes, tag: int) -> tuple[list[tuple[int, bytes]], int]:
    found, content, end = _read(data, 0)
    if found != tag or end != len(data):
        raise ValueError("unexpected DER")
    children, at = [], 0
    while at < len(content):
        child, value, at = _read(content, at)
        children.append((child, value))
    return children, end


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _tlv(_SEQUENCE, b"".join(parts))
