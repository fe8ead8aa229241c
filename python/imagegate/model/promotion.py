"""What is signed and promoted."""

from __future__ import annotations

from datetime import datetime

import msgspec

from imagegate.model.evaluation import BaseProof, Evaluation
from imagegate.model.reference import Digest, Repository


class Target(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a signature says: in this repository, `name` (the tag) is `digest`; length: bytes of the manifest."""

    name: str
    digest: Digest
    length: int


class VerifiedTarget(msgspec.Struct, frozen=True, omit_defaults=True):
    """A target whose chain of signatures was checked from the pinned root. expires: the earliest of the metadata."""

    repository: Repository
    target: Target
    role: str
    signers: tuple[str, ...] = ()
    expires: datetime | None = None


class PromotionRecord(msgspec.Struct, frozen=True, tag_field="schema", tag="imagegate/promotion/1"):
    """One finished promotion: what was promoted, where to, on what grounds, and who signed."""

    source: str
    repository: str
    digest: Digest
    tags: tuple[str, ...]
    evaluations: tuple[Evaluation, ...]
    signatures: tuple[VerifiedTarget, ...]
    promoted_at: datetime
    base: BaseProof | None = None
