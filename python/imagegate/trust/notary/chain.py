"""The chain of trust, checked: values in, values out, no I/O; the time is a parameter. (TUF 1.0, section 5.3.)

Every function raises NotTrusted when the answer is no.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from imagegate.errors import NotTrusted
from imagegate.trust.notary import keys
from imagegate.trust.notary.metadata import (
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    DelegationRole,
    Document,
    FileMeta,
    Key,
    Listing,
    Role,
    Root,
    S,
    Targets,
    parse_root,
    parse_snapshot,
    parse_targets,
    parse_time,
    parse_timestamp,
)

BASE_ROLES = (ROOT, TARGETS, SNAPSHOT, TIMESTAMP)


def signers(document: Document[S], known: Mapping[str, Key], role: Role | DelegationRole) -> frozenset[str]:
    """Return the plain ids of the role's keys that validly signed; one key under two names counts once."""
    found = set()
    for signature in document.signatures:
        key = known.get(signature.keyid)
        if signature.keyid not in role.keyids or key is None or keys.key_id(key) != signature.keyid:
            continue
        if keys.is_valid(signature, key, document.message):
            found.add(keys.plain_key_id(key))
    return frozenset(found)


def require_signed(document: Document[S], known: Mapping[str, Key], role: Role | DelegationRole, name: str) -> None:
    """Require valid signatures of at least as many different keys of the role as its threshold says."""
    if role.threshold < 1:
        raise NotTrusted(f"the role {name} is not safe", why=f"its threshold is {role.threshold}")
    count = len(signers(document, known, role))
    if count < role.threshold:
        raise NotTrusted(
            f"the {name} metadata is not validly signed",
            why=f"{count} valid signatures by keys of the role, {role.threshold} are needed",
        )


def require_fresh(expires: str, name: str, now: datetime) -> None:
    """Require that metadata has not expired."""
    if parse_time(expires) <= now:
        hint = (
            "The server hands out old metadata (a freeze), its signer is down, or this machine's clock is off."
            if name == TIMESTAMP
            else "Whoever holds the role's key has to publish again."
        )
        raise NotTrusted(f"the {name} metadata has expired", why=f"it was valid until {expires}", hint=hint)


def require_newer(version: int, known: int, name: str) -> None:
    """Require that a version is not older than one verified before."""
    if version < known:
        raise NotTrusted(
            f"the {name} metadata was rolled back",
            why=f"version {known} was verified before, the server has {version}",
            hint="Do not trust this server's data before it is clear why; it may have been restored from a backup.",
        )


def require_content(raw: bytes, meta: FileMeta, name: str) -> None:
    """Require that bytes are those that a snapshot or timestamp states."""
    if len(raw) != meta.length:
        raise NotTrusted(f"the {name} metadata is not what was signed", why=f"{len(raw)} bytes, not {meta.length}")
    if "sha256" not in meta.hashes:
        raise NotTrusted(f"the {name} metadata cannot be checked", why="no sha256 hash of it is signed")
    for algorithm in ("sha256", "sha512"):
        stated = meta.hashes.get(algorithm)
        if stated is not None and decode_hash(stated) != hashlib.new(algorithm, raw).digest():
            raise NotTrusted(
                f"the {name} metadata is not what was signed",
                why=f"it does not have the {algorithm} hash that the server signed",
                hint="If every client says so, a client that notary-server misreads published last: publish again.",
            )


def decode_hash(text: str) -> bytes:
    """Return a hash of the metadata, which is base64. Raises NotTrusted."""
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise NotTrusted("a hash in the metadata is malformed", why=f"{text[:100]!r} is not base64") from error


def check_root(raw: bytes) -> Document[Root]:
    """Return a root that is signed by its own keys; whether these are ours is for the caller to find out."""
    root = parse_root(raw)
    missing = [role for role in BASE_ROLES if role not in root.signed.roles]
    if missing:
        raise NotTrusted("the root metadata is malformed", why=f"no role {', '.join(missing)}")
    for name in BASE_ROLES:
        if root.signed.roles[name].threshold < 1:
            raise NotTrusted("the root metadata is not safe", why=f"the threshold of {name} is below 1")
    require_signed(root, root.signed.keys, root.signed.roles[ROOT], ROOT)
    return root


def check_next_root(raw: bytes, current: Document[Root]) -> Document[Root]:
    """Return the root that follows `current`: one version up, signed by its own keys and by those of `current`."""
    root = check_root(raw)
    if root.signed.version != current.signed.version + 1:
        require_newer(root.signed.version, current.signed.version + 1, ROOT)
        raise NotTrusted(
            "the chain of roots has a gap", why=f"version {root.signed.version} after {current.signed.version}"
        )
    require_signed(root, current.signed.keys, current.signed.roles[ROOT], ROOT)
    return root


def check_timestamp(
    raw: bytes, root: Document[Root], known: Document[Listing] | None, now: datetime
) -> Document[Listing]:
    """Return the timestamp. known: the one verified before."""
    timestamp = parse_timestamp(raw)
    require_signed(timestamp, root.signed.keys, root.signed.roles[TIMESTAMP], TIMESTAMP)
    if known:
        require_newer(timestamp.signed.version, known.signed.version, TIMESTAMP)
        if timestamp.signed.version == known.signed.version and timestamp.signed.meta != known.signed.meta:
            raise NotTrusted(
                "the server has two timestamps of one version", why="it shows different clients different data"
            )
    require_fresh(timestamp.signed.expires, TIMESTAMP, now)
    if SNAPSHOT not in timestamp.signed.meta:
        raise NotTrusted("the timestamp metadata is malformed", why="it names no snapshot")
    return timestamp


def check_snapshot(
    raw: bytes, root: Document[Root], timestamp: Document[Listing], known: int, now: datetime
) -> Document[Listing]:
    """Return the snapshot that the timestamp names. known: the version verified before, 0 for none."""
    require_content(raw, timestamp.signed.meta[SNAPSHOT], SNAPSHOT)
    snapshot = parse_snapshot(raw)
    require_signed(snapshot, root.signed.keys, root.signed.roles[SNAPSHOT], SNAPSHOT)
    require_newer(snapshot.signed.version, known, SNAPSHOT)
    require_fresh(snapshot.signed.expires, SNAPSHOT, now)
    for name in (ROOT, TARGETS):
        if name not in snapshot.signed.meta:
            raise NotTrusted("the snapshot metadata is malformed", why=f"it does not name {name}")
    return snapshot


def check_targets(
    raw: bytes,
    meta: FileMeta,
    authority: tuple[Mapping[str, Key], Role | DelegationRole],
    name: str,
    known: int,
    now: datetime,
) -> Document[Targets]:
    """Return the file of `targets` or of a delegation. meta: what the snapshot says of it; authority: keys and role;
    known: the version verified before, 0 for none.
    """
    require_content(raw, meta, name)
    document = parse_targets(raw, name)
    require_signed(document, *authority, name)
    require_newer(document.signed.version, known, name)
    require_fresh(document.signed.expires, name, now)
    return document


def delegation(parent: Document[Targets], name: str) -> tuple[Mapping[str, Key], DelegationRole] | None:
    """Return keys and role of a delegation as its parent states them, None when the parent does not delegate to it."""
    found = [role for role in parent.signed.delegations.roles if role.name == name]
    if len(found) > 1:
        raise NotTrusted(f"the role {name} is stated twice")
    return (parent.signed.delegations.keys, found[0]) if found else None


def parent_name(role: str) -> str:
    """Return the role that delegates to this one: `targets/a` for `targets/a/b`."""
    return role.rpartition("/")[0]


def allows(paths: Iterable[str], name: str) -> bool:
    """Return whether a delegation with these paths may sign a target of this name."""
    return any(name.startswith(path) for path in paths)
