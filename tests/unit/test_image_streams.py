"""Blobs and layers while they stream: believed only at their verified end."""

from __future__ import annotations

import gzip
import hashlib
import io

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from imagegate.errors import DigestMismatch, InvalidImage, LimitExceeded
from imagegate.image.inflate import open_layer
from imagegate.image.verify import VerifiedStream
from imagegate.model import Descriptor, Digest, Layer
from imagegate.settings import Limits

TAR = bytes(range(256)) * 4096


def digest(raw: bytes) -> Digest:
    return Digest(f"sha256:{hashlib.sha256(raw).hexdigest()}")


class Blob:
    """A source of one blob, whatever its descriptor says."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def open_blob(self, descriptor: Descriptor) -> VerifiedStream:
        return VerifiedStream(io.BytesIO(self.raw), descriptor)


def read_layer(blob: bytes, tar: bytes = TAR, *, limits: Limits = Limits(), stated: bytes | None = None) -> bytes:  # noqa: B008
    stated = blob if stated is None else stated
    layer = Layer(Descriptor("x", digest(stated), len(stated)), digest(tar))
    with open_layer(Blob(blob), layer, limits) as stream:  # type: ignore[arg-type]
        return b"".join(iter(lambda: stream.read(10_000), b""))


@given(st.binary(max_size=300), st.integers(1, 50))
def test_a_blob_comes_through_as_it_is(raw: bytes, size: int) -> None:
    stream = VerifiedStream(io.BytesIO(raw), Descriptor("x", digest(raw), len(raw)))
    assert b"".join(iter(lambda: stream.read(size), b"")) == raw
    assert stream.verified


@given(st.binary(min_size=1, max_size=100), st.integers(0, 99), st.integers(1, 255))
def test_a_changed_byte_is_noticed(raw: bytes, place: int, change: int) -> None:
    place %= len(raw)
    changed = raw[:place] + bytes([raw[place] ^ change]) + raw[place + 1 :]
    stream = VerifiedStream(io.BytesIO(changed), Descriptor("x", digest(raw), len(raw)))
    with pytest.raises(DigestMismatch):
        stream.read()


@pytest.mark.parametrize("raw", [b"longer", b"lo", b""])
def test_a_blob_of_another_length_is_noticed(raw: bytes) -> None:
    stream = VerifiedStream(io.BytesIO(raw), Descriptor("x", digest(b"long"), 4))
    with pytest.raises(DigestMismatch):
        stream.read()


@pytest.mark.parametrize(
    "blob",
    [
        TAR,
        gzip.compress(TAR),
        gzip.compress(TAR[:1000]) + gzip.compress(TAR[1000:]),
        zstandard.compress(TAR),
        zstandard.compress(TAR[:1000]) + zstandard.compress(TAR[1000:]),
    ],
    ids=["plain", "gzip", "gzip members", "zstd", "zstd frames"],
)
def test_layers_are_inflated_whatever_their_form(blob: bytes) -> None:
    assert read_layer(blob) == TAR


@pytest.mark.parametrize("blob", [gzip.compress(TAR), zstandard.compress(TAR)], ids=["gzip", "zstd"])
def test_a_layer_cut_short_is_refused_even_when_its_digest_is_right(blob: bytes) -> None:
    with pytest.raises(InvalidImage):
        read_layer(blob[:-7])
    with pytest.raises(InvalidImage):
        read_layer(blob[: len(blob) // 2])


def test_a_layer_of_other_content_than_the_config_names_is_refused() -> None:
    with pytest.raises(DigestMismatch, match="is not the one that its image's config names"):
        read_layer(gzip.compress(TAR), tar=b"another")


def test_a_layer_whose_blob_is_not_the_stated_one_is_refused() -> None:
    other = bytes([1]) + TAR[1:]
    for blob in (other, gzip.compress(other)):
        with pytest.raises(InvalidImage):
            read_layer(blob, tar=other, stated=b"x" * len(blob))


def test_a_compressed_blob_cannot_pass_for_the_plain_layer_of_its_own_digest() -> None:
    blob = gzip.compress(TAR)
    with pytest.raises(DigestMismatch):
        read_layer(blob, tar=blob)


def test_garbage_after_the_end_is_refused() -> None:
    with pytest.raises(InvalidImage):
        read_layer(gzip.compress(TAR) + b"garbage")


def test_bombs_are_stopped_at_the_limit_that_is_named() -> None:
    zeros = bytes(100 * 1024**2)
    with pytest.raises(LimitExceeded, match=r"limits\.layer_size"):
        read_layer(gzip.compress(zeros, 9), zeros, limits=Limits(layer_size=1024**2))
    with pytest.raises(LimitExceeded, match=r"limits\.compression_ratio"):
        read_layer(zstandard.compress(zeros, 19), zeros)
    small = bytes(10 * 1024**2)
    assert read_layer(zstandard.compress(small, 19), small) == small, "a small layer of zeros is no bomb"
