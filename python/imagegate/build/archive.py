"""An image as the archive that `docker load` takes, streamed from its verified blobs.

It is an OCI image layout and has the manifest.json of `docker save` too, as engines write it since Docker 25: engines
with either kind of image store find what they know. No name is in it: the image is known by its digests only.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from imagegate.image.inflate import open_layer
from imagegate.image.source import ImageSource
from imagegate.model import Digest, Layer, PlatformImage
from imagegate.settings import Limits

_CHUNK = 1024 * 1024


def stream(image: PlatformImage, source: ImageSource, limits: Limits) -> Iterator[bytes]:
    """Yield the archive's bytes.

    zstd layers are inflated: engines before 23 cannot read them. As that archive no longer has what the manifest names,
    it has no OCI layout. Raises DigestMismatch, LimitExceeded, InvalidImage where a blob turns out to be wrong: the
    archive then has no end, and no engine takes it.
    """
    manifest = image.manifest.descriptor
    legacy = {
        "Config": _path(image.config_descriptor.digest),
        "RepoTags": None,
        "Layers": [_path(_stored(layer)) for layer in image.layers],
    }
    entry = {"mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.size}
    if not any(map(_is_zstd, image.layers)):
        yield from _member("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        yield from _member("index.json", json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode())
        yield from _member(_path(manifest.digest), image.manifest.raw)
    yield from _member("manifest.json", json.dumps([legacy]).encode())
    yield from _member(_path(image.config_descriptor.digest), image.config_raw)
    for layer in {_stored(layer): layer for layer in image.layers}.values():
        if _is_zstd(layer):
            yield from _inflated(layer, source, limits)
        else:
            with source.open_blob(layer.descriptor) as blob:
                yield from _file(_path(layer.descriptor.digest), layer.descriptor.size, blob)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _is_zstd(layer: Layer) -> bool:
    return layer.descriptor.media_type.endswith("zstd")


def _stored(layer: Layer) -> Digest:
    """Return the digest of a layer as it stands in the archive."""
    return layer.diff_id if _is_zstd(layer) else layer.descriptor.digest


def _inflated(layer: Layer, source: ImageSource, limits: Limits) -> Iterator[bytes]:
    # A tar's header states the size first, and nobody knows it yet.
    with TemporaryFile() as file:
        with open_layer(source, layer, limits) as tar:
            copyfileobj(tar, file, _CHUNK)
        size = file.tell()
        file.seek(0)
        yield from _file(_path(layer.diff_id), size, cast(BinaryIO, file))


def _path(digest: Digest) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _member(name: str, data: bytes) -> Iterator[bytes]:
    yield from _file(name, len(data), io.BytesIO(data))


def _file(name: str, size: int, content: BinaryIO) -> Iterator[bytes]:
    info = tarfile.TarInfo(name)
    info.size = size
    yield info.tobuf(tarfile.GNU_FORMAT)
    while chunk := content.read(_CHUNK):
        yield chunk
    yield bytes(-size % tarfile.BLOCKSIZE)
