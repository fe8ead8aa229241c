"""`NotarySigner`: signs targets and makes sure that they can be read."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from imagegate.errors import ConfigError, NotTrusted, TrustError
from imagegate.model import Repository, Target
from imagegate.settings import NotarySettings
from imagegate.trust.notary import chain, pins, update
from imagegate.trust.notary.cache import TrustCache
from imagegate.trust.notary.client import NotaryClient, PublishConflict, PublishRefused
from imagegate.trust.notary.keyring import Keyring
from imagegate.trust.notary.keystore import KeyStore
from imagegate.trust.notary.metadata import RELEASES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, DelegationRole, Key, Role
from imagegate.trust.notary.passphrases import Passphrases
from imagegate.trust.notary.refresh import TrustReader
from imagegate.trust.notary.state import TrustState
from imagegate.trust.signing import SignReceipt

if TYPE_CHECKING:
    from imagegate.http.client import HttpClient

_BUDGET = 120.0
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)  # OCI distribution-spec, "Pulling manifests"
_SIGNER = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)


class NotarySigner:
    """Signs with the keys of a store. Safe beside other processes that share its key store and cache."""

    def __init__(
        self,
        settings: NotarySettings,
        http: HttpClient,
        cache: Path,
        *,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """cache: directory of what was verified before. environ: of passphrases. Raises ConfigError."""
        environ = os.environ if environ is None else environ
        directory = settings.keys or environ.get("IMAGEGATE_NOTARY_KEYS", "")
        if not directory:
            raise ConfigError("no key store is set", hint="Set notary.keys, or IMAGEGATE_NOTARY_KEYS.")
        if settings.signer and (not _SIGNER.fullmatch(settings.signer) or settings.signer == "releases"):
            raise ConfigError(
                f"notary.signer: {settings.signer!r} is no name of a signer", hint="Use a-z, 0-9, - and _."
            )
        self._settings, self._clock = settings, clock
        self._client = NotaryClient(settings.server, http, push=True)
        self._cache = TrustCache(cache, settings.server)
        self._keys = Keyring(KeyStore(Path(directory).expanduser(), Passphrases(environ)), create=settings.create_keys)
        self._roles = (f"targets/{settings.signer}", RELEASES) if settings.signer else (TARGETS,)

    def sign(self, repository: Repository, targets: Sequence[Target], *, replace: bool = False) -> SignReceipt:
        """Sign all targets in one publish. (`trust.signing.Signer`.)"""
        _check(targets)
        gun, deadline, attempts, initialised = str(repository), time.monotonic() + _BUDGET, 0, False
        while True:
            state = self._refresh(gun, published=attempts > 0)
            todo = update.plan(state, self._roles, self._settings.roles, targets, replace=replace, now=self._clock())
            if not todo:
                return SignReceipt(repository, tuple(targets), self._roles, initialised, attempts)
            files = self._extend(gun, state, todo) if state else self._initialise(gun, todo)
            attempts += 1
            try:
                self._client.publish(gun, files)
                initialised = initialised or state is None
            except PublishRefused as error:
                # Who loses the race to be the first gets a refusal, not a conflict.
                if state is not None or self._client.fetch(gun, "root.json") is None:
                    raise _explain(error, state) from error
            except PublishConflict as error:
                if time.monotonic() > deadline:
                    raise TrustError(
                        f"{repository} could not be signed", why=f"others published first, {attempts} times"
                    ) from error
                time.sleep(random.uniform(0, min(0.05 * 2**attempts, 2.0)))  # noqa: S311 - jitter, not a secret

    def _reader(self, gun: str) -> TrustReader:
        # Without a pin, a root by a key that is in our own store is as good as pinned.
        pinned = pins.pins_for(gun, self._settings.pins)
        own = () if pinned or self._settings.trust_on_first_use else self._keys.root_ids()
        tofu = self._settings.trust_on_first_use
        return TrustReader(self._client, self._cache, gun, pinned=pinned or own, trust_on_first_use=tofu)

    def _refresh(self, gun: str, *, published: bool) -> TrustState | None:
        wanted = {*self._roles, *self._settings.roles} - {TARGETS}
        try:
            return self._reader(gun).refresh(wanted, self._clock())
        except NotTrusted as error:
            if not published:
                raise
            raise TrustError(
                f"what was published to {gun} does not verify when it is read back",
                why=error.what + (f": {error.why}" if error.why else ""),
                hint="Nothing must be tagged now. Sign again; if that fails too, delete the repository's trust data "
                f'("notary delete {gun} --remote") and sign all its tags again.',
            ) from error

    def _initialise(self, gun: str, todo: Mapping[str, tuple[Target, ...]]) -> dict[str, bytes]:
        """Return the first files of a repository: a root with the server's keys for snapshot and timestamp."""
        now, pinned = self._clock(), pins.pins_for(gun, self._settings.pins)
        root_key = self._keys.root(pinned, create=self._settings.create_root)
        targets_key = self._keys.targets(gun)
        snapshot, timestamp = [self._client.server_key(gun, role) for role in (SNAPSHOT, TIMESTAMP)]
        root = update.initial_root(root_key.certify(gun, now), targets_key.public, snapshot, timestamp, now)
        raw = update.sign(root, [(root_key, root.roles[ROOT].keyids[0])])
        if pinned and not pins.satisfies(chain.check_root(raw), pinned):
            raise TrustError(
                f"{gun} cannot be initialised",
                why=f"the root key {root_key.key_id} is not the pinned one",
                hint="Put the pinned root key into the key store, or pin this one: notary.pins.",
            )
        empty = update.empty_targets(now)
        delegations = empty.delegations
        files = {ROOT: raw}
        if self._settings.signer:
            key = self._keys.delegation(self._settings.signer)
            delegations = update.delegate(delegations, self._roles, key.public)
            for role in self._roles:
                files[role] = update.sign(update.next_targets(empty, todo[role], now), [(key, key.key_id)])
        targets = update.next_targets(empty, todo.get(TARGETS, ()), now, delegations)
        return files | {TARGETS: update.sign(targets, [(targets_key, targets_key.key_id)])}

    def _extend(self, gun: str, state: TrustState, todo: Mapping[str, tuple[Target, ...]]) -> dict[str, bytes]:
        """Return the next version of each role that has something to add, and of those that must change for it."""
        now, targets = self._clock(), state.targets.signed
        delegations = targets.delegations
        lacking = [role for role in todo if role != TARGETS and not self._holds(state, role)]
        if lacking:
            own = self._keys.delegation(self._settings.signer)
            delegations = update.delegate(delegations, lacking, own.public)
        files = {}
        for role, additions in todo.items():
            if role == TARGETS:
                continue
            current = state.roles[role].signed if role in state.roles else update.empty_targets(now)
            delegated = next(each for each in delegations.roles if each.name == role)
            keys = self._required(role, delegated, delegations.keys, gun)
            files[role] = update.sign(update.next_targets(current, additions, now), keys)
        if TARGETS in todo or lacking:
            keys = self._required(TARGETS, state.root.signed.roles[TARGETS], state.root.signed.keys, gun)
            files[TARGETS] = update.sign(update.next_targets(targets, todo.get(TARGETS, ()), now, delegations), keys)
        snapshot_keys = self._keys.held(state.root.signed.keys, state.root.signed.roles[SNAPSHOT])
        if snapshot_keys:
            files[SNAPSHOT] = update.sign(update.next_snapshot(state.snapshot.signed, files, now), snapshot_keys)
        return files

    def _holds(self, state: TrustState, role: str) -> bool:
        found = chain.delegation(state.targets, role)
        return bool(found and self._keys.held(*found))

    def _required(
        self, name: str, role: Role | DelegationRole, known: Mapping[str, Key], gun: str
    ) -> list[update.SigningKey]:
        keys = self._keys.held(known, role)
        if len(keys) < role.threshold:
            raise TrustError(
                f"{gun} cannot be signed as {name}",
                why=f"the key store has {len(keys)} of the role's keys, {role.threshold} must sign",
                hint="Use the key store that has them, or have its owner delegate to your key and set notary.signer.",
            )
        return keys


def _check(targets: Sequence[Target]) -> None:
    if not targets:
        raise TrustError("nothing to sign")
    named: dict[str, Target] = {}
    for target in targets:
        if not _NAME.fullmatch(target.name):
            raise TrustError(f"{target.name[:140]!r} cannot be signed", why="it is no tag")
        if named.setdefault(target.name, target) != target:
            raise TrustError(f"{target.name} cannot be signed as two different images")


def _explain(error: PublishRefused, state: TrustState | None) -> PublishRefused:
    error.hint = (
        "If the repository's snapshot key is not with the server, put it into the key store, or give it to the server: "
        '"notary key rotate GUN snapshot -r".'
        if state
        else "Look into the log of notary-server."
    )
    return error
