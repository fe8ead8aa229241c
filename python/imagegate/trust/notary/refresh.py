"""Fetches a repository's metadata and has it checked, from the trusted root down to the roles that are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

from imagegate.errors import NotTrusted, TrustError
from imagegate.trust.notary import chain, pins
from imagegate.trust.notary.cache import Remembered, TrustCache
from imagegate.trust.notary.client import MAX_FILE, NotaryClient
from imagegate.trust.notary.metadata import (
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    Document,
    FileMeta,
    Listing,
    Root,
    Targets,
    parse_root,
    parse_timestamp,
)
from imagegate.trust.notary.state import TrustState

_SMALL = 1024**2
_MAX_ROOTS = 200


class TrustReader:
    """Reads one repository. pins: what vouches for a root; trust_on_first_use: trust the first one that is seen."""

    def __init__(
        self, client: NotaryClient, cache: TrustCache, gun: str, *, pinned: Sequence[str], trust_on_first_use: bool
    ) -> None:
        self._client, self._cache, self._gun = client, cache, gun
        self._pinned, self._trust_on_first_use = tuple(pinned), trust_on_first_use

    def refresh(self, roles: Iterable[str], now: datetime, *, everyone: bool = False) -> TrustState | None:
        """Return what the server has now, verified; None for a repository without trust data that never had any.

        roles: delegations to load besides `targets`; one that exists must verify. everyone: look at the other
        delegations of `targets` too, for who else signed. Raises NotTrusted, TrustError, NetworkError.
        """
        remembered = self._cache.load(self._gun)
        if remembered:
            anchor, root = remembered.anchor, self._known_root(remembered)
        else:
            first = self._first_root(now)
            if first is None:
                return None
            anchor, root = first
        load = partial(self._load, remembered=remembered, wanted=tuple(roles), everyone=everyone, now=now)
        try:
            state = load(root)
        except NotTrusted:
            # Keys may have been rotated since; only a root that follows from ours can tell.
            newer = self._follow(root)
            if newer.signed.version == root.signed.version:
                raise
            state = load(newer)
        self._remember(anchor, state, remembered)
        return state

    def _known_root(self, remembered: Remembered) -> Document[Root]:
        # It was checked before it was remembered, and whoever can write the cache can as well replace the anchor in it.
        root = parse_root(remembered.files[ROOT])
        if not self._pinned or pins.satisfies(root, self._pinned):
            return root
        if pins.satisfies(chain.check_root(remembered.anchor), self._pinned):
            return root
        refusal = pins.refusal(root, self._gun, pinned=True)
        refusal.hint = f"If the pin is right, remove what is remembered: {self._cache.path(self._gun)}."
        raise refusal

    def _first_root(self, now: datetime) -> tuple[bytes, Document[Root]] | None:
        """Return the root to trust first and the current one, which follows from it; None when there is none."""
        raw = self._client.fetch(self._gun, "root.json", _SMALL)
        if raw is None:
            return None
        root = chain.check_root(raw)
        if not self._pinned:
            if not self._trust_on_first_use:
                raise pins.refusal(root, self._gun, pinned=False)
            pins.require_named(root, self._gun, now)
            return raw, root
        older: Document[Root] | None = root
        for version in range(root.signed.version - 1, max(root.signed.version - _MAX_ROOTS, -1), -1):
            if older is None or pins.satisfies(older, self._pinned):
                break
            before = self._client.fetch(self._gun, f"{version}.root.json", _SMALL) if version else None
            older = chain.check_root(before) if before is not None else None
        if older is None or not pins.satisfies(older, self._pinned):
            raise pins.refusal(root, self._gun, pinned=True)
        pins.require_named(older, self._gun, now)
        return older.raw, self._follow(older)

    def _follow(self, root: Document[Root]) -> Document[Root]:
        """Return the newest root that follows from this one, each signed by the one before."""
        for _ in range(_MAX_ROOTS):
            raw = self._client.fetch(self._gun, f"{root.signed.version + 1}.root.json", _SMALL)
            if raw is None:
                return root
            root = chain.check_next_root(raw, root)
        raise NotTrusted(f"{self._gun} has too many roots", why=f"more than {_MAX_ROOTS} rotations")

    def _load(
        self,
        root: Document[Root],
        remembered: Remembered | None,
        wanted: tuple[str, ...],
        everyone: bool,
        now: datetime,
    ) -> TrustState:
        versions = remembered.versions if remembered else {}
        raw = self._client.fetch(self._gun, "timestamp.json", _SMALL)
        if raw is None:
            raise NotTrusted(
                f"the Notary server no longer has the trust data of {self._gun}",
                why="it was verified here before" if remembered else "it has a root, but no timestamp",
                hint=f"If it was deleted on purpose, remove {self._cache.path(self._gun)}.",
            )
        known = parse_timestamp(remembered.files[TIMESTAMP]) if remembered else None
        timestamp = chain.check_timestamp(raw, root, known, now)
        raw = self._file(SNAPSHOT, timestamp.signed.meta[SNAPSHOT], remembered)
        snapshot = chain.check_snapshot(raw, root, timestamp, versions.get(SNAPSHOT, 0), now)
        chain.require_content(root.raw, snapshot.signed.meta[ROOT], ROOT)
        chain.require_fresh(root.signed.expires, ROOT, now)
        raw = self._file(TARGETS, snapshot.signed.meta[TARGETS], remembered)
        authority = (root.signed.keys, root.signed.roles[TARGETS])
        meta = snapshot.signed.meta[TARGETS]
        targets = chain.check_targets(raw, meta, authority, TARGETS, versions.get(TARGETS, 0), now)
        state = TrustState(root, timestamp, snapshot, {TARGETS: targets})
        for role in sorted({part for name in wanted for part in _ancestry(name)}, key=lambda name: name.count("/")):
            self._load_delegation(state, role, remembered, now)
        if everyone:
            self._load_everyone(state, remembered, now)
        return state

    def _load_delegation(self, state: TrustState, role: str, remembered: Remembered | None, now: datetime) -> None:
        """Add a delegation to the state, unless there is none or it has signed nothing yet."""
        parent = state.roles.get(chain.parent_name(role))
        authority = chain.delegation(parent, role) if parent else None
        meta = state.snapshot.signed.meta.get(role)
        if authority and meta:
            raw = self._file(role, meta, remembered)
            version = remembered.versions.get(role, 0) if remembered else 0
            state.roles[role] = chain.check_targets(raw, meta, authority, role, version, now)

    def _load_everyone(self, state: TrustState, remembered: Remembered | None, now: datetime) -> None:
        for role in {delegated.name for delegated in state.targets.signed.delegations.roles} - set(state.roles):
            if chain.parent_name(role) == TARGETS:
                try:
                    self._load_delegation(state, role, remembered, now)
                except NotTrusted as error:
                    state.rejected[role] = error

    def _file(self, role: str, meta: FileMeta, remembered: Remembered | None) -> bytes:
        """Return the file of this hash, from memory when it is there. The caller checks it."""
        kept = remembered.files.get(role) if remembered else None
        if kept is not None:
            try:
                chain.require_content(kept, meta, role)
            except NotTrusted:
                pass
            else:
                return kept
        digest = chain.decode_hash(meta.hashes.get("sha256", "")).hex()
        raw = self._client.fetch(self._gun, f"{role}.{digest}.json", min(meta.length, MAX_FILE))
        if raw is None:
            raise TrustError(
                f"the Notary server does not have the {role} metadata of {self._gun} that it names",
                hint="Its data may be damaged, or a client that it misreads published last; publish again.",
            )
        return raw

    def _remember(self, anchor: bytes, state: TrustState, before: Remembered | None) -> None:
        documents: dict[str, Document[Root] | Document[Listing] | Document[Targets]] = {
            ROOT: state.root,
            TIMESTAMP: state.timestamp,
            SNAPSHOT: state.snapshot,
            **state.roles,
        }
        files = {name: document.raw for name, document in documents.items()}
        versions = {name: document.signed.version for name, document in documents.items()}
        # Roles that nobody asked for this time stay remembered, so that their rollback is noticed later.
        kept = {
            name: raw for name, raw in (before.files if before else {}).items() if name in state.snapshot.signed.meta
        }
        known = before.versions if before else {}
        now = Remembered(self._gun, anchor, {**kept, **files}, {**known, **versions})
        if now != before:
            self._cache.store(now)


def _ancestry(role: str) -> list[str]:
    """Return `["targets/a", "targets/a/b"]` for `targets/a/b`; `targets` itself is always loaded."""
    parts = role.split("/")
    return ["/".join(parts[:count]) for count in range(2, len(parts) + 1)]
