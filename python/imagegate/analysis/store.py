"""Analyses on disk, so that a layer is read once on a machine, and an image is put together once.

A layer's result is found by its diff id. A diff id is what an image's author writes into the config, so the cache
answers only for a blob that was once read through and seen to have it: otherwise a config could claim a clean layer's
diff id for a blob with other content.

Several processes may share a directory: files are written aside and renamed. What cannot be read back counts as absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zlib
from pathlib import Path
from typing import TypeVar

import msgspec

from imagegate.analysis.layer import LayerAnalysis
from imagegate.eviction import evict
from imagegate.model import Analysis, Digest, Layer

T = TypeVar("T")

_MAGIC = b"imagegate analysis 1\n"
_CHECKSUM = 4


class LayerStore:
    """A directory of analyses. key: whatever else than the content decides the result.

    max_size: bytes of all of them; the longest unused go first, when an image's analysis is added.
    """

    def __init__(self, directory: Path, max_size: int = 4 * 1024**3) -> None:
        self._directory, self._max_size = directory, max_size

    def layer(self, layer: Layer, key: str) -> LayerAnalysis | None:
        """Return the analysis of a layer whose blob is known to have the diff id that its image claims."""
        if not self._is_verified(layer):
            return None
        return self._load(self._path("layers", layer.diff_id, key), LayerAnalysis)

    def save_layer(self, layer: Layer, key: str, analysis: LayerAnalysis) -> None:
        """Keep a layer's analysis. The caller has read the blob to its end, where both digests are checked."""
        self._save(self._path("layers", layer.diff_id, key), analysis)
        self._write(self._proof(layer), layer.diff_id.encode())

    def image(self, digest: Digest, key: str) -> Analysis | None:
        """Return the analysis of an image by the digest of its manifest."""
        return self._load(self._path("images", digest, key), Analysis)

    def save_image(self, digest: Digest, key: str, analysis: Analysis) -> None:
        """Keep an image's analysis. Every layer of it has been verified."""
        self._save(self._path("images", digest, key), analysis)
        with contextlib.suppress(OSError):
            evict([self._directory / kind for kind in ("images", "layers", "verified")], self._max_size)

    def _is_verified(self, layer: Layer) -> bool:
        if layer.descriptor.digest == layer.diff_id:
            return True
        try:
            return self._proof(layer).read_bytes() == layer.diff_id.encode()
        except OSError:
            return False

    def _proof(self, layer: Layer) -> Path:
        return self._directory / "verified" / layer.descriptor.digest.removeprefix("sha256:")

    def _path(self, kind: str, digest: Digest, key: str) -> Path:
        name = hashlib.sha256(f"{digest}\n{key}".encode()).hexdigest()
        return self._directory / kind / name

    def _load(self, path: Path, kind: type[T]) -> T | None:
        try:
            raw = path.read_bytes()
            body = memoryview(raw)[len(_MAGIC) + _CHECKSUM :]
            if not raw.startswith(_MAGIC) or zlib.crc32(body) != _checksum(raw):
                return None
            with contextlib.suppress(OSError):  # somebody else's cache may be read only
                os.utime(path)
            return msgspec.msgpack.decode(body, type=kind)
        except (OSError, msgspec.DecodeError, ValueError):
            return None

    def _save(self, path: Path, value: LayerAnalysis | Analysis) -> None:
        body = msgspec.msgpack.encode(value)
        self._write(path, _MAGIC + zlib.crc32(body).to_bytes(_CHECKSUM, "big") + body)

    def _write(self, path: Path, content: bytes) -> None:
        """Write a cache entry. A cache that cannot be written to costs time, not correctness."""
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                os.replace(temporary, path)
            except OSError:
                Path(temporary).unlink(missing_ok=True)
                raise


def _checksum(raw: bytes) -> int:
    return int.from_bytes(raw[len(_MAGIC) : len(_MAGIC) + _CHECKSUM], "big")
