"""The hashes of one file: SHA-256 always, the old ones of package databases where they are wanted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from imagegate.analysis.layer import Checksums


class Hashes:
    """Fed chunk by chunk. old: whether the old ones are computed; also: who else wants the chunks."""

    def __init__(self, *, old: bool = False, also: Iterable[Callable[[bytes], object]] = ()) -> None:
        self._also = tuple(also)
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if old else None
        self._sha1 = hashlib.sha1(usedforsecurity=False) if old else None

    def update(self, data: bytes) -> None:
        """Take the next chunk."""
        for each in (self._sha256, self._md5, self._sha1):
            if each:
                each.update(data)
        for also in self._also:
            also(data)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def all(self) -> frozenset[str]:
        """In hex. What a package database has for the file is among them if the file is still the package's."""
        return frozenset(each.hexdigest() for each in (self._sha256, self._md5, self._sha1) if each)

    @property
    def checksums(self) -> Checksums | None:
        """None when they were not wanted."""
        return Checksums(self._md5.hexdigest(), self._sha1.hexdigest()) if self._md5 and self._sha1 else None


def checksums(content: bytes) -> Checksums:
    """Return the old hashes of a content."""
    return Checksums(
        hashlib.md5(content, usedforsecurity=False).hexdigest(),
        hashlib.sha1(content, usedforsecurity=False).hexdigest(),
    )
