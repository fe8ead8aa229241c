"""The archive that an engine loads a base from: read back as an OCI layout and as what `docker save` writes."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from imagegate.build.archive import stream
from imagegate.errors import DigestMismatch
from imagegate.image.archive import ArchiveSource
from imagegate.image.layout import LayoutSource
from imagegate.image.resolve import resolve
from imagegate.model import ArchiveRef, LayoutRef, Platform, PlatformImage
from imagegate.settings import Limits
from tests.images import DEBIAN, Layout

AMD64 = Platform("linux", "amd64")


@pytest.fixture
def source(tmp_path: Path) -> LayoutSource:
    """An image of four layers, two of them the same."""
    layout = Layout(tmp_path / "layout")
    layout.name(layout.image([DEBIAN, {"a": "1"}, DEBIAN, {"b": "x" * 3000}]), "base")
    return LayoutSource(LayoutRef(str(layout.path), "base"), Limits())


def image_of(source: LayoutSource | ArchiveSource) -> PlatformImage:
    return resolve(source, platform=AMD64, all_platforms=False, limits=Limits()).images[0]


def test_an_archive_is_the_same_image_to_both_kinds_of_reader(source: LayoutSource, tmp_path: Path) -> None:
    image = image_of(source)
    file = tmp_path / "base.tar"
    file.write_bytes(b"".join(stream(image, source, Limits())))
    with tarfile.open(file) as tar:
        names = tar.getnames()
        for member in filter(tarfile.TarInfo.isfile, tar):
            path = tmp_path / "out" / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tar.extractfile(member).read())  # type: ignore[union-attr]
    assert len(names) == len(set(names))
    assert image_of(LayoutSource(LayoutRef(str(tmp_path / "out")), Limits())) == image
    with ArchiveSource(ArchiveRef(str(file)), Limits()) as archive:
        found = image_of(archive)
    assert found.config_descriptor.digest == image.config_descriptor.digest
    assert found.config.rootfs == image.config.rootfs


def test_an_archive_of_a_wrong_blob_has_no_end(source: LayoutSource, tmp_path: Path) -> None:
    image = image_of(source)
    blob = tmp_path / "layout" / "blobs" / "sha256" / image.layers[-1].descriptor.digest[7:]
    raw = bytearray(blob.read_bytes())
    raw[-1] ^= 1
    blob.write_bytes(raw)
    with pytest.raises(DigestMismatch):
        b"".join(stream(image, source, Limits()))
