"""A stream that checks digest and size while it is read."""

from __future__ import annotations

import hashlib
import io
from typing import BinaryIO

from imagegate.errors import DigestMismatch
from imagegate.model import Descriptor


class VerifiedStream(io.RawIOBase):
    """Reads `raw` and raises DigestMismatch at the latest where it ends, earlier when it is too long.

    What was read counts only once a read has returned nothing without raising.
    """

    def __init__(self, raw: BinaryIO, descriptor: Descriptor) -> None:
        super().__init__()
        self._raw, self._descriptor = raw, descriptor
        self._hash = hashlib.sha256()
        self._left = descriptor.size
        self.verified = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer, and return how much: 0 only at the verified end."""
        if self.verified or not len(buffer):
            return 0
        chunk = self._raw.read(len(buffer))
        if not chunk:
            self._finish()
            return 0
        size = len(chunk)
        self._left -= size
        if self._left < 0:
            raise DigestMismatch(
                f"blob {self._descriptor.digest} is longer than the {self._descriptor.size} bytes stated"
            )
        self._hash.update(chunk)
        buffer[:size] = chunk
        return size

    def _finish(self) -> None:
        if self._left:
            raise DigestMismatch(
                f"blob {self._descriptor.digest} ended {self._left} bytes early",
                why="the transfer or the file is cut short",
            )
        found = f"sha256:{self._hash.hexdigest()}"
        if found != self._descriptor.digest:
            raise DigestMismatch(f"blob {self._descriptor.digest} is corrupt", why=f"its content has digest {found}")
        self.verified = True

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()
