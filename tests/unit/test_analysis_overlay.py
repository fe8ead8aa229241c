"""Layers on top of each other: the overlay must show what unpacking them one after the other leaves on a disk."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagegate.analysis.layer import LayerAnalysis
from imagegate.analysis.overlay import Overlay
from imagegate.analysis.scan import LayerScan
from imagegate.model import FileType
from imagegate.settings import AnalysisSettings, Limits
from tests.layers import directory, file, special, symlink, tar

Entry = tuple[str, str]


def scan(*entries: tuple[tarfile.TarInfo, bytes]) -> LayerAnalysis:
    reader = LayerScan("layer", frozenset(), AnalysisSettings(), Limits())
    reader.read(io.BytesIO(tar(*entries)))
    return reader.result()


def shown(*layers: LayerAnalysis) -> dict[str, FileType]:
    return {path: entry.type for path, entry in Overlay(layers).files.items()}


def test_a_whiteout_removes_a_tree_from_below_but_not_from_its_own_layer() -> None:
    below = scan(directory("d"), file("d/a"), file("d/e/b"), file("dx"))
    above = scan(file(".wh.d"), file("d/new"))
    assert set(shown(below, above)) == {"/dx", "/d/new"}


def test_an_opaque_directory_hides_what_was_in_it() -> None:
    below = scan(directory("d"), file("d/a"), file("d/e/b"))
    above = scan(file("d/new"), file("d/.wh..wh..opq"), directory("d"))
    assert set(shown(below, above)) == {"/d", "/d/new"}


def test_an_opaque_root_hides_everything() -> None:
    assert set(shown(scan(file("a"), file("d/b")), scan(file(".wh..wh..opq"), file("c")))) == {"/c"}


def test_a_file_in_place_of_a_directory_hides_its_content_and_the_other_way_round() -> None:
    assert shown(scan(file("d/a")), scan(file("d"))) == {"/d": FileType.FILE}
    assert shown(scan(file("d")), scan(file("d/a"))) == {"/d/a": FileType.FILE}


def test_a_later_entry_of_the_same_layer_wins() -> None:
    assert shown(scan(directory("d"), file("d/a"), file("d"))) == {"/d": FileType.FILE}
    assert shown(scan(file("d/a"), file("d"), directory("d"), file("d/b"))).keys() == {"/d", "/d/b"}


def test_nothing_hides_behind_a_directory_that_is_a_link_below() -> None:
    files = shown(scan(symlink("lib", "usr/lib"), file("usr/lib/a")), scan(file("lib/b")))
    assert {"/lib", "/usr/lib/a", "/lib/b"} == set(files)


def test_aufs_bookkeeping_is_no_file() -> None:
    assert shown(scan(file(".wh..wh.plnk"), file(".wh..wh.aufs"), file("a"))) == {"/a": FileType.FILE}


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/lib/x", "/usr/lib/x"), ("/abs", "/usr/lib/x"), ("/up", "/etc"), ("/loop/x", ""), ("/none/y", "/none/y")],
)
def test_links_are_followed_within_the_image(path: str, expected: str) -> None:
    layer = scan(
        symlink("lib", "usr/lib"), file("usr/lib/x"), symlink("abs", "/lib/x"), symlink("up", "../../../etc"),
        symlink("loop", "loop"),
    )  # fmt: skip
    assert Overlay([layer]).resolve(path) == expected


NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
ENTRIES = st.tuples(st.sampled_from(["file", "dir", "fifo", "whiteout", "opaque"]), PATHS)


def unpack(root: Path, layer: list[Entry]) -> None:
    """Apply a layer to a real directory, as an engine does: first what it removes, then what it brings."""
    for kind, path in layer:
        target = root / path
        if kind == "whiteout":
            remove(target)
        elif kind == "opaque" and target.is_dir():
            for child in target.iterdir():
                remove(child)
    for kind, path in layer:
        if kind in ("whiteout", "opaque"):
            continue
        target = root / path
        clear_way(root, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if kind == "dir":
            if target.exists() and not target.is_dir():
                remove(target)
            target.mkdir(exist_ok=True)
        else:
            remove(target)
            os.mkfifo(target) if kind == "fifo" else target.write_text(hashlib.sha256(repr(layer).encode()).hexdigest())


def clear_way(root: Path, path: str) -> None:
    """A file where a directory is needed gives way."""
    for parent in reversed((root / path).relative_to(root).parents):
        if (root / parent).exists() and not (root / parent).is_dir():
            remove(root / parent)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif path.parent.is_dir():
        path.unlink(missing_ok=True)


def without_conflicts(layer: list[Entry]) -> list[Entry]:
    """Leave out a directory where the same layer has a file already, and what is in it: engines do not agree on it."""
    kept: list[Entry] = []
    for kind, path in layer:
        files = [other for what, other in kept if what in ("file", "fifo")]
        if kind in ("whiteout", "opaque") or not any(
            f"{path}/".startswith(f"{other}/") and (kind == "dir" or path != other) for other in files
        ):
            kept.append((kind, path))
    return kept


def as_tar(kind: str, path: str) -> tuple[tarfile.TarInfo, bytes]:
    head, slash, name = path.rpartition("/")
    match kind:
        case "file":
            return file(path)
        case "dir":
            return directory(path)
        case "fifo":
            return special(path, tarfile.FIFOTYPE)
        case "whiteout":
            return file(f"{head}{slash}.wh.{name}")
    return file(f"{path}/.wh..wh..opq")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(ENTRIES, max_size=6).map(without_conflicts), min_size=1, max_size=4))
def test_equals_unpacking_onto_a_disk(layers: list[list[Entry]]) -> None:
    analyses = [scan(*(as_tar(kind, path) for kind, path in layer)) for layer in layers]
    found = {path: kind for path, kind in shown(*analyses).items() if kind is not FileType.DIRECTORY}
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for layer in layers:
            unpack(root, layer)
        real = {"/" + str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
    assert set(found) == real
