"""Layer blobs as uncompressed tar streams: decompressed, counted against the limits, checked against the diff id."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from imagegate.errors import DigestMismatch, ImagegateError, InvalidImage, LimitExceeded
from imagegate.image.source import ImageSource
from imagegate.model import Layer
from imagegate.settings import Limits

CHUNK = 256 * 1024
_RATIO_FROM = 64 * 1024**2
"""Below this many uncompressed bytes no ratio is suspicious: a small layer of zeros is no bomb."""


def open_layer(source: ImageSource, layer: Layer, limits: Limits) -> BinaryIO:
    """Open a layer for one read of its uncompressed tar, start to end.

    The blob's digest and size, the diff id and the limits are checked while it is read. Raises DigestMismatch,
    LimitExceeded, InvalidImage; what was read counts only once a read has returned b"".
    """
    return io.BufferedReader(LayerStream(source.open_blob(layer.descriptor), layer, limits), CHUNK)


class LayerStream(io.RawIOBase):
    """The uncompressed tar of one layer."""

    def __init__(self, blob: BinaryIO, layer: Layer, limits: Limits) -> None:
        super().__init__()
        self._blob, self._layer, self._limits = blob, layer, limits
        self._hash = hashlib.sha256()
        self._chunks = self._inflate()
        self._rest = memoryview(b"")
        self._plain = False
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer, and return how much: 0 only at the verified end."""
        while not self._rest:
            try:
                self._rest = memoryview(next(self._chunks))
            except StopIteration:
                return 0
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def close(self) -> None:
        if not self.closed:
            self._blob.close()
        super().close()

    def _inflate(self) -> Iterator[bytes]:
        """Yield uncompressed chunks; end only when everything has been verified."""
        for chunk in self._decompressed():
            self.size += len(chunk)
            self._check_limits()
            if not self._plain:
                self._hash.update(chunk)
            yield chunk
        if self._plain:
            return  # the blob is the tar, and the blob's own stream has just checked its digest
        found = f"sha256:{self._hash.hexdigest()}"
        if found != self._layer.diff_id:
            raise DigestMismatch(
                f"layer {self._layer.descriptor.digest} is not the one that its image's config names",
                why=f"uncompressed it is {found}, the config says {self._layer.diff_id}",
            )

    def _check_limits(self) -> None:
        digest = self._layer.descriptor.digest
        if self.size > self._limits.layer_size:
            raise LimitExceeded(
                f"layer {digest} is larger than {self._limits.layer_size} bytes when uncompressed",
                hint="Raise limits.layer_size if the image is meant to be that large.",
            )
        ratio = self.size / max(self._layer.descriptor.size, 1)
        if self.size > _RATIO_FROM and ratio > self._limits.compression_ratio:
            raise LimitExceeded(
                f"layer {digest} unpacks to {ratio:.0f} times its size",
                why="it looks like a decompression bomb",
                hint="Raise limits.compression_ratio if it is none.",
            )

    def _decompressed(self) -> Iterator[bytes]:
        blob = io.BufferedReader(cast(io.RawIOBase, self._blob), CHUNK)
        reader = _reader(blob, blob.peek(4)[:4])
        self._plain = reader is blob and self._layer.descriptor.digest == self._layer.diff_id
        try:
            while chunk := reader.read(CHUNK):
                yield chunk
            while blob.read(CHUNK):
                # The blob's own digest is checked where it ends, which may be after the compressed stream's end.
                pass
        except ImagegateError:
            raise
        except Exception as error:
            raise InvalidImage(
                f"layer {self._layer.descriptor.digest} cannot be decompressed", why=str(error)
            ) from error


def _reader(blob: io.BufferedReader[Any], magic: bytes) -> BinaryIO:
    """Return a reader of the uncompressed bytes. The magic decides, not the media type, which images get wrong."""
    if magic[:2] == b"\x1f\x8b":
        from isal import igzip

        return cast(BinaryIO, igzip.open(blob, "rb"))
    if magic == b"\x28\xb5\x2f\xfd":
        import zstandard

        return cast(BinaryIO, zstandard.ZstdDecompressor().stream_reader(blob, read_across_frames=True))
    return blob
