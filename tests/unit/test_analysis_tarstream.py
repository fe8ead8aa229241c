"""Layers as tar streams: every dialect that builders write, and the malformed ones that nobody should."""

from __future__ import annotations

import contextlib
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegate.analysis.tarstream import Member, TarStream, normalise, text
from imagegate.errors import InvalidImage, LimitExceeded
from imagegate.model import FileType
from imagegate.settings import Limits
from tests.layers import directory, file, hardlink, special, symlink, tar

LONG = "d" * 90 + "/" + "e" * 90 + "/" + "f" * 200


def members(raw: bytes, limits: Limits | None = None) -> list[Member]:
    return list(TarStream(io.BytesIO(raw), limits or Limits()))


def contents(raw: bytes) -> dict[str, bytes]:
    stream = TarStream(io.BytesIO(raw), Limits())
    return {member.path: stream.read(10**9) for member in stream}


@pytest.mark.parametrize("dialect", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_reads_what_tarfile_writes(dialect: int) -> None:
    path = "a" * 90 + "/" + "b" * 60
    raw = tar(directory("./a/"), file("./" + path, "one"), symlink("l", "../up"), hardlink("h", "./a"), format=dialect)
    found = members(raw)
    assert [(each.path, each.type, each.link) for each in found] == [
        ("/a", FileType.DIRECTORY, ""),
        ("/" + path, FileType.FILE, ""),
        ("/l", FileType.SYMLINK, "../up"),
        ("/h", FileType.HARDLINK, "/a"),
    ]
    assert contents(raw)["/" + path] == b"one"


@pytest.mark.parametrize("dialect", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_links_and_large_ids(dialect: int) -> None:
    info, content = file(LONG, "x")
    info.uid, info.gid, info.mode = 3_000_000_000, 2_500_000, 0o4755
    raw = tar((info, content), symlink("s", "/" + LONG), hardlink("h", LONG), format=dialect)
    one, link, hard = members(raw)
    assert (one.path, one.uid, one.gid, one.mode) == ("/" + LONG, 3_000_000_000, 2_500_000, 0o4755)
    assert link.link == hard.link == "/" + LONG


def test_devices_and_fifos_are_entries_without_content() -> None:
    raw = tar(special("c", tarfile.CHRTYPE), special("b", tarfile.BLKTYPE), special("f", tarfile.FIFOTYPE))
    assert [each.type for each in members(raw)] == [FileType.CHARACTER, FileType.BLOCK, FileType.FIFO]


def test_a_size_in_an_extended_header_wins() -> None:
    info, content = file("a", b"x" * 700)
    info.pax_headers = {"size": "700", "comment": "a\nb", "SCHILY.xattr.user.x": "y"}
    assert contents(tar((info, content), file("b", "2"))) == {"/a": b"x" * 700, "/b": b"2"}


@pytest.mark.parametrize("path", ["../etc/passwd", "a/../../b", "..", "/..", "a/..", "./../x"])
def test_paths_that_leave_the_root_are_refused(path: str) -> None:
    with pytest.raises(InvalidImage, match="leaves the image's root"):
        members(tar(file(path)))


def test_a_hard_link_that_leaves_the_root_is_refused() -> None:
    with pytest.raises(InvalidImage, match="leaves the image's root"):
        members(tar(hardlink("a", "../../etc/shadow")))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/etc/x", "/etc/x"), ("./a//b/./c/", "/a/b/c"), (".", "/"), ("./", "/"), ("", "/"), ("...", "/..."),
        ("a/..b/c..", "/a/..b/c.."), (".hidden", "/.hidden"), ("./.wh.x", "/.wh.x"),
    ],
)  # fmt: skip
def test_paths_are_below_the_root(path: str, expected: str) -> None:
    assert normalise(path) == expected


@given(st.binary(min_size=1, max_size=12), st.binary(min_size=1, max_size=12))
def test_different_names_stay_different_and_are_text(one: bytes, other: bytes) -> None:
    text(one).encode("utf-8")
    assert (text(one) == text(other)) == (one == other)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda raw: raw[:600], "ends within a file"),
        (lambda raw: raw[:300], "ends within a header"),
        (lambda raw: b"X" + raw[1:], "checksum"),
        (lambda raw: b"\x1f\x8b" + bytes(1000), "checksum"),
    ],
)
def test_damage_is_refused(damage: object, why: str) -> None:
    raw = tar(file("a", b"x" * 5000))
    with pytest.raises(InvalidImage, match=why):
        members(damage(raw))  # type: ignore[operator]


@given(st.integers(0, 1535), st.integers(0, 255))
def test_no_byte_of_a_header_makes_it_crash(at: int, byte: int) -> None:
    raw = bytearray(tar(file("a" * 120, b"x"), format=tarfile.GNU_FORMAT))
    raw[at] = byte
    with contextlib.suppress(InvalidImage):
        members(bytes(raw))


def with_type(kind: bytes) -> bytes:
    raw = bytearray(tar(file("a")))
    raw[156:157] = kind
    raw[148:156] = b"%06o\0 " % (sum(raw[:148]) + sum(raw[156:512]) + 8 * 32)
    return bytes(raw)


@pytest.mark.parametrize(("kind", "what"), [(b"S", "sparse"), (b"Z", "entry of type b'Z'")])
def test_unknown_and_sparse_entries_are_refused(kind: bytes, what: str) -> None:
    with pytest.raises(InvalidImage, match=what):
        members(with_type(kind))


def test_sparse_files_of_pax_are_refused() -> None:
    info, content = file("a", "x")
    info.pax_headers = {"GNU.sparse.major": "1"}
    with pytest.raises(InvalidImage, match="sparse"):
        members(tar((info, content)))


@pytest.mark.parametrize(
    ("limits", "setting"),
    [(Limits(layer_entries=2), "limits.layer_entries"), (Limits(path_length=50), "limits.path_length")],
)
def test_limits_name_their_setting(limits: Limits, setting: str) -> None:
    with pytest.raises(LimitExceeded) as caught:
        members(tar(file("a"), file("b"), file("c" * 60)), limits)
    assert setting in caught.value.hint


def test_an_extended_header_without_end_is_refused() -> None:
    info, content = file("a", "x")
    info.pax_headers = {"comment": "x" * 2_000_000}
    with pytest.raises(LimitExceeded):
        members(tar((info, content)))
