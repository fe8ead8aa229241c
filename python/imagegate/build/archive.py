"""An image as the archive that `docker load` takes, streamed from its verified blobs.

It is an OCI image layout and has the manifest.json of `docker save` too, as engines write it since Docker 25: engines
with either kind of image store find what they know. No name is in it: the image is known by its digests only.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator

from imagegate.image.source import ImageSource
from imagegate.model import Descriptor, PlatformImage

_CHUNK = 1024 * 1024


def stream(image: PlatformImage, source: ImageSource) -> Iterator[bytes]:
    """Yield the archive's bytes.

    Raises DigestMismatch where a blob turns out to be wrong: the archive then has no end, and no engine takes it.
    """
    manifest = image.manifest.descriptor
    legacy = {
        "Config": _path(image.config_descriptor),
        "RepoTags": None,
        "Layers": [_path(layer.descriptor) for layer in image.layers],
    }
    entry = {"mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.size}
    yield from _member("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    yield from _member("index.json", json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode())
    yield from _member("manifest.json", json.dumps([legacy]).encode())
    yield from _member(_path(manifest), image.manifest.raw)
    yield from _member(_path(image.config_descriptor), image.config_raw)
    for layer in {layer.descriptor.digest: layer.descriptor for layer in image.layers}.values():
        yield _header(_path(layer), layer.size)
        with source.open_blob(layer) as blob:
            while chunk := blob.read(_CHUNK):
                yield chunk
        yield _padding(layer.size)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _path(descriptor: Descriptor) -> str:
    return f"blobs/{descriptor.digest.replace(':', '/')}"


def _member(name: str, data: bytes) -> Iterator[bytes]:
    yield _header(name, len(data)) + data + _padding(len(data))


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
