"""The hashes of one file: SHA-256 always, the old ones of package databases where they are wanted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from imagegate.analysis.layer import Checksums


class Hashes:
    """Fed chunk by chunk. md5, checksums: which of the old ones to compute; `checksums` are both of them.

    also: who else wants the chunks.
    """

    def __init__(
        self, *, md5: bool = False, checksums: bool = False, also: Callable[[bytes], None] | None = None
    ) -> None:
        self._also = also
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if md5 or checksums else None
        self._sha1 = hashlib.sha1(usedforsecurity=False) if checksums else None

    def update(self, data: bytes) -> None:
        """Take the next chunk."""
        for each in (self._sha256, self._md5, self._sha1):
            if each:
                each.update(data)
        if self._also:
            self._also(data)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def md5(self) -> str:
        """Empty when it was not wanted."""
        return self._md5.hexdigest() if self._md5 else ""

    @property
    def checksums(self) -> Checksums | None:
        """None when they were not wanted."""
        return Checksums(self.md5, self._sha1.hexdigest()) if self._sha1 else None
