"""The trusted repository as the gate sees it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from imagegate.image.source import ImageSource
from imagegate.model import Digest, Manifest, Repository, ResolvedImage
from imagegate.progress import Progress


class CopyReport(msgspec.Struct, frozen=True):
    """What a copy did, in numbers of blobs, and bytes sent."""

    uploaded: int
    mounted: int
    existing: int
    bytes_sent: int


class Destination(Protocol):
    """One repository that images are promoted into. Nothing here makes anything visible to a puller but `tag`."""

    repository: Repository

    def tagged(self, tag: str) -> Digest | None:
        """Return what the tag points at now, None when it does not exist."""

    def copy(self, source: ImageSource, image: ResolvedImage, progress: Progress) -> CopyReport:
        """Copy blobs, then manifests, by digest and untagged. Repeating it is cheap and safe.

        Manifest bytes are sent as they are; every digest that the registry answers with is checked.
        """

    def tag(self, manifest: Manifest, tag: str) -> None:
        """Point the tag at a manifest that is already there: the commit point. Read back to be sure."""
