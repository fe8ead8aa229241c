"""The blob cache: whole blobs only, for several processes, within its size."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from imagegate.errors import DigestMismatch
from imagegate.image.cache import BlobCache, CachedSource
from imagegate.image.verify import VerifiedStream
from imagegate.model import Descriptor, Digest, RegistryRef, Repository
from tests.memory import MemorySource, make_image


def describe(raw: bytes) -> Descriptor:
    return Descriptor("x", Digest(f"sha256:{hashlib.sha256(raw).hexdigest()}"), len(raw))


@pytest.fixture
def cache(tmp_path: Path) -> BlobCache:
    return BlobCache(tmp_path / "blobs", 1024**3)


def drain(stream: object) -> bytes:
    with stream:  # type: ignore[attr-defined]
        return b"".join(iter(lambda: stream.read(7), b""))  # type: ignore[attr-defined]


def test_a_blob_read_to_its_end_is_there_afterwards(cache: BlobCache) -> None:
    raw = b"content" * 100
    assert drain(cache.tee(VerifiedStream(io.BytesIO(raw), describe(raw)), describe(raw))) == raw  # type: ignore[arg-type]
    assert cache.has(describe(raw))
    again = cache.open(describe(raw))
    assert again is not None
    assert drain(again) == raw


def test_a_blob_not_read_to_its_end_is_not_there(cache: BlobCache, tmp_path: Path) -> None:
    raw = b"content" * 100
    with cache.tee(VerifiedStream(io.BytesIO(raw), describe(raw)), describe(raw)) as stream:  # type: ignore[arg-type]
        stream.read(10)
    assert not cache.has(describe(raw))
    assert cache.open(describe(raw)) is None
    assert not list((tmp_path / "blobs" / "tmp").iterdir())


def test_a_corrupt_blob_is_never_stored(cache: BlobCache) -> None:
    raw = b"content"
    with pytest.raises(DigestMismatch):
        drain(cache.tee(VerifiedStream(io.BytesIO(b"CONTENT"), describe(raw)), describe(raw)))  # type: ignore[arg-type]
    assert not cache.has(describe(raw))
    with pytest.raises(DigestMismatch):
        cache.store_bytes(b"CONTENT", describe(raw).digest)
    assert not cache.has(describe(raw))


def test_a_blob_that_the_disk_changed_is_noticed(cache: BlobCache) -> None:
    raw = b"content"
    cache.store_bytes(raw, describe(raw).digest)
    cache.path(describe(raw).digest).write_bytes(b"CONTENT")
    stream = cache.open(describe(raw))
    assert stream is not None
    with pytest.raises(DigestMismatch):
        drain(stream)
    cache.path(describe(raw).digest).write_bytes(b"cont")
    assert cache.open(describe(raw)) is None


def test_the_longest_unused_go_first_when_it_is_full(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path, 1000)
    blobs = [bytes([number]) * 300 for number in range(5)]
    for number, raw in enumerate(blobs):
        cache.store_bytes(raw, describe(raw).digest)
        os.utime(cache.path(describe(raw).digest), (number, number)) if cache.has(describe(raw)) else None
    assert not cache.has(describe(blobs[0]))
    assert cache.has(describe(blobs[-1]))


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_writes_is_not(
    cache: BlobCache, tmp_path: Path
) -> None:
    left, living = tmp_path / "blobs/tmp/left", tmp_path / "blobs/tmp/living"
    left.write_bytes(b"x")
    living.write_bytes(b"x")
    os.utime(left, (time.time() - 100_000,) * 2)
    cache.prune()
    assert not left.exists()
    assert living.exists()


def test_nobody_else_may_look_into_it(cache: BlobCache, tmp_path: Path) -> None:
    assert (tmp_path / "blobs" / "sha256").stat().st_mode & 0o077 == 0


def _store(directory: str) -> None:
    cache = BlobCache(Path(directory), 1024**3)
    for number in range(60):
        raw = bytes([number]) * 5000
        found = cache.open(describe(raw))
        if found is None:
            cache.store_bytes(raw, describe(raw).digest)
        else:
            assert drain(found) == raw


def test_several_processes_share_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_store, args=(str(tmp_path),)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]


def test_a_cached_source_asks_for_a_blob_once_and_for_a_tag_always(cache: BlobCache) -> None:
    image, blobs = make_image()
    inner = MemorySource(RegistryRef(Repository("r.example.com", "app"), "1"), image, dict(blobs))
    source = CachedSource(inner, cache)
    layer = image.layers[0].descriptor
    assert drain(source.open_blob(layer)) == blobs[layer.digest]
    inner.blobs.clear()
    assert drain(source.open_blob(layer)) == blobs[layer.digest]
    source.resolve()
    source.resolve()
    assert inner.resolved == 2
