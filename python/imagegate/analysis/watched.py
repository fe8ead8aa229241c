"""A source whose blobs tell a watcher how much of them was read."""

from __future__ import annotations

import io
from types import TracebackType
from typing import BinaryIO, Self, cast

from imagegate.image.source import ImageSource
from imagegate.model import Descriptor, ImageRef, Manifest
from imagegate.progress import Task


class Watched:
    """An ImageSource around another one."""

    def __init__(self, source: ImageSource, task: Task) -> None:
        self._source, self._task = source, task

    @property
    def ref(self) -> ImageRef:
        return self._source.ref

    def resolve(self) -> Manifest:
        return self._source.resolve()

    def manifest(self, descriptor: Descriptor) -> Manifest:
        return self._source.manifest(descriptor)

    def open_blob(self, descriptor: Descriptor) -> BinaryIO:
        return cast(BinaryIO, _Counted(self._source.open_blob(descriptor), self._task))

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Counted(io.RawIOBase):
    def __init__(self, blob: BinaryIO, task: Task) -> None:
        super().__init__()
        self._blob, self._task = blob, task

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        chunk = self._blob.read(len(buffer))
        buffer[: len(chunk)] = chunk
        self._task.advance(len(chunk))
        return len(chunk)

    def close(self) -> None:
        if not self.closed:
            self._blob.close()
        super().close()
