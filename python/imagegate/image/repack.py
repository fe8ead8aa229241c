"""Archives and engine images as a registry takes them: layers compressed, the same bytes whenever it is done.

gzip by ISA-L at one level, with no name and no time in its header (RFC 1952, 2.3), so that an image has one digest for
each version of the library. Every diff id is checked on the way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from imagegate.errors import ImageNotFound, InvalidImage
from imagegate.image.archive import PLAIN_LAYER, make_manifest
from imagegate.image.cache import BlobCache
from imagegate.image.source import ImageSource
from imagegate.model import Descriptor, Digest, ImageConfig, ImageRef, Manifest
from imagegate.progress import Progress, Task

GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_LEVEL = 2
_CHUNK = 1024 * 1024
_GZIP_WINDOW = 31
"""zlib's wbits for a gzip wrapper with the largest window."""


def repack(source: ImageSource, cache: BlobCache, progress: Progress) -> ImageSource:
    """Return a source of the same image with compressed layers. It compresses when it is resolved."""
    return RepackedSource(source, cache, progress)


class RepackedSource:
    """An ImageSource whose layers lie compressed in the blob cache."""

    def __init__(self, source: ImageSource, cache: BlobCache, progress: Progress) -> None:
        self._source, self._cache, self._progress = source, cache, progress

    @property
    def ref(self) -> ImageRef:
        return self._source.ref

    def resolve(self) -> Manifest:
        """Compress what is not in the cache, and return the manifest that a registry gets."""
        plain = self._source.resolve()
        document = msgspec.json.decode(plain.raw)
        config = msgspec.convert(document["config"], Descriptor)
        layers = msgspec.convert(document["layers"], tuple[Descriptor, ...])
        raw = self._config(config)
        with (
            self._progress.task("compress", sum(layer.size for layer in layers)) as task,
            ThreadPoolExecutor(2, thread_name_prefix="compress") as workers,
        ):
            packed = list(workers.map(lambda layer: self._pack(layer, task), layers))
        return make_manifest(raw, msgspec.json.decode(raw, type=ImageConfig), packed)

    def manifest(self, descriptor: Descriptor) -> Manifest:
        """There is one manifest only, and `resolve` gives it."""
        raise ImageNotFound(f"{self.ref} has no manifest {descriptor.digest}")

    def open_blob(self, descriptor: Descriptor) -> BinaryIO:
        """Open a blob out of the cache."""
        stream = self._cache.open(descriptor)
        if stream is None:
            raise InvalidImage(
                f"{self.ref}: {descriptor.digest} is no longer in the cache",
                hint="Raise cache.max_size, then run again.",
            )
        return stream

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _config(self, descriptor: Descriptor) -> bytes:
        with self._source.open_blob(descriptor) as stream:
            raw = b"".join(iter(lambda: stream.read(_CHUNK), b""))
        self._cache.store_bytes(raw, descriptor.digest)
        return raw

    def _pack(self, layer: Descriptor, task: Task) -> Descriptor:
        """Compress one layer into the cache; one that is compressed stays as it is. Its stream checks its digest."""
        if layer.media_type != PLAIN_LAYER:
            with self._source.open_blob(layer) as stream:
                self._cache.store(_told(iter(lambda: stream.read(_CHUNK), b""), task), layer.digest)
            return layer
        from isal import isal_zlib

        packer = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP_WINDOW)
        writer, digest, size = self._cache.writer(), hashlib.sha256(), 0
        try:
            with self._source.open_blob(layer) as stream:
                while chunk := stream.read(_CHUNK):
                    packed = packer.compress(chunk)
                    digest.update(packed)
                    size += writer.write(packed)
                    task.advance(len(chunk))
            packed = packer.flush()
            digest.update(packed)
            size += writer.write(packed)
            found = Digest(f"sha256:{digest.hexdigest()}")
            writer.commit(found)
        finally:
            writer.abandon()
        return Descriptor(GZIP_LAYER, found, size)


def _told(chunks: Iterator[bytes], task: Task) -> Iterator[bytes]:
    for chunk in chunks:
        task.advance(len(chunk))
        yield chunk
