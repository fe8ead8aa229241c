"""Signing and verifying as the gate sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from imagegate.model import Digest, Repository, Target, VerifiedTarget


class SignReceipt(msgspec.Struct, frozen=True):
    """What a signing left on the server. roles: those signed; initialised: whether the repository was new to Notary."""

    repository: Repository
    targets: tuple[Target, ...]
    roles: tuple[str, ...]
    initialised: bool
    attempts: int


class Signer(Protocol):
    """Adds targets to a repository's trust data."""

    def sign(self, repository: Repository, targets: Sequence[Target], *, keep: Sequence[Target] = ()) -> SignReceipt:
        """Sign all targets in one publish, on top of what is there; read back what was published and verify it.

        A concurrent publish is rebased on and retried. keep: superseded targets to hold under a name of their own, in
        the same publish. Raises TrustError, NotTrusted (the present data does not verify), NetworkError.
        """


class Verifier(Protocol):
    """Checks as a consumer would, from the pinned root down."""

    def verify(
        self, repository: Repository, tag: str, *, digest: Digest | None = None, roles: Sequence[str] = ()
    ) -> VerifiedTarget:
        """Return the target that the tag is signed as by the first of the roles that has it.

        digest: also require this digest. Raises NotTrusted, TrustError, NetworkError.
        """

    def find(self, repository: Repository, name: str) -> VerifiedTarget | None:
        """Return the verified target of this name by any trusted role, None when the verified data has none.

        None as well for a repository that has no trust data at all. Raises as `verify` otherwise.
        """

    def targets(self, repository: Repository, *, roles: Sequence[str] = ()) -> tuple[VerifiedTarget, ...]:
        """Return every verified target of the repository."""
