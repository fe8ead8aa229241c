"""Reading ahead in a thread, so that inflating and hashing a layer overlaps with looking at what is in it."""

from __future__ import annotations

import io
import threading
from queue import Queue
from types import TracebackType
from typing import BinaryIO, Self

CHUNK = 1024 * 1024
_DEPTH = 4
"""Chunks that wait at most; the memory that reading ahead costs."""


class ReadAhead(io.RawIOBase):
    """Reads a stream in a thread of its own. An error of the stream is raised where it would have been read.

    size: bytes handed out so far.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._chunks: Queue[bytes | BaseException] = Queue(_DEPTH)
        self._rest = memoryview(b"")
        self._stopped = threading.Event()
        self._ended = False
        self.size = 0
        self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                chunk = self._stream.read(CHUNK)
                self._chunks.put(chunk)
                if not chunk:
                    return
        except BaseException as error:  # noqa: BLE001 - handed to the reader, who raises it
            self._chunks.put(error)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer, and return how much; 0 only at the end."""
        if not self._rest:
            if self._ended:
                return 0
            chunk = self._chunks.get()
            self._ended = not isinstance(chunk, bytes) or not chunk
            if isinstance(chunk, BaseException):
                raise chunk
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        self.size += size
        return size

    def close(self) -> None:
        """Stop the thread, then close the stream."""
        if self.closed:
            return
        self._stopped.set()
        while self._thread.is_alive():
            while not self._chunks.empty():
                self._chunks.get_nowait()
            self._thread.join(0.01)
        self._stream.close()
        super().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
