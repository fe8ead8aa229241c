"""Which of the stored keys can sign which role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imagegate.errors import TrustError
from imagegate.trust.notary import keys
from imagegate.trust.notary.keystore import KeyStore
from imagegate.trust.notary.metadata import ROOT, TARGETS, DelegationRole, Key, Role
from imagegate.trust.notary.pins import is_pinned
from imagegate.trust.notary.update import SigningKey

_GENERIC = ("user", "delegation", "signer")  # what notary and docker call a delegation's key when nobody names it


class Keyring:
    """Finds and makes keys in a store."""

    def __init__(self, store: KeyStore, *, create: bool = True) -> None:
        """create: whether keys may be made: none in a store that is gone after the run."""
        self._store, self._create = store, create

    def held(self, known: Mapping[str, Key], role: Role | DelegationRole) -> list[SigningKey]:
        """Return the stored keys of the role, as many as it needs; empty when there are none. Raises TrustError."""
        entries = {entry.key_id: entry for entry in self._store.entries()}
        found: list[SigningKey] = []
        for key_id in role.keyids:
            entry = entries.get(keys.plain_key_id(known[key_id])) if key_id in known else None
            if entry and len(found) < role.threshold:
                found.append((self._store.load(entry), key_id))
        return found

    def root_ids(self) -> tuple[str, ...]:
        """Return the ids of the stored root keys."""
        return tuple(entry.key_id for entry in self._store.find(ROOT))

    def root(self, pinned: Sequence[str], *, create: bool) -> keys.PrivateKey:
        """Return the root key for a new repository: the pinned one where a pin tells. Raises TrustError."""
        entries = self._store.find(ROOT)
        named = [entry for entry in entries if is_pinned(entry.key_id, pinned)] or entries
        if len(named) == 1:
            return self._store.load(named[0])
        where = self._store.directory
        if named:
            raise TrustError(
                f"the key store {where} has {len(named)} root keys",
                hint="Pin the one to use: notary.pins, by its id.",
            )
        if create and self._create:
            with self._store.lock():
                entries = self._store.find(ROOT)
                return self._store.load(entries[0]) if entries else self._store.create(ROOT)
        raise TrustError(
            f"no root key in {where}/private",
            hint='Make one with "notary key generate" or "docker trust", or allow it: notary.create_root.',
        )

    def targets(self, gun: str) -> keys.PrivateKey:
        """Return the targets key of a new repository, made when there is none yet. Raises TrustError."""
        with self._store.lock():
            entries = self._store.find(TARGETS, gun)
            return self._store.load(entries[-1]) if entries else self._made(TARGETS, gun)

    def delegation(self, signer: str) -> keys.PrivateKey:
        """Return the key of a signer, made when there is none yet. Raises TrustError."""
        with self._store.lock():
            entries = self._store.find(signer)
            for role in _GENERIC if not entries else ():
                entries += self._store.find(role)
            if len(entries) > 1:
                raise TrustError(
                    f"the key store {self._store.directory} has {len(entries)} keys that may be {signer}'s",
                    hint=f'Leave one, with the header "role: {signer}".',
                )
            return self._store.load(entries[0]) if entries else self._made(signer)

    def _made(self, role: str, gun: str = "") -> keys.PrivateKey:
        if not self._create:
            raise TrustError(
                f"the key store has no key for {role}" + (f" of {gun}" if gun else ""),
                why="notary.create_keys is off, for this store is not kept",
                hint="Sign once with the store that is kept, and use a copy of it.",
            )
        return self._store.create(role, gun)
