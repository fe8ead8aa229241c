"""Builds layers and images in memory, and writes them as OCI layouts."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from imagegate.analysis.analyze import analyze
from imagegate.analysis.store import LayerStore
from imagegate.image.verify import VerifiedStream
from imagegate.model import Analysis, Descriptor, Digest, ImageConfig, Layer, Manifest, Platform, PlatformImage
from imagegate.progress import NoProgress
from imagegate.settings import AnalysisSettings, Limits
from tests.memory import CONFIG, LAYER, MANIFEST, describe


def file(path: str, content: bytes | str = b"", *, mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    """A regular file."""
    raw = content.encode() if isinstance(content, str) else content
    info = tarfile.TarInfo(path)
    info.size, info.mode = len(raw), mode
    return info, raw


def special(path: str, kind: bytes, link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    """Anything but a regular file. kind: of tarfile's types."""
    info = tarfile.TarInfo(path)
    info.type, info.linkname, info.mode = kind, link, 0o755
    return info, b""


def directory(path: str) -> tuple[tarfile.TarInfo, bytes]:
    return special(path, tarfile.DIRTYPE)


def symlink(path: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return special(path, tarfile.SYMTYPE, target)


def hardlink(path: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return special(path, tarfile.LNKTYPE, target)


def tar(*entries: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:  # noqa: A002
    """A layer of these entries."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=format) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return raw.getvalue()


class BlobSource:
    """As much of an ImageSource as an analysis needs. opened: the digests that were read, in order."""

    def __init__(self, blobs: dict[Digest, bytes]) -> None:
        self.blobs = blobs
        self.opened: list[Digest] = []

    def open_blob(self, descriptor: Descriptor) -> BinaryIO:
        self.opened.append(descriptor.digest)
        return VerifiedStream(io.BytesIO(self.blobs[descriptor.digest]), descriptor)  # type: ignore[return-value]


def image(
    *layers: bytes, diff_ids: Sequence[str] = (), compress: bool = True, **config: Any
) -> tuple[PlatformImage, dict[Digest, bytes]]:
    """An image of these uncompressed layers, and its blobs. diff_ids: what its config claims instead of the truth."""
    claimed = list(diff_ids) or ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    packed = [gzip.compress(layer, 1, mtime=0) if compress else layer for layer in layers]
    descriptors = [describe(each, LAYER + "+gzip" if compress else LAYER) for each in packed]
    document = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": claimed}}
    raw = json.dumps(document | config).encode()
    described = describe(raw, CONFIG)
    manifest = msgspec.json.encode(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": descriptors}
    )
    built = PlatformImage(
        manifest=Manifest(describe(manifest, MANIFEST), manifest),
        platform=Platform(),
        config=msgspec.json.decode(raw, type=ImageConfig),
        config_descriptor=described,
        config_raw=raw,
        layers=tuple(Layer(each, Digest(diff_id)) for each, diff_id in zip(descriptors, claimed, strict=True)),
    )
    blobs = {each.digest: content for each, content in zip(descriptors, packed, strict=True)}
    return built, blobs | {described.digest: raw}


def write_layout(directory: Path, built: PlatformImage, blobs: dict[Digest, bytes]) -> None:
    """Write an image as an OCI layout. (OCI image-spec, image-layout.md.)"""
    store = directory / "blobs" / "sha256"
    store.mkdir(parents=True)
    for digest, content in {**blobs, built.digest: built.manifest.raw}.items():
        (store / digest.removeprefix("sha256:")).write_bytes(content)
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    index = {"schemaVersion": 2, "manifests": [built.manifest.descriptor]}
    (directory / "index.json").write_bytes(msgspec.json.encode(index))


def analysed(place: Path, *layers: bytes, settings: AnalysisSettings | None = None) -> Analysis:
    """Analyse an image of these layers; the cache is at the place."""
    built, blobs = image(*layers)
    return analyze(
        built,
        BlobSource(blobs),  # type: ignore[arg-type]
        settings=settings or AnalysisSettings(),
        limits=Limits(),
        store=LayerStore(place / "cache"),
        progress=NoProgress(),
    )
