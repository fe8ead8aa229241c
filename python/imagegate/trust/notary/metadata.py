"""The metadata files of a Notary repository, read and written byte for byte as notary-server does.

The server keeps the bytes it is given but hashes its own serialisation of them, so a file in any other form than
`{"signed":<canonical>,"signatures":[...]}` is accepted and can then never be read. Parsing therefore takes only that
one form: it also leaves no room for duplicate keys, unknown fields, and values that can be written in two ways.
(TUF 1.0, section 4, in the dialect of github.com/theupdateframework/notary/tuf/data.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from imagegate.errors import NotTrusted
from imagegate.trust.notary import canonical

ROOT, TARGETS, SNAPSHOT, TIMESTAMP = "root", "targets", "snapshot", "timestamp"
RELEASES = "targets/releases"

Natural = Annotated[int, msgspec.Meta(ge=0)]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class KeyValue(_Part, frozen=True):
    """public: base64 of the SubjectPublicKeyInfo DER, or of the PEM certificate for the `-x509` types."""

    private: None
    public: str


class Key(_Part, frozen=True):
    """A public key. keytype: `ecdsa`, `ecdsa-x509`, `rsa`, `rsa-x509`, `ed25519`."""

    keytype: str
    keyval: KeyValue


class Role(_Part, frozen=True):
    """How many of which keys must sign."""

    keyids: tuple[str, ...]
    threshold: int


class DelegationRole(_Part, frozen=True, omit_defaults=True):
    """A delegated role. paths: prefixes of the target names that it may sign; `""` is every name."""

    keyids: tuple[str, ...]
    name: str
    threshold: int
    paths: tuple[str, ...] = ()


class Delegations(_Part, frozen=True):
    """The roles that a targets role delegates to, and their keys."""

    keys: dict[str, Key] = {}
    roles: tuple[DelegationRole, ...] = ()


class FileMeta(_Part, frozen=True):
    """A file or a target. hashes: algorithm to base64 digest; length: bytes."""

    hashes: dict[str, str]
    length: Natural
    custom: Any = msgspec.UNSET


class Root(_Part, frozen=True):
    """The root of trust: all keys, and the roles they sign."""

    type: str = msgspec.field(name="_type")
    consistent_snapshot: bool
    expires: str
    keys: dict[str, Key]
    roles: dict[str, Role]
    version: Natural


class Targets(_Part, frozen=True):
    """What is signed, by `targets` or by a delegation."""

    type: str = msgspec.field(name="_type")
    delegations: Delegations
    expires: str
    targets: dict[str, FileMeta]
    version: Natural


class Listing(_Part, frozen=True):
    """A snapshot or a timestamp: hashes of other files."""

    type: str = msgspec.field(name="_type")
    expires: str
    meta: dict[str, FileMeta]
    version: Natural


class Signature(_Part, frozen=True):
    """sig: base64; of raw r and s for `ecdsa`."""

    keyid: str
    method: str
    sig: str


S = TypeVar("S", Root, Targets, Listing)


@dataclass(frozen=True)
class Document(Generic[S]):
    """A parsed file. raw: the whole; message: the canonical bytes of `signed`, which the signatures are over."""

    signed: S
    signatures: tuple[Signature, ...]
    message: bytes
    raw: bytes


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    signed: msgspec.Raw
    signatures: tuple[Signature, ...]


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_ROOT = msgspec.json.Decoder(Root)
_TARGETS = msgspec.json.Decoder(Targets)
_LISTING = msgspec.json.Decoder(Listing)


def parse_root(raw: bytes) -> Document[Root]:
    """Parse a root file. Raises NotTrusted for anything but its one serialisation."""
    return _parse(raw, ROOT, _ROOT, "Root")


def parse_targets(raw: bytes, role: str = TARGETS) -> Document[Targets]:
    """Parse the file of `targets` or a delegation. Raises NotTrusted."""
    return _parse(raw, role, _TARGETS, "Targets")


def parse_snapshot(raw: bytes) -> Document[Listing]:
    """Parse a snapshot file. Raises NotTrusted."""
    return _parse(raw, SNAPSHOT, _LISTING, "Snapshot")


def parse_timestamp(raw: bytes) -> Document[Listing]:
    """Parse a timestamp file. Raises NotTrusted."""
    return _parse(raw, TIMESTAMP, _LISTING, "Timestamp")


def _parse(raw: bytes, name: str, decoder: msgspec.json.Decoder[S], kind: str) -> Document[S]:
    try:
        envelope = _ENVELOPE.decode(raw)
        signed = decoder.decode(envelope.signed)
        message = canonical.encode(signed)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise NotTrusted(f"the {name} metadata is malformed", why=str(error)) from error
    if signed.type != kind:
        raise NotTrusted(f"the {name} metadata is malformed", why=f"its type is {signed.type[:40]!r}, not {kind!r}")
    if serialise(message, envelope.signatures) != raw:
        raise NotTrusted(
            f"the {name} metadata is malformed",
            why="it is not written in canonical form",
            hint="A client other than notary, docker or imagegate published it; publish it again with one of these.",
        )
    parse_time(signed.expires)
    return Document(signed, envelope.signatures, message, raw)


def serialise(message: bytes, signatures: tuple[Signature, ...]) -> bytes:
    """Return the file of a canonical message and its signatures, as notary-server writes it."""
    return b'{"signed":' + message + b',"signatures":' + canonical.encode(signatures) + b"}"


_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)


def parse_time(text: str) -> datetime:
    """Return an `expires`, RFC 3339 in UTC, cut to microseconds. Raises NotTrusted."""
    match = _TIME.fullmatch(text)
    try:
        if not match:
            raise ValueError(text)
        fraction = (match[2] or "0")[:6].ljust(6, "0")
        return datetime.fromisoformat(match[1]).replace(microsecond=int(fraction), tzinfo=UTC)
    except ValueError as error:
        raise NotTrusted("metadata is malformed", why=f"{text[:40]!r} is not a time in UTC") from error


def format_time(moment: datetime) -> str:
    """Return a moment in whole seconds and `Z`: the server drops trailing zeros of a fraction, which breaks hashes."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
