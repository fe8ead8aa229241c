"""What to publish so that targets are signed: values in, values out; the time is a parameter."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from imagegate.errors import TagConflict, TrustError
from imagegate.model import Target
from imagegate.trust.notary import canonical
from imagegate.trust.notary.keys import ROOT_LIFE, PrivateKey, key_id
from imagegate.trust.notary.metadata import (
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    DelegationRole,
    Delegations,
    Document,
    FileMeta,
    Key,
    Listing,
    Role,
    Root,
    Targets,
    format_time,
    parse_time,
    serialise,
)
from imagegate.trust.notary.state import TrustState
from imagegate.trust.signing import superseded_name

TARGETS_LIFE = timedelta(days=3 * 365)
RENEW_BEFORE = timedelta(days=180)
"""Metadata that has less left to live is signed anew even when nothing changes, as notary does."""

SigningKey = tuple[PrivateKey, str]
"""A private key, and the id by which the role knows it."""


def initial_root(gun_key: Key, targets: Key, snapshot: Key, timestamp: Key, now: datetime) -> Root:
    """Return version 1 of a root. gun_key: the root key's certificate for the repository."""
    named = {ROOT: gun_key, TARGETS: targets, SNAPSHOT: snapshot, TIMESTAMP: timestamp}
    return Root(
        "Root",
        consistent_snapshot=False,
        expires=format_time(now + ROOT_LIFE),
        keys={key_id(key): key for key in named.values()},
        roles={name: Role((key_id(key),), 1) for name, key in named.items()},
        version=1,
    )


def empty_targets(now: datetime) -> Targets:
    """Return a targets file before its first version."""
    return Targets("Targets", Delegations(), format_time(now + TARGETS_LIFE), {}, 0)


def next_targets(
    current: Targets, additions: Iterable[Target], now: datetime, delegations: Delegations | None = None
) -> Targets:
    """Return the version after `current`, with the additions; what is there stays."""
    return Targets(
        "Targets",
        current.delegations if delegations is None else delegations,
        format_time(now + TARGETS_LIFE),
        {**current.targets, **{target.name: _file_meta(target) for target in additions}},
        current.version + 1,
    )


def _file_meta(target: Target) -> FileMeta:
    return FileMeta({"sha256": base64.b64encode(bytes.fromhex(target.digest[7:])).decode()}, target.length)


def delegate(current: Delegations, roles: Iterable[str], key: Key) -> Delegations:
    """Return delegations in which each of the roles exists, for all names, and has the key."""
    named = {role.name: role for role in current.roles}
    own = key_id(key)
    for name in roles:
        role = named.get(name, DelegationRole((), name, 1, ("",)))
        if own not in role.keyids:
            named[name] = msgspec.structs.replace(role, keyids=(*role.keyids, own))
    return Delegations({**current.keys, own: key}, tuple(named.values()))


def next_snapshot(current: Listing, files: Mapping[str, bytes], now: datetime) -> Listing:
    """Return the snapshot for changed files: where the repository's own key signs it, and not the server's."""
    meta = {
        name: FileMeta(
            {kind: base64.b64encode(hashlib.new(kind, raw).digest()).decode() for kind in ("sha256", "sha512")},
            len(raw),
        )
        for name, raw in files.items()
    }
    expires = format_time(now + TARGETS_LIFE)
    return Listing("Snapshot", expires, {**current.meta, **meta}, current.version + 1)


def sign(signed: Root | Targets | Listing, keys: Iterable[SigningKey]) -> bytes:
    """Return the file of signed metadata."""
    message = canonical.encode(signed)
    return serialise(message, tuple(key.sign(message, name) for key, name in keys))


def plan(
    state: TrustState | None,
    signing: Sequence[str],
    trusted: Sequence[str],
    targets: Sequence[Target],
    *,
    replace: bool,
    now: datetime,
) -> dict[str, tuple[Target, ...]]:
    """Return what each signing role has to add; a role that is to be signed anew without additions has none.

    trusted: the roles that consumers look at, in order. Raises TagConflict, TrustError.
    """
    additions: dict[str, tuple[Target, ...]] = {}
    if state:
        _refuse_hidden(state, signing, trusted, targets, replace)
    for role in signing:
        new = [new for target in targets for new in _additions(state, role, target, replace)]
        current = state.roles.get(role) if state else None
        if new or current is None or _ends_soon(current, now):
            additions[role] = tuple(new)
    return additions


def _additions(state: TrustState | None, role: str, target: Target, replace: bool) -> list[Target]:
    present = state.digest(role, target.name) if state else None
    if present == target:
        return []
    if present is None or present.digest == target.digest:
        return [target]
    if not replace:
        raise _conflict(target, present, role)
    return [Target(superseded_name(present), present.digest, present.length), target]


def _refuse_hidden(
    state: TrustState, signing: Sequence[str], trusted: Sequence[str], targets: Sequence[Target], replace: bool
) -> None:
    """Refuse to sign what a consumer would not see, because a role that is looked at before says something else."""
    for target in targets:
        for role in trusted:
            if role in signing:
                break
            present = state.digest(role, target.name)
            if present and present.digest != target.digest:
                if not replace:
                    raise _conflict(target, present, role)
                raise TrustError(
                    f"{target.name} cannot be signed as {target.digest}",
                    why=f"{role}, which is looked at first, signs it as {present.digest}",
                    hint="Sign with that role: set notary.signer.",
                )


def _conflict(target: Target, present: Target, role: str) -> TagConflict:
    return TagConflict(
        f"{target.name} is signed already",
        why=f"{role} signs it as {present.digest}, this is {target.digest}",
        hint="Choose another tag, or ask for it by name with --overwrite-tag.",
    )


def _ends_soon(document: Document[Targets], now: datetime) -> bool:
    return parse_time(document.signed.expires) - now < RENEW_BEFORE
