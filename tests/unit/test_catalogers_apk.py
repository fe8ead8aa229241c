"""apk's database: packages, the files that they brought, and what is no such database."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from imagegate.analysis.catalogers import Unreadable
from imagegate.analysis.catalogers.apk import APK, files, parse
from imagegate.errors import AnalysisError
from imagegate.model import Analysis
from imagegate.settings import AnalysisSettings
from tests.layers import analysed, file, tar

PATH = "/lib/apk/db/installed"
REAL = (Path(__file__).parent.parent / "data" / "apk" / "installed").read_bytes()
METADATA = "Name: requests\nVersion: 2\n"


def q1(text: str) -> str:
    return "Q1" + base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()  # noqa: S324 - apk's


def owning(text: str) -> str:
    """A database whose one package brought a Python distribution with this metadata, and busybox."""
    site = "usr/lib/python3.12/site-packages/requests-2.dist-info"
    return f"P:py3-requests\nV:2-r0\nF:{site}\nR:METADATA\nZ:{q1(text)}\nF:bin\nR:busybox\nZ:{q1('busybox')}\n\n"


def run(tmp_path: Path, *layers: bytes, catalogers: str = "native") -> Analysis:
    return analysed(tmp_path, *layers, settings=AnalysisSettings(catalogers=catalogers))  # type: ignore[arg-type]


def test_a_real_database() -> None:
    found = {each.name: each for each in parse(PATH, REAL)}
    assert len(found) == REAL.count(b"\nP:") == 14
    libssl, musl = found["libssl1.1"], found["musl"]
    assert (libssl.version, libssl.source, libssl.licenses, libssl.size) == (
        "1.1.1q-r0", "openssl", ("OpenSSL",), 540672,
    )  # fmt: skip
    assert (musl.source, musl.architecture) == ("", "x86_64")
    assert found["ca-certificates-bundle"].licenses == ("MPL-2.0 AND MIT",)


def test_the_files_that_packages_brought() -> None:
    listed = dict(files(REAL))
    assert listed["/bin/busybox"] == "594c0163478e1a0ce05714d9c490593f241489c2"
    assert listed["/lib/ld-musl-x86_64.so.1"]
    assert all(len(checksum) == 40 for checksum in listed.values())
    assert dict(files(b"F:\nR:a\nZ:Q2" + base64.b64encode(bytes(32)) + b"\nR:b\nZ:Q1!\nR:c\nZ:ABCD\n")) == {
        "/a": "00" * 32,
        "/c": "abcd",
    }


@pytest.mark.parametrize("path", [PATH, "/usr/lib/apk/db/installed", "/chroot/lib/apk/db/installed"])
def test_where_databases_are(path: str) -> None:
    from imagegate.analysis.catalogers import cataloger_of

    assert cataloger_of(path) is APK


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", []),
        ("\n\n", []),
        ("P:a\nV:1\n", [("a", "1")]),
        ("P:a\nV:1\n\n\n\nV:2\nP:b\nL:MIT BSD\n\n", [("a", "1"), ("b", "2")]),
        (b"P:a\nV:1\nm:Andr\xe9\n\n", [("a", "1")]),
        (b"P:a\xff\nV:1\n\n", [("a\ufffd", "1")]),
    ],
)
def test_odd_but_whole_databases(content: str | bytes, expected: list[tuple[str, str]]) -> None:
    raw = content.encode() if isinstance(content, str) else content
    assert [(each.name, each.version) for each in parse(PATH, raw)] == expected


@pytest.mark.parametrize(
    "content",
    [
        REAL[:700],
        b"P:a\nV:1\n\nP:b\n\n",
        b"V:1\n\n",
        b"this is a corrupt db\n\nP:a\nV:1\n\n",
        b"\x1f\x8b\x08\x00 compressed\n",
        "P:a\nV:1\n\n".encode("utf-16"),
        b"\0" * 1000,
    ],
)
def test_a_damaged_database_is_an_error_and_not_an_image_without_packages(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Unreadable):
        parse(PATH, content)
    layer = tar(file(PATH, content))
    with pytest.raises(AnalysisError, match="/lib/apk/db/installed states packages, but cannot be read"):
        run(tmp_path, layer)
    assert len(run(tmp_path, layer, tar(file(PATH, REAL))).packages) == 14
    assert run(tmp_path, layer, tar(file("lib/apk/db/.wh.installed"))).packages == ()


def test_what_an_alpine_package_brought_is_not_counted_twice(tmp_path: Path) -> None:
    site = "usr/lib/python3.12/site-packages/requests-2.dist-info/METADATA"
    base = tar(file(PATH, owning(METADATA)), file(site, METADATA))
    assert [each.name for each in run(tmp_path, base).packages] == ["py3-requests"]
    upgraded = tar(file(site, METADATA.replace("2", "3")))
    assert [each.name for each in run(tmp_path, base, upgraded).packages] == ["py3-requests", "requests"]


def test_programs_that_an_alpine_package_brought_are_not_for_syft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagegate.analysis.syft._on_path", lambda: None)
    monkeypatch.setattr("imagegate.analysis.syft._of_wheel", lambda: None)
    base = tar(file(PATH, owning(METADATA)), file("bin/busybox", "busybox", mode=0o755))
    assert [each.name for each in run(tmp_path, base, catalogers="auto").packages] == ["py3-requests"]
    with pytest.raises(AnalysisError, match="no syft"):
        run(tmp_path, base, tar(file("bin/busybox", "another", mode=0o755)), catalogers="auto")


def test_a_long_directory_of_many_files_takes_no_memory() -> None:
    content = b"P:a\nV:1\nF:" + b"d" * 1_000_000 + b"\n" + b"R:f\nZ:00\n" * 100_000
    assert {path for path, _ in files(content)} == {"/f"}
