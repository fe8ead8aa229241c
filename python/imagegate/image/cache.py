"""Blobs by digest on disk, for several processes at once.

A blob is written to a temporary file, verified to its last byte, and renamed into place: what stands under its digest
is whole. A process that dies leaves a temporary file at most, which nobody reads and a later run removes.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from imagegate.errors import DigestMismatch
from imagegate.eviction import evict, remove_abandoned
from imagegate.image.resolve import check_digest
from imagegate.image.source import ImageSource
from imagegate.image.verify import VerifiedStream
from imagegate.model import Descriptor, Digest, ImageRef, Manifest


class BlobCache:
    """A directory of blobs. max_size: bytes; the longest unused go first."""

    def __init__(self, directory: Path, max_size: int) -> None:
        self._directory, self._max_size = directory, max_size
        self._blobs, self._temporary = directory / "sha256", directory / "tmp"
        for each in (self._blobs, self._temporary):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, digest: Digest) -> Path:
        """Return where a blob is, or would be."""
        return self._blobs / digest.removeprefix("sha256:")

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the blob is there in full."""
        try:
            return self.path(descriptor.digest).stat().st_size == descriptor.size
        except FileNotFoundError:
            return False

    def open(self, descriptor: Descriptor) -> BinaryIO | None:
        """Open a blob that is there, None when it is not. It is checked again while it is read: disks fail."""
        path = self.path(descriptor.digest)
        try:
            stream = path.open("rb")
        except FileNotFoundError:
            return None
        os.utime(path)
        if os.fstat(stream.fileno()).st_size != descriptor.size:
            stream.close()
            path.unlink(missing_ok=True)
            return None
        return cast(BinaryIO, VerifiedStream(stream, descriptor))

    def tee(self, stream: BinaryIO, descriptor: Descriptor) -> BinaryIO:
        """Return a stream of the same bytes that stores them once they have been read, and so verified, to the end."""
        return cast(BinaryIO, _Tee(stream, self, descriptor.digest))

    def store(self, chunks: Iterable[bytes], digest: Digest) -> None:
        """Store what is known to have this digest once `chunks` has ended without raising."""
        writer = self.writer()
        try:
            for chunk in chunks:
                writer.write(chunk)
            writer.commit(digest)
        finally:
            writer.abandon()

    def store_bytes(self, raw: bytes, digest: Digest) -> None:
        """Store bytes. Raises DigestMismatch when they do not have the digest."""
        if not check_digest(raw, digest):
            raise DigestMismatch(f"bytes do not have the digest {digest}")
        self.store([raw], digest)

    def writer(self) -> Writer:
        """Return a writer of one blob whose digest is not known yet."""
        return Writer(self)

    def prune(self) -> None:
        """Remove what dead processes left, and the longest unused blobs while there is too much."""
        remove_abandoned(self._temporary)
        evict([self._blobs], self._max_size)


class Writer:
    """One blob on its way into the cache."""

    def __init__(self, cache: BlobCache) -> None:
        self._cache = cache
        number, name = tempfile.mkstemp(dir=cache._temporary)
        self._path: Path | None = Path(name)
        self._stream = os.fdopen(number, "wb", buffering=1024 * 1024)

    def write(self, chunk: bytes) -> int:
        """Take some more bytes, and return how many."""
        return self._stream.write(chunk)

    def commit(self, digest: Digest) -> None:
        """Put the blob in its place."""
        assert self._path
        self._stream.close()
        os.replace(self._path, self._cache.path(digest))
        self._path = None
        self._cache.prune()

    @property
    def done(self) -> bool:
        """Whether it was committed or abandoned."""
        return self._path is None

    def abandon(self) -> None:
        """Remove what was not committed."""
        if self._path:
            self._stream.close()
            self._path.unlink(missing_ok=True)
            self._path = None


class _Tee(io.RawIOBase):
    def __init__(self, stream: BinaryIO, cache: BlobCache, digest: Digest) -> None:
        super().__init__()
        self._stream, self._digest = stream, digest
        self._writer = cache.writer()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        chunk = self._stream.read(len(buffer))
        if not chunk and len(buffer):
            if not self._writer.done:
                self._writer.commit(self._digest)
            return 0
        self._writer.write(chunk)
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        if not self.closed:
            self._writer.abandon()
            self._stream.close()
        super().close()


class CachedSource:
    """An ImageSource that reads each blob from another source once."""

    def __init__(self, source: ImageSource, cache: BlobCache) -> None:
        self._source, self._cache = source, cache

    @property
    def ref(self) -> ImageRef:
        return self._source.ref

    def resolve(self) -> Manifest:
        """Look at the tag; never from the cache."""
        return self._source.resolve()

    def manifest(self, descriptor: Descriptor) -> Manifest:
        """Return a manifest by digest."""
        return self._source.manifest(descriptor)

    def open_blob(self, descriptor: Descriptor) -> BinaryIO:
        """Open a blob from the cache, or from the source and into the cache."""
        return self._cache.open(descriptor) or self._cache.tee(self._source.open_blob(descriptor), descriptor)

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
