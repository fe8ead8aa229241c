"""Signing and verifying as the gate sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from imagegate.model import Digest, Repository, Target, VerifiedTarget


def superseded_name(target: Target) -> str:
    """Return the name under which a replaced target stays signed: the tag and the digest's first 12 digits."""
    return f"{target.name[:100]}.superseded-{target.digest[7:19]}"


class SignReceipt(msgspec.Struct, frozen=True):
    """What a signing left on the server. roles: those signed; initialised: whether the repository was new to Notary."""

    repository: Repository
    targets: tuple[Target, ...]
    roles: tuple[str, ...]
    initialised: bool
    attempts: int


class Signer(Protocol):
    """Adds targets to a repository's trust data."""

    def sign(self, repository: Repository, targets: Sequence[Target], *, replace: bool = False) -> SignReceipt:
        """Sign all targets in one publish, on top of what is there; read back what was published and verify it.

        A concurrent publish is rebased on and retried; what is signed already is not published again. The server's
        version check makes this the lock on a tag's name: when the fresh data signs the name as another digest, the
        call raises TagConflict, or, with `replace`, signs the new one and keeps the old digest in the same publish
        under `superseded_name`, so that a tag that still points at it is never without a signature.
        Raises TrustError, NotTrusted (the present data does not verify), TagConflict, NetworkError.
        """


class Verifier(Protocol):
    """Checks as a consumer would, from the pinned root down."""

    def verify(
        self, repository: Repository, tag: str, *, digest: Digest | None = None, roles: Sequence[str] = ()
    ) -> VerifiedTarget:
        """Return the target that the tag is signed as by the first of the roles that has it.

        digest: also require this digest. Raises NotTrusted, TrustError, NetworkError.
        """

    def verify_all(self, repository: Repository, targets: Sequence[Target]) -> tuple[VerifiedTarget, ...]:
        """Verify that each target is signed under its name as its digest, all in one look. Raises as `verify`."""

    def find(self, repository: Repository, name: str) -> VerifiedTarget | None:
        """Return the verified target of this name by any trusted role, None when the verified data has none.

        None as well for a repository that has no trust data at all. Raises as `verify` otherwise.
        """

    def targets(self, repository: Repository, *, roles: Sequence[str] = ()) -> tuple[VerifiedTarget, ...]:
        """Return every verified target of the repository."""
