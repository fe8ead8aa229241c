"""From a reference to an image: what hostile manifests and indexes try."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagegate.errors import DigestMismatch, ImageNotFound, InvalidImage, LimitExceeded
from imagegate.image.layout import LayoutSource
from imagegate.image.resolve import resolve
from imagegate.model import LayoutRef, Platform, ResolvedImage
from imagegate.settings import Limits
from tests.images import DEBIAN, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Layout

LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def look(
    layout: Layout, descriptor: dict[str, Any], *, platform: str = "amd64", everything: bool = False, **limits: int
) -> ResolvedImage:
    layout.name(descriptor, "x")
    system, _, variant = platform.partition("/")
    source = LayoutSource(LayoutRef(str(layout.path), "x"), Limits())
    wanted = Platform("linux", system, variant)
    return resolve(source, platform=wanted, all_platforms=everything, limits=Limits(**limits))


def manifest(layout: Layout, **changes: Any) -> dict[str, Any]:
    """Store a manifest of one layer with some members changed, `None` to leave one out."""
    whole = json.loads((layout.path / "blobs/sha256" / layout.image([DEBIAN])["digest"][7:]).read_text())
    document = {key: value for key, value in {**whole, **changes}.items() if value is not None}
    return layout.blob(json.dumps(document).encode(), OCI_MANIFEST)


def test_an_image_is_its_manifest_config_and_layers(layout: Layout) -> None:
    descriptor = layout.image([DEBIAN, {"a": "b"}], config={"User": "app"})
    image = look(layout, descriptor)
    assert image.digest == image.images[0].digest == descriptor["digest"]
    assert image.images[0].config.runtime.user == "app"
    assert len(image.images[0].layers) == 2


def test_an_index_gives_the_wanted_platform_and_that_is_the_root(layout: Layout) -> None:
    amd64, arm64 = layout.image([DEBIAN]), layout.image([DEBIAN], architecture="arm64")
    index = layout.index([("amd64", amd64), ("arm64", arm64)])
    assert look(layout, index).digest == amd64["digest"]
    assert look(layout, index, platform="arm64").digest == arm64["digest"]
    assert look(layout, index, platform="arm64/v8").digest == arm64["digest"]
    with pytest.raises(ImageNotFound, match="it has linux/amd64, linux/arm64"):
        look(layout, index, platform="s390x")


def test_all_platforms_are_the_index_with_everything_below_it(layout: Layout) -> None:
    amd64, arm64 = layout.image([DEBIAN]), layout.image([DEBIAN], architecture="arm64")
    index = layout.index([("amd64", amd64), ("arm64", arm64)])
    image = look(layout, index, everything=True)
    assert image.digest == index["digest"]
    assert {each.digest for each in image.images} == {amd64["digest"], arm64["digest"]}
    assert {each.descriptor.digest for each in image.manifests} == {amd64["digest"], arm64["digest"]}


def test_attestations_are_copied_and_not_evaluated(layout: Layout) -> None:
    image, about = layout.image([DEBIAN]), layout.image([{"provenance": "{}"}])
    entries = [
        {**image, "platform": {"os": "linux", "architecture": "amd64"}},
        {
            **about,
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
        },
    ]
    index = layout.blob(
        json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode(), OCI_INDEX
    )
    found = look(layout, index, everything=True)
    assert [each.digest for each in found.images] == [image["digest"]]
    assert about["digest"] in {each.descriptor.digest for each in found.manifests}
    assert look(layout, index).digest == image["digest"]


def test_nested_indexes_are_walked_to_the_limit_children_first(layout: Layout) -> None:
    image = layout.image([DEBIAN])
    inner = layout.index([("amd64", image)])
    nested = layout.blob(
        json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [inner]}).encode(), OCI_INDEX
    )
    found = look(layout, nested, everything=True)
    assert [each.descriptor.digest for each in found.manifests] == [image["digest"], inner["digest"]]
    with pytest.raises(LimitExceeded, match=r"limits\.index_depth"):
        look(layout, nested, index_depth=1)


def test_huge_indexes_are_refused(layout: Layout) -> None:
    image = layout.image([DEBIAN])
    index = layout.index([("amd64", image)] * 300)
    with pytest.raises(LimitExceeded, match=r"limits\.index_entries"):
        look(layout, index)


def test_an_index_that_lies_about_a_platform_is_refused(layout: Layout) -> None:
    index = layout.index([("arm64", layout.image([DEBIAN]))])
    with pytest.raises(InvalidImage, match="its index says linux/arm64"):
        look(layout, index, platform="arm64")


@pytest.mark.parametrize(
    "changes",
    [
        {"manifests": []},
        {"schemaVersion": 1},
        {"fsLayers": [], "schemaVersion": 1},
        {"mediaType": OCI_INDEX},
        {"mediaType": LIST},
        {"config": None},
        {"layers": None, "config": None},
        {"layers": []},
        {"layers": [{"mediaType": OCI_LAYER, "digest": "sha256:../../etc/passwd", "size": 1}]},
        {"layers": [{"mediaType": OCI_LAYER, "digest": "md5:x", "size": 1}]},
        {
            "layers": [
                {
                    "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                    "digest": "sha256:" + "0" * 64,
                    "size": 1,
                    "urls": ["https://example.com"],
                }
            ]
        },
    ],
)
def test_manifests_that_are_none_or_more_than_one_are_refused(layout: Layout, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidImage):
        look(layout, manifest(layout, **changes))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"schemaVersion": 2',
        b'{"a":' * 100_000,
        b"[" * 100_000,
        b'{"schemaVersion": "2"}',
    ],
)
def test_what_is_no_manifest_is_a_clear_error(layout: Layout, raw: bytes) -> None:
    with pytest.raises(InvalidImage):
        look(layout, layout.blob(raw, OCI_MANIFEST))


def test_a_key_that_stands_twice_is_refused(layout: Layout) -> None:
    descriptor = layout.image([DEBIAN])
    raw = (layout.path / "blobs/sha256" / descriptor["digest"][7:]).read_bytes()
    doubled = raw.replace(b'"layers":', b'"layers": [], "layers":', 1)
    with pytest.raises(InvalidImage, match="names a key twice"):
        look(layout, layout.blob(doubled, OCI_MANIFEST))


def test_a_config_with_other_layers_is_refused(layout: Layout) -> None:
    config = layout.blob(json.dumps({"os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode(), OCI_CONFIG)
    with pytest.raises(InvalidImage, match="its config names 0"):
        look(layout, manifest(layout, config=config))


def test_sizes_and_numbers_have_limits(layout: Layout) -> None:
    descriptor = layout.image([DEBIAN, {"a": "1"}, {"b": "2"}])
    for name in ("manifest_size", "config_size", "layers"):
        with pytest.raises(LimitExceeded, match=rf"limits\.{name}"):
            look(layout, descriptor, **{name: 2})


def test_corrupt_and_missing_blobs(layout: Layout) -> None:
    descriptor = layout.image([DEBIAN])
    file = layout.path / "blobs/sha256" / descriptor["digest"][7:]
    raw = file.read_bytes()
    file.write_bytes(raw.replace(b"layers", b"Layers"))
    with pytest.raises(DigestMismatch):
        look(layout, descriptor)
    file.unlink()
    with pytest.raises(ImageNotFound):
        look(layout, descriptor)
    file.symlink_to("/etc/passwd")
    with pytest.raises(InvalidImage):
        look(layout, descriptor)


def test_a_layout_with_several_images_wants_a_name(layout: Layout) -> None:
    one, two = layout.image([DEBIAN]), layout.image([{"a": "b"}])
    layout.name(one, "one")
    layout.name(two, "two")
    source = LayoutSource(LayoutRef(str(layout.path)), Limits())
    with pytest.raises(ImageNotFound, match="one, two"):
        source.resolve()
    assert LayoutSource(LayoutRef(str(layout.path), "two"), Limits()).resolve().descriptor.digest == two["digest"]
    with pytest.raises(ImageNotFound):
        LayoutSource(LayoutRef(str(layout.path), "three"), Limits()).resolve()


def test_what_is_no_layout(tmp_path: Path) -> None:
    with pytest.raises(ImageNotFound, match="is no OCI layout"):
        LayoutSource(LayoutRef(str(tmp_path)), Limits()).resolve()
    (tmp_path / "index.json").write_text("[]")
    with pytest.raises(InvalidImage):
        LayoutSource(LayoutRef(str(tmp_path)), Limits()).resolve()
