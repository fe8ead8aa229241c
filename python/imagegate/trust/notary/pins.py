"""Whether a root that has never been seen may be trusted: pins, or trust on first use when asked for by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes

from imagegate.errors import ConfigError, NotTrusted
from imagegate.trust.notary import chain, keys
from imagegate.trust.notary.metadata import ROOT, Document, Key, Root

if TYPE_CHECKING:
    from cryptography import x509


def pins_for(gun: str, pins: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the pins of every glob that matches the repository."""
    return tuple(pin for glob, values in pins.items() if fnmatchcase(gun, glob) for pin in values)


def satisfies(root: Document[Root], pins: Sequence[str]) -> bool:
    """Return whether a key that one of the pins names has validly signed the root.

    A pin is the id of the root key as `notary key list` shows it, the id under which the root metadata has its
    certificate, the certificate's SHA-256 fingerprint, or a PEM file: the certificate itself, or a CA that issued it.
    Raises ConfigError for a file that cannot be read, NotTrusted.
    """
    role = root.signed.roles[ROOT]
    signed_by = chain.signers(root, root.signed.keys, role)
    signing = [
        (key_id, key)
        for key_id, key in root.signed.keys.items()
        if key_id in role.keyids and keys.plain_key_id(key) in signed_by
    ]
    return any(_matches(pin, key_id, key) for pin in pins for key_id, key in signing)


def _matches(pin: str, key_id: str, key: Key) -> bool:
    issued = keys.certificate(key) if key.keytype.endswith("-x509") else None
    wanted = pin.removeprefix("sha256:").replace(":", "").lower()
    if keys.is_key_id(wanted):
        fingerprint = issued.fingerprint(hashes.SHA256()).hex() if issued else ""
        return wanted in (key_id, keys.plain_key_id(key), fingerprint)
    return issued is not None and any(_issued_by(issued, ca) for ca in _read(pin))


def _read(file: str) -> list[x509.Certificate]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(Path(file).expanduser().read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"notary.pins: {file} is neither a key id nor a file of certificates",
            why=str(error),
            hint="A key id has 64 hexadecimal digits.",
        ) from error


def _issued_by(issued: x509.Certificate, pinned: x509.Certificate) -> bool:
    from cryptography import x509

    if issued == pinned:
        return True
    try:
        if not pinned.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        issued.verify_directly_issued_by(pinned)
    except (x509.ExtensionNotFound, InvalidSignature, ValueError, TypeError):
        return False
    return True


def require_named(root: Document[Root], gun: str, now: datetime) -> None:
    """Require that a root seen for the first time has valid certificates for this repository, as notary does."""
    for key_id in root.signed.roles[ROOT].keyids:
        key = root.signed.keys.get(key_id)
        if key is None or not key.keytype.endswith("-x509"):
            continue
        issued = keys.certificate(key)
        names = keys.common_names(issued)
        if not any(name == gun or (name.endswith("*") and gun.startswith(name[:-1])) for name in names):
            continue
        if issued.not_valid_before_utc <= now < issued.not_valid_after_utc:
            return
    raise NotTrusted(
        f"the root of {gun} is not for this repository", why="none of its certificates names it and is valid now"
    )


def refusal(root: Document[Root], gun: str, pinned: bool) -> NotTrusted:
    """Return the error for a root that nothing vouches for, with the ids that the reader can compare and pin."""
    known = root.signed.keys
    ids = ", ".join(keys.plain_key_id(known[key_id]) for key_id in root.signed.roles[ROOT].keyids if key_id in known)
    if pinned:
        return NotTrusted(f"the root of {gun} is not the pinned one", why=f"the server's root is signed by key {ids}")
    return NotTrusted(
        f"the root of {gun} is not known here",
        why=f"it is signed by key {ids}, and no pin names it",
        hint=f'If that is the root key (compare with "notary key list"), pin it: notary.pins: {{"{gun}": [{ids}]}}.',
    )


def is_pinned(key_id: str, pins: Sequence[str]) -> bool:
    """Return whether a pin names this key id."""
    return key_id in {pin.removeprefix("sha256:").lower() for pin in pins}
