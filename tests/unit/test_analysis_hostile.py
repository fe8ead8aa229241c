"""Input that is meant to cost time: what grows with the square of its size is a way to stop a gate."""

from __future__ import annotations

import io
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imagegate.analysis.analyze import analyze
from imagegate.analysis.catalogers import cataloger_of
from imagegate.analysis.foreign import Mark, is_foreign
from imagegate.analysis.readahead import ReadAhead
from imagegate.analysis.scan import LayerScan
from imagegate.analysis.store import LayerStore
from imagegate.errors import DigestMismatch
from imagegate.progress import NoProgress
from imagegate.settings import AnalysisSettings, Limits
from tests.layers import BlobSource, directory, file, image, tar


@contextmanager
def seconds(most: float) -> Iterator[None]:
    start = time.process_time()
    yield
    assert time.process_time() - start < most


@pytest.mark.parametrize(
    "path", ["/var/lib/dpkg/status", "/x/a.dist-info/METADATA", "/package.json", "/specifications/a-1.gemspec"]
)
@pytest.mark.parametrize(
    "content",
    [
        b"Version: " + b" " * 1_000_000 + b"x",
        b"x" * 1_000_000,
        b"\n" * 1_000_000,
        b"Name: a\nVersion: 1\n" * 200_000,
        b" \t\r" * 1_000_000,
    ],
)
def test_catalogers_take_time_in_proportion(path: str, content: bytes) -> None:
    cataloger = cataloger_of(path)
    assert cataloger
    with seconds(4):
        cataloger.parse(path, content)


def test_extended_headers_take_time_in_proportion() -> None:
    info, content = file("a", "x")
    info.pax_headers = {f"k{number}": "v" for number in range(70_000)}
    scan = LayerScan("layer", frozenset(), AnalysisSettings(), Limits())
    raw = tar((info, content))
    with seconds(4):
        scan.read(io.BytesIO(raw))


def test_taking_turns_as_file_and_directory_takes_time_in_proportion() -> None:
    entries = [each for number in range(5000) for each in (directory("d"), file(f"d/{number}"), file("d"))]
    scan = LayerScan("layer", frozenset(), AnalysisSettings(), Limits())
    raw = tar(*entries)
    with seconds(4):
        scan.read(io.BytesIO(raw))
    assert [entry.path for entry in scan.result().files] == ["/d"]


def test_a_deep_path_does_not_exhaust_the_stack(tmp_path: Path) -> None:
    built, blobs = image(tar(file("d/" * 2000 + "a")), tar(file("d/" * 2000 + "b")))
    arguments = {"settings": AnalysisSettings(catalogers="native"), "limits": Limits(), "progress": NoProgress()}
    found = analyze(built, BlobSource(blobs), store=LayerStore(tmp_path), **arguments)  # type: ignore[arg-type]
    assert len(found.files) == 2


@pytest.mark.parametrize("cut", [1, 5, 13])
def test_a_mark_across_two_chunks_is_seen(cut: int) -> None:
    mark = b"\xff Go buildinf:"
    content = b"\x7fELF" + bytes(100) + mark + bytes(100)
    at = 104 + cut
    for since in (0, 1, 104):
        whole = Mark(mark, since)
        whole.feed(content[:at])
        assert not whole.found
        whole.feed(content[at:])
        assert whole.found
    slowly = Mark(mark)
    for index in range(len(content)):
        slowly.feed(content[index : index + 1])
    assert slowly.found


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/app/x.jar", False), ("/app/x.exe", True), ("/lib/apk/db/installed", False), ("/var/lib/rpm/Packages", True),
        ("/usr/local/bin/python3.11", True), ("/usr/local/bin/node", True), ("/usr/local/go/VERSION", True),
        ("/usr/bin/python-config", False), ("/app/jar", False), ("/nix/store/abc-x", True),
    ],
)  # fmt: skip
def test_which_names_are_for_syft(path: str, expected: bool) -> None:
    assert is_foreign(path) is expected


class _Failing(io.RawIOBase):
    """A stream that turns out to be corrupt after some chunks."""

    def __init__(self) -> None:
        self.left = 3

    def read(self, size: int = -1) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise DigestMismatch("corrupt")
        return b"x" * size


def test_an_error_in_the_reading_thread_is_raised_where_the_data_would_have_been() -> None:
    with ReadAhead(_Failing()) as ahead:  # type: ignore[arg-type]
        assert len(ahead.read(100)) == 100
        with pytest.raises(DigestMismatch):
            list(iter(lambda: ahead.read(1 << 20), b""))


def test_a_reader_that_stops_early_leaves_no_thread_behind() -> None:
    ahead = ReadAhead(io.BytesIO(bytes(50 << 20)))
    ahead.read(10)
    ahead.close()
    assert not ahead._thread.is_alive()


def _analyse_often(directory: str, results: multiprocessing.Queue[int]) -> None:
    built, blobs = image(tar(*(file(f"f{number}", str(number)) for number in range(200))))
    arguments = {"settings": AnalysisSettings(catalogers="native"), "limits": Limits(), "progress": NoProgress()}
    for _ in range(20):
        found = analyze(built, BlobSource(blobs), store=LayerStore(Path(directory)), **arguments)  # type: ignore[arg-type]
        results.put(len(found.files))
        for path in Path(directory).glob("images/*"):
            path.unlink(missing_ok=True)


def test_processes_share_a_cache(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[int] = context.Queue()
    processes = [context.Process(target=_analyse_often, args=(str(tmp_path), results)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [results.get(timeout=60) for _ in range(60)] == [200] * 60
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert not list(tmp_path.rglob(".new-*"))
