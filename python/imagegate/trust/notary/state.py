"""A repository's verified metadata, and what it says. Pure values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from imagegate.errors import NotTrusted
from imagegate.model import Digest, Repository, Target, VerifiedTarget
from imagegate.trust.notary import chain
from imagegate.trust.notary.metadata import RELEASES, TARGETS, Document, FileMeta, Listing, Root, Targets, parse_time


@dataclass(frozen=True)
class TrustState:
    """Documents that were verified together. roles: `targets` and the delegations that were asked for and exist.

    rejected: delegations that were looked at only for who else signed, and why they do not count.
    """

    root: Document[Root]
    timestamp: Document[Listing]
    snapshot: Document[Listing]
    roles: dict[str, Document[Targets]]
    rejected: dict[str, NotTrusted] = field(default_factory=dict)

    @property
    def targets(self) -> Document[Targets]:
        return self.roles[TARGETS]

    def digest(self, role: str, name: str) -> Target | None:
        """Return what a role signs a name as, None when it does not, or may not. Raises NotTrusted."""
        document = self.roles.get(role)
        if document is None or name not in document.signed.targets or not self.may_sign(role, name):
            return None
        return to_target(name, document.signed.targets[name])

    def may_sign(self, role: str, name: str) -> bool:
        """Return whether every delegation on the way from `targets` to the role covers the name."""
        while role != TARGETS:
            parent = self.roles.get(chain.parent_name(role))
            found = chain.delegation(parent, role) if parent else None
            if not found or not chain.allows(found[1].paths, name):
                return False
            role = chain.parent_name(role)
        return True

    def lookup(self, repository: Repository, name: str, roles: Iterable[str]) -> VerifiedTarget | None:
        """Return the target by the first of the roles that signs it. Raises NotTrusted."""
        for role in roles:
            target = self.digest(role, name)
            if target:
                return VerifiedTarget(repository, target, role, self._signers(target), self._expires(role))
        return None

    def listing(self, repository: Repository, roles: Iterable[str]) -> Iterator[VerifiedTarget]:
        """Return every target by the first of the roles that signs it, by name. Raises NotTrusted."""
        order = tuple(roles)
        names = {name for role in order if role in self.roles for name in self.roles[role].signed.targets}
        found = (self.lookup(repository, name, order) for name in sorted(names))
        return (target for target in found if target)

    def _signers(self, target: Target) -> tuple[str, ...]:
        """Return who besides `targets/releases` signs the same: delegations without the `targets/`, or `targets`."""
        agreeing = (role for role in self.roles if role != RELEASES and self._agrees(role, target))
        return tuple(sorted(role.removeprefix("targets/") for role in agreeing))

    def _agrees(self, role: str, target: Target) -> bool:
        try:
            return self.digest(role, target.name) == target
        except NotTrusted:
            return False

    def _expires(self, role: str) -> datetime:
        ends = [self.root.signed.expires, self.timestamp.signed.expires, self.snapshot.signed.expires]
        while role:
            ends.append(self.roles[role].signed.expires)
            role = chain.parent_name(role)
        return min(parse_time(end) for end in ends)


def to_target(name: str, meta: FileMeta) -> Target:
    """Return a target as the rest of imagegate knows it. Raises NotTrusted for hashes that are not a digest."""
    raw = chain.decode_hash(meta.hashes.get("sha256", ""))
    if len(raw) != 32:
        raise NotTrusted(f"the target {name} cannot be used", why="its sha256 hash does not have 32 bytes")
    return Target(name, Digest(f"sha256:{raw.hex()}"), meta.length)
