"""A part of a file as a file of its own: what is stored in an archive without compression is not copied."""

from __future__ import annotations

import io

from imagegate.analysis.catalogers.cataloger import Seekable


class Window:
    """Reads `size` bytes of a file from `start` on. The file is shared: each reading seeks first."""

    def __init__(self, file: Seekable, start: int, size: int) -> None:
        self._file, self._start, self._size = file, start, size
        self._at = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int, /) -> bytes:
        self._file.seek(self._start + self._at)
        data = self._file.read(min(size, max(0, self._size - self._at)))
        self._at += len(data)
        return data
