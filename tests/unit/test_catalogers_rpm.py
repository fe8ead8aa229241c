"""rpm's databases: packages, the files that they brought, and databases that are damaged or made to cost."""

from __future__ import annotations

import hashlib
import sqlite3
import struct
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from imagegate.analysis import purl
from imagegate.analysis.catalogers import Unreadable, cataloger_of
from imagegate.analysis.catalogers.rpm import RPM, files, parse, source_of
from imagegate.errors import AnalysisError
from imagegate.model import Analysis, Distro
from imagegate.settings import AnalysisSettings
from tests.layers import analysed, file, tar
from tests.rpmdb import Value, header, ndb, write_sqlite

PATH = "/var/lib/rpm/rpmdb.sqlite"
METADATA = "Name: requests\nVersion: 2\n"
SITE = "/usr/lib/python3.9/site-packages/requests-2.dist-info/"
NAME, VERSION, RELEASE, EPOCH, SIZE, LICENSE, ARCH, SOURCERPM = 1000, 1001, 1002, 1003, 1009, 1014, 1022, 1044
DIGESTS, DIRINDEXES, BASENAMES, DIRNAMES, MODULE = 1035, 1116, 1117, 1118, 5096

BASH: dict[int, Value] = {
    NAME: "bash", VERSION: "5.1.8", RELEASE: "9.el9", SIZE: 7738634, LICENSE: "GPLv3+", ARCH: "x86_64",
    SOURCERPM: "bash-5.1.8-9.el9.src.rpm",
    DIRINDEXES: [0, 1, 2], BASENAMES: ["bash", "METADATA", "etc"], DIRNAMES: ["/usr/bin/", SITE, "/"],
    DIGESTS: [hashlib.sha256(b"bash").hexdigest(), hashlib.sha256(METADATA.encode()).hexdigest(), ""],
}  # fmt: skip
NODE: dict[int, Value] = {
    NAME: "nodejs-libs", VERSION: "18.1", RELEASE: "2", EPOCH: 1, ARCH: "noarch", SOURCERPM: "nodejs-18.1-2.src.rpm",
    MODULE: "nodejs:18:20230:abc",
}  # fmt: skip
KEY: dict[int, Value] = {NAME: "gpg-pubkey", VERSION: "fd431d51", RELEASE: "4ae0493b", SOURCERPM: "(none)"}
ALL = [header(BASH), header(NODE), header(KEY)]


def run(tmp_path: Path, *layers: bytes, catalogers: str = "native") -> Analysis:
    return analysed(tmp_path, *layers, settings=AnalysisSettings(catalogers=catalogers))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "native"),
    [
        (PATH, True),
        ("/usr/lib/sysimage/rpm/Packages.db", True),
        ("/usr/share/rpm/rpmdb.sqlite", True),
        ("/var/lib/rpm/Packages", False),
        ("/usr/lib/rpm/macros", False),
    ],
)
def test_where_databases_are(path: str, native: bool) -> None:
    assert (cataloger_of(path) is RPM) is native


@pytest.mark.parametrize("write", [lambda place: write_sqlite(place, ALL), lambda _: ndb(ALL)])
def test_both_databases_tell_the_same(tmp_path: Path, write: Callable[[Path], bytes]) -> None:
    content = write(tmp_path)
    bash, node, key = parse(PATH, content)
    assert (bash.name, bash.version, bash.architecture, bash.licenses, bash.size, bash.source, bash.module) == (
        "bash", "5.1.8-9.el9", "x86_64", ("GPLv3+",), 7738634, "", "",
    )  # fmt: skip
    assert (node.version, node.source, node.source_version, node.module) == (
        "1:18.1-2", "nodejs", "", "nodejs:18:20230:abc",
    )  # fmt: skip
    assert (key.version, key.source, key.architecture) == ("fd431d51-4ae0493b", "", "")
    assert dict(files(content)) == {
        "/usr/bin/bash": hashlib.sha256(b"bash").hexdigest(),
        f"{SITE}METADATA": hashlib.sha256(METADATA.encode()).hexdigest(),
    }
    assert purl.of_distro(node, Distro("rhel", "9.3")) == (
        "pkg:rpm/redhat/nodejs-libs@18.1-2?arch=noarch&distro=rhel-9.3&epoch=1&rpmmod=nodejs:18:20230:abc&upstream=nodejs"
    )


@pytest.mark.parametrize(
    ("source_rpm", "expected"),
    [
        ("a-1-2.src.rpm", ("", "")),
        ("b-c-1-2.src.rpm", ("b-c", "")),
        ("a-3-4.nosrc.rpm", ("", "3-4")),
        ("b-3-4.el9.src.rpm", ("b", "3-4.el9")),
        ("(none)", ("", "")),
        ("", ("", "")),
    ],
)
def test_the_source_package(source_rpm: str, expected: tuple[str, str]) -> None:
    assert source_of(source_rpm, "a", "1-2") == expected


def test_a_database_without_packages_is_one(tmp_path: Path) -> None:
    assert parse(PATH, write_sqlite(tmp_path, [])) == ()
    assert parse(PATH, ndb([])) == ()


def test_what_an_rpm_package_brought_is_not_counted_twice(tmp_path: Path) -> None:
    base = tar(file(PATH, write_sqlite(tmp_path, ALL)), file(f"{SITE}METADATA", METADATA), file("usr/bin/bash", "bash"))
    assert {each.name for each in run(tmp_path, base).packages} == {"bash", "nodejs-libs", "gpg-pubkey"}
    upgraded = tar(file(f"{SITE}METADATA", METADATA.replace("2", "3")))
    assert "requests" in {each.name for each in run(tmp_path, base, upgraded).packages}


def test_programs_of_rpm_packages_are_not_for_syft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagegate.analysis.syft._on_path", lambda: None)
    monkeypatch.setattr("imagegate.analysis.syft._of_wheel", lambda: None)
    base = tar(file(PATH, write_sqlite(tmp_path, ALL)), file("bin/bash", "bash", mode=0o755))
    assert len(run(tmp_path, base, catalogers="auto").packages) == 3
    with pytest.raises(AnalysisError, match="no syft"):
        run(tmp_path, base, tar(file("bin/bash", "another", mode=0o755)), catalogers="auto")


def test_a_log_with_packages_is_an_error(tmp_path: Path) -> None:
    whole = file(PATH, write_sqlite(tmp_path, ALL))
    assert len(run(tmp_path, tar(whole, file(f"{PATH}-wal"))).packages) == 3
    with pytest.raises(AnalysisError, match="not yet written to its database"):
        run(tmp_path, tar(whole, file(f"{PATH}-wal", bytes(5000))))


def changed(header_: bytes, old: tuple[int, ...], new: tuple[int, ...]) -> bytes:
    """The header with other numbers in its index."""
    before, after = (struct.pack(f">{len(each)}I", *each) for each in (old, new))
    assert before in header_
    return header_.replace(before, after)


HEADERS = {
    "text": "text",
    "too short": b"x",
    "cut": ALL[0][:-1],
    "without a version": header({tag: value for tag, value in BASH.items() if tag != VERSION}),
    "with a value outside": changed(ALL[0], (NAME, 6, 16), (NAME, 6, 9999)),
    "with a number for a text": changed(ALL[0], (NAME, 6), (NAME, 4)),
    "of many entries": struct.pack(">II", 0xFFFFFFFF, 16) + bytes(100),
}
SLOTS = ndb(ALL)
START, END = SLOTS.index(b"BlbS"), SLOTS.index(b"BlbE")
DATABASES = {
    "empty": b"",
    "garbage": b"\xff\xfe" * 5000,
    "only the magic": b"SQLite format 3\0",
    "NDB cut": SLOTS[:-20],
    "NDB of its header": SLOTS[:32],
    "NDB of another version": SLOTS[:4] + b"\1" + SLOTS[5:],
    "NDB with a bit turned": SLOTS[: START + 200] + bytes([SLOTS[START + 200] ^ 1]) + SLOTS[START + 201 :],
    "NDB with another's blob": SLOTS.replace(b"Slot\2", b"Slot\3"),
    "NDB without slots": SLOTS.replace(b"Slot", b"Slob"),
    "NDB without an end": SLOTS[:END] + b"xxxx" + SLOTS[END + 4 :],
}


def refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Unreadable):
        parse(PATH, content)
    with pytest.raises(AnalysisError, match=f"{PATH} states packages, but cannot be read"):
        run(tmp_path, tar(file(PATH, content)))


@pytest.mark.parametrize("which", DATABASES)
def test_a_damaged_database_is_an_error_and_not_an_image_without_packages(tmp_path: Path, which: str) -> None:
    refused(tmp_path, DATABASES[which])


@pytest.mark.parametrize("which", HEADERS)
def test_one_damaged_header_is_an_error_and_not_a_package_less(tmp_path: Path, which: str) -> None:
    refused(tmp_path, write_sqlite(tmp_path, [ALL[0], HEADERS[which]]))


def test_a_damaged_sqlite_file_is_an_error(tmp_path: Path) -> None:
    whole = write_sqlite(tmp_path, ALL * 50)
    refused(tmp_path, whole[: len(whole) // 2])
    refused(tmp_path, whole[:4096] + b"\xa5" * (len(whole) - 4096))
    refused(tmp_path, whole.replace(b"Packages", b"Backages"))


@pytest.mark.parametrize(
    "create",
    [
        "CREATE VIEW Packages AS "
        "WITH RECURSIVE n(blob) AS (SELECT x'00' UNION ALL SELECT blob FROM n) SELECT blob FROM n",
        "CREATE VIEW Packages AS SELECT zeroblob(1000000000) AS blob FROM sqlite_master",
        "CREATE VIRTUAL TABLE Packages USING fts5(blob)",
        "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, x, blob AS (zeroblob(1000000000)))",
    ],
)
def test_a_table_that_computes_is_none(tmp_path: Path, create: str) -> None:
    path = tmp_path / "rpmdb.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute(create)
        if create.startswith("CREATE TABLE"):
            database.execute("INSERT INTO Packages (x) VALUES (1)")
        database.commit()
    with pytest.raises(Unreadable):
        parse(PATH, path.read_bytes())


def test_blobs_that_share_their_pages_take_no_time(tmp_path: Path) -> None:
    """NDB lets slots point where they like: here thousands at one header of a megabyte."""
    big = ndb([header({**BASH, LICENSE: "x" * 1_000_000})])
    start = time.process_time()
    with pytest.raises(Unreadable, match="larger than itself"):
        parse(PATH, big[:32] + big[32:48] * 250 + big[32 + 250 * 16 :])
    assert time.process_time() - start < 2


def test_a_long_directory_of_many_files_takes_no_memory(tmp_path: Path) -> None:
    many = 50_000
    blob = header(
        {DIRNAMES: ["/" + "d" * 1_000_000], DIRINDEXES: [0] * many, BASENAMES: ["f"] * many, DIGESTS: ["0"] * many}
    )
    assert {path for path, _ in files(write_sqlite(tmp_path, [blob]))} == {"f"}
