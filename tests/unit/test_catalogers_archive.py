"""Archives that are odd, damaged or hostile: what can be read is told, and nothing takes more than its share."""

from __future__ import annotations

import io
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagegate.analysis.catalogers import java
from imagegate.analysis.catalogers.archive import Archive, Budget, Damaged, NoArchive
from imagegate.analysis.catalogers.cataloger import Unreadable
from imagegate.analysis.catalogers.window import Window
from tests.jars import archive, jar, maven, pom

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\\"), min_size=1, max_size=20)


def opened(raw: bytes) -> Archive:
    return Archive(io.BytesIO(raw), Budget(), lambda name: True)


def contents(raw: bytes) -> dict[str, bytes]:
    made = opened(raw)
    return {name: made.read(entry, 1 << 20) for name, entry in made.entries.items()}


def names(raw: bytes, path: str = "/app/a.jar") -> set[tuple[str, str]]:
    return {(each.name, each.version) for each in java.parse(path, io.BytesIO(raw)).packages}


@contextmanager
def seconds(most: float) -> Iterator[None]:
    start = time.process_time()
    yield
    assert time.process_time() - start < most


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=300)), st.booleans(), st.binary(max_size=50), st.binary(max_size=50))
def test_what_zipfile_writes_is_read(entries: dict[str, bytes], packed: bool, before: bytes, comment: bytes) -> None:
    """before: bytes that self-executing archives have in front, as a shell reads them."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as made:
        made.comment = comment.replace(b"PK", b"")
        for name, content in entries.items():
            made.writestr(name, content)
    assert contents(before + raw.getvalue()) == {name.replace("\\", "/"): each for name, each in entries.items()}


def test_an_archive_of_zip64_is_read() -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as made:
        for number in range(66_000):
            made.writestr(str(number), b"")
        with made.open("large", "w", force_zip64=True) as entry:
            entry.write(b"content")
    made_again = opened(raw.getvalue())
    assert len(made_again.entries) == 66_001
    assert made_again.read(made_again.entries["large"], 100) == b"content"


def test_sizes_of_zip64_in_the_directory_are_read() -> None:
    raw = archive({"a": b"content"}, packed=False)
    at, end = raw.index(b"PK\x01\x02"), raw.index(b"PK\x05\x06")
    entry = bytearray(raw[at:end])
    struct.pack_into("<LL", entry, 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<HH", entry, 30, 24, 0)
    extra = struct.pack("<HHHHQQ", 9, 0, 1, 16, 7, 7)
    tail = bytearray(raw[end:])
    struct.pack_into("<L", tail, 12, len(entry) + len(extra))
    assert contents(raw[:at] + bytes(entry) + extra + bytes(tail)) == {"a": b"content"}
    with pytest.raises(Damaged):
        contents(raw[:at] + bytes(entry) + extra[:4] + bytes(20) + bytes(tail))


def test_the_last_entry_of_a_name_counts() -> None:
    """As virtual machines have it."""
    raw = archive(pom("g", "a", "1") | {"META-INF/maven/g/b/pom.properties": "artifactId=a\nversion=2"})
    assert names(raw.replace(b"/g/b/", b"/g/a/"), "/a.jar") == {("a", "2")}


@pytest.mark.parametrize(
    ("name", "inner"),
    [
        ("../../etc/x-1.jar", {("x", "1")}), ("/abs/x-1.jar", {("x", "1")}), ("C:\\x.jar", set()), ("dir.jar/", set()),
        ("\n.jar", set()), (".jar", set()), ("a:b-2.jar", {("b", "2")}), ("x" * 5000 + "-1.jar", set()),
    ],
)  # fmt: skip
def test_names_lead_nowhere(name: str, inner: set[tuple[str, str]]) -> None:
    """Nothing is ever written by the name of an entry; one that names no package is none."""
    assert names(jar({name: jar(), **pom("g", "a", "1")})) == {("a", "1"), *inner}


def cut(raw: bytes, at: int) -> bytes:
    """What has an end record, and not all that it speaks of."""
    return raw[:at] + raw[raw.index(b"PK\x05\x06") :]


WHOLE = jar({**pom("g", "a", "1"), "lib/b-2.jar": maven("g", "b", "2")})


@pytest.mark.parametrize("raw", [b"", b"PK", b"x" * 100, WHOLE[:-30], b"PK\x05\x06", b"\x7fELF" + bytes(500)])
def test_what_is_no_archive_states_nothing_and_is_not_syfts(raw: bytes) -> None:
    """Nor does syft read it."""
    found = java.parse("/a-1.jar", io.BytesIO(raw))
    assert (found.packages, found.complete) == ((), True)
    with pytest.raises(NoArchive):
        opened(raw)


@pytest.mark.parametrize("raw", [cut(WHOLE, 200), cut(WHOLE, 10), WHOLE.replace(b"PK\x01\x02", b"PK\x01\x03", 1)])
def test_a_damaged_archive_is_left_to_syft(raw: bytes) -> None:
    assert not java.parse("/a-1.jar", io.BytesIO(raw)).complete


@pytest.mark.parametrize("field", [(6, 1), (8, 12)])
def test_what_is_encrypted_or_oddly_packed_is_passed_over_and_the_rest_told(field: tuple[int, int]) -> None:
    raw = bytearray(jar({"lib/b-2.jar": maven("g", "b", "2"), **pom("g", "a", "1")}, packed=False))
    at = raw.index(b"PK\x01\x02", raw.rindex(b"lib/b-2.jar") - 46)
    struct.pack_into("<H", raw, at + field[0] + 2, field[1])
    found = java.parse("/a.jar", io.BytesIO(bytes(raw)))
    assert {each.name for each in found.packages} == {"a"}
    assert not found.complete


@settings(deadline=None)
@given(st.integers(0, len(WHOLE)), st.binary(min_size=1, max_size=40))
def test_damage_is_no_crash(at: int, damage: bytes) -> None:
    java.parse("/a-1.jar", io.BytesIO(WHOLE[:at] + damage + WHOLE[at + len(damage) :]))


def nested(depth: int, *, packed: bool) -> bytes:
    raw = maven("g", "innermost", "1")
    for number in range(depth):
        raw = jar({f"lib/{number}.jar": raw}, packed=packed)
    return raw


@pytest.mark.parametrize("packed", [True, False])
def test_archives_within_archives(packed: bool) -> None:
    assert ("innermost", "1") in names(nested(8, packed=packed))
    with pytest.raises(Unreadable, match="deep"):
        names(nested(40, packed=packed))


def bomb(entries: dict[str, int]) -> bytes:
    """Entries of so many zeros."""
    return jar({name: bytes(size) for name, size in entries.items()})


def test_bombs_do_not_go_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Budget, "__init__", _small)
    with seconds(2), pytest.raises(Unreadable, match="bytes"):
        names(bomb({f"{number}.jar": 1 << 20 for number in range(20)}))
    with seconds(2), pytest.raises(Unreadable, match="archives"):
        names(jar({f"{number}.jar": b"" for number in range(30)}))
    with seconds(2), pytest.raises(Unreadable, match="entries"):
        names(jar({str(number): b"" for number in range(300)}))
    with seconds(2), pytest.raises(Unreadable, match="metadata"):
        names(jar({f"{number}/pom.properties": bytes(9000) for number in range(30)}))


def _small(self: Budget) -> None:
    self.entries, self.bytes, self.archives, self.files, self.metadata = 200, 5 << 20, 20, 50, 100_000


def test_entries_that_share_their_bytes_count_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Budget, "__init__", _small)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(1 << 20)) + packer.flush()
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 8, 0, 0, 0, len(packed), 1 << 20, 5, 0) + b"x.jar" + packed
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, 0, len(packed), 1 << 20, 7, 0, 0, 0, 0, 0, 0)
    directory = b"".join(entry + f"{number:03}.jar".encode() for number in range(19))
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 19, 19, len(directory), len(local), 0)
    with seconds(2), pytest.raises(Unreadable, match="bytes"):
        names(local + directory + end)


def test_metadata_that_is_too_large_is_an_error() -> None:
    with seconds(5), pytest.raises(Unreadable, match="larger"):
        names(archive({"META-INF/MANIFEST.MF": bytes(40 << 20)}))


@pytest.mark.parametrize(
    "content",
    [
        b"a: b\n" * 500_000,
        b"Name: a\n\n" * 200_000,
        b" x\n" * 500_000,
        b"Bundle-License: a\n" + b" x\n" * 500_000,
        b"\n" * 2**20,
    ],
)
def test_manifests_take_time_in_proportion(content: bytes) -> None:
    with seconds(4):
        names(archive({"META-INF/MANIFEST.MF": content}))


@pytest.mark.parametrize(
    "content",
    [
        b"<project>" * 300_000,
        b"<project><licenses><license><name>" + b"x" * 2_000_000,
        b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><project><groupId>&b;</groupId></project>',
    ],
)
def test_poms_take_time_in_proportion(content: bytes) -> None:
    entries = pom("", "a", "1")
    (place,) = entries
    with seconds(4):
        assert names(jar({**entries, place.replace("properties", "xml"): content})) == {("a", "1")}


@pytest.mark.parametrize(
    "text",
    [
        b"Permission is hereby granted, free of charge, to any person obtaining a copy " * 9_000,
        b"Redistribution and use in source and binary forms of the possibility of such damage " * 9_000,
        b"x " * 400_000,
    ],
)
def test_licence_texts_take_time_in_proportion(text: bytes) -> None:
    with seconds(4):
        names(jar({"LICENSE": text}))


def test_a_window_reads_as_the_part_would() -> None:
    window, part = Window(io.BytesIO(b"0123456789"), 2, 5), io.BytesIO(b"23456")
    for action in (
        lambda f: f.read(2),
        lambda f: f.seek(0, 2),
        lambda f: f.read(9),
        lambda f: f.seek(1),
        lambda f: f.read(9),
    ):
        assert action(window) == action(part)  # type: ignore[no-untyped-call]
