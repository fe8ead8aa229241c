"""Docker archives, old and new, honest and not; and the manifest that a registry gets of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import zstandard

from imagegate.errors import DigestMismatch, ImageNotFound, InvalidImage
from imagegate.image.archive import ArchiveSource
from imagegate.image.cache import BlobCache
from imagegate.image.inflate import open_layer
from imagegate.image.repack import repack
from imagegate.image.resolve import resolve
from imagegate.model import ArchiveRef, Platform, ResolvedImage
from imagegate.progress import NoProgress
from imagegate.settings import Limits
from tests.images import DEBIAN, digest_of, make_layer

LAYERS = [make_layer(DEBIAN), make_layer({"app/a": "b"})]


def config_of(layers: list[bytes], **changes: Any) -> bytes:
    labels = {"org.opencontainers.image.base.name": "r.example.com/base:1", "other": "x"}
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
    }
    return json.dumps({**document, **changes}).encode()


def write(path: Path, members: dict[str, bytes | tarfile.TarInfo], mode: str = "w") -> ArchiveRef:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return ArchiveRef(str(path))


def archive(path: Path, layers: list[bytes] = LAYERS, **changes: Any) -> ArchiveRef:
    config = config_of(layers)
    names = [f"{hashlib.sha256(layer).hexdigest()}/layer.tar" for layer in layers]
    entry = {"Config": "config.json", "RepoTags": ["app:1.0"], "Layers": names, **changes}
    members = {"config.json": config, **dict(zip(names, layers, strict=True))}
    return write(path, {**members, "manifest.json": json.dumps([entry]).encode()})


def look(source: Any) -> ResolvedImage:
    return resolve(source, platform=Platform(), all_platforms=False, limits=Limits())


def read(source: Any, image: ResolvedImage) -> list[bytes]:
    tars = []
    for layer in image.images[0].layers:
        with open_layer(source, layer, Limits()) as stream:
            tars.append(stream.read())
    return tars


def test_an_archive_is_read_in_place(tmp_path: Path) -> None:
    source = ArchiveSource(archive(tmp_path / "a.tar"), Limits())
    assert read(source, look(source)) == LAYERS


def test_labels_of_oci_become_annotations_so_that_the_proof_travels(tmp_path: Path) -> None:
    image = look(ArchiveSource(archive(tmp_path / "a.tar"), Limits()))
    annotations = json.loads(image.root.raw)["annotations"]
    assert annotations == {"org.opencontainers.image.base.name": "r.example.com/base:1"}


def test_repacking_gives_the_same_digest_each_time(tmp_path: Path) -> None:
    ref = archive(tmp_path / "a.tar")
    digests = set()
    for name in ("one", "two"):
        cache = BlobCache(tmp_path / name, 1024**3)
        source = repack(ArchiveSource(ref, Limits()), cache, NoProgress())
        image = look(source)
        digests.add(image.digest)
        assert read(source, image) == LAYERS
        assert all(cache.has(layer.descriptor) for layer in image.images[0].layers)
    assert len(digests) == 1


def squeeze(layer: bytes, how: str) -> bytes:
    return gzip.compress(layer) if how == "gzip" else zstandard.ZstdCompressor().compress(layer)


@pytest.mark.parametrize("how", ["gzip", "zstd"])
@pytest.mark.parametrize("name", ["blobs/sha256/{}", "{}.tar.gz", "sha256:{}", "layer-{}/layer.tar"])
def test_compressed_layers_are_read_and_copied_as_they_are(tmp_path: Path, how: str, name: str) -> None:
    """Engines with containerd's image store, crane and bazel write such archives."""
    packed = [squeeze(layer, how) for layer in LAYERS]
    names = [name.format(hashlib.sha256(each).hexdigest()) for each in packed]
    entry = {"Config": "config.json", "RepoTags": None, "Layers": names}
    members = {"config.json": config_of(LAYERS), **dict(zip(names, packed, strict=True))}
    ref = write(tmp_path / "a.tar", {**members, "manifest.json": json.dumps([entry]).encode()})
    source = ArchiveSource(ref, Limits())
    assert read(source, look(source)) == LAYERS
    pushable = repack(ArchiveSource(ref, Limits()), BlobCache(tmp_path / "c", 1024**3), NoProgress())
    image = look(pushable)
    assert [layer.descriptor.digest for layer in image.images[0].layers] == [digest_of(each) for each in packed]
    assert image.images[0].layers[0].descriptor.media_type.endswith(how)
    assert read(pushable, image) == LAYERS


def test_a_compressed_layer_that_is_not_what_its_name_says_is_refused(tmp_path: Path) -> None:
    name = f"blobs/sha256/{'1' * 64}"
    entry = {"Config": "config.json", "RepoTags": None, "Layers": [name]}
    members = {"config.json": config_of(LAYERS[:1]), name: gzip.compress(LAYERS[0])}
    ref = write(tmp_path / "a.tar", {**members, "manifest.json": json.dumps([entry]).encode()})
    source = ArchiveSource(ref, Limits())
    with pytest.raises(DigestMismatch):
        read(source, look(source))
    with pytest.raises(DigestMismatch):
        look(repack(ArchiveSource(ref, Limits()), BlobCache(tmp_path / "c", 1024**3), NoProgress()))


def test_repacking_checks_every_diff_id(tmp_path: Path) -> None:
    honest = [make_layer({"a": "1"})]
    name = "layer.tar"
    entry = {"Config": "config.json", "RepoTags": None, "Layers": [name]}
    members = {"config.json": config_of(honest), name: make_layer({"a": "2"})}
    ref = write(tmp_path / "a.tar", {**members, "manifest.json": json.dumps([entry]).encode()})  # type: ignore[dict-item]
    with pytest.raises(DigestMismatch):
        look(repack(ArchiveSource(ref, Limits()), BlobCache(tmp_path / "c", 1024**3), NoProgress()))


def test_layers_that_two_images_share_are_links_in_old_archives(tmp_path: Path) -> None:
    link = tarfile.TarInfo("bbb/layer.tar")
    link.type, link.linkname = tarfile.SYMTYPE, "../aaa/layer.tar"
    entry = {"Config": "config.json", "RepoTags": None, "Layers": ["aaa/layer.tar", "bbb/layer.tar"]}
    layers = [LAYERS[0], LAYERS[0]]
    members = {
        "config.json": config_of(layers),
        "aaa/layer.tar": LAYERS[0],
        "bbb/layer.tar": link,
        "manifest.json": json.dumps([entry]).encode(),
    }
    source = ArchiveSource(write(tmp_path / "a.tar", members), Limits())  # type: ignore[arg-type]
    assert read(source, look(source)) == layers


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../etc/passwd", "nothing"])
def test_a_link_out_of_the_archive_leads_nowhere(tmp_path: Path, target: str) -> None:
    link = tarfile.TarInfo("layer.tar")
    link.type, link.linkname = tarfile.SYMTYPE, target
    entry = {"Config": "config.json", "RepoTags": None, "Layers": ["layer.tar"]}
    members = {"config.json": config_of([b""]), "layer.tar": link, "manifest.json": json.dumps([entry]).encode()}
    with pytest.raises(InvalidImage):
        look(ArchiveSource(write(tmp_path / "a.tar", members), Limits()))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["../config.json", "/etc/passwd", "none"])
def test_names_outside_the_archive_are_not_in_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidImage):
        look(ArchiveSource(archive(tmp_path / "a.tar", Config=name), Limits()))


def test_an_image_among_several_is_chosen_by_name(tmp_path: Path) -> None:
    entries = [
        {"Config": "one.json", "RepoTags": ["app:1"], "Layers": ["one.tar"]},
        {"Config": "two.json", "RepoTags": ["app:2"], "Layers": ["two.tar"]},
    ]
    members = {
        "one.json": config_of(LAYERS[:1]),
        "one.tar": LAYERS[0],
        "two.json": config_of(LAYERS[1:]),
        "two.tar": LAYERS[1],
        "manifest.json": json.dumps(entries).encode(),
    }
    path = str(write(tmp_path / "a.tar", members).path)  # type: ignore[arg-type]
    with pytest.raises(ImageNotFound, match="app:1, app:2"):
        look(ArchiveSource(ArchiveRef(path), Limits()))
    chosen = ArchiveSource(ArchiveRef(path, "app:2"), Limits())
    assert read(chosen, look(chosen)) == LAYERS[1:]


def test_what_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(ImageNotFound):
        look(ArchiveSource(ArchiveRef(str(tmp_path / "none.tar")), Limits()))
    (tmp_path / "text.tar").write_text("hello" * 1000)
    with pytest.raises(InvalidImage):
        look(ArchiveSource(ArchiveRef(str(tmp_path / "text.tar")), Limits()))
    with pytest.raises(InvalidImage, match=r"manifest\.json"):
        look(ArchiveSource(write(tmp_path / "empty.tar", {"a": b"b"}), Limits()))
    packed = write(tmp_path / "packed.tar.gz", {"manifest.json": b"[]"}, "w:gz")
    with pytest.raises(InvalidImage, match="unpacked first"):
        look(ArchiveSource(packed, Limits()))
