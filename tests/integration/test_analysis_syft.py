"""The real syft: run for what only it reads, and the measure of what the native catalogers find."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from imagegate.errors import AnalysisError
from imagegate.model import Analysis
from imagegate.settings import AnalysisSettings
from tests.jars import jar, maven
from tests.layers import analysed, file, tar
from tests.programs import MAGIC, NOTE, elf, inline, modules

APK = "C:Q1\nP:musl\nV:1.2-r0\nA:x86_64\nS:1\nI:4096\nT:x\nU:x\nL:MIT\no:musl-src\n\n"
GEM = 'Gem::Specification.new do |s|\n  s.name = "rack"\n  s.version = "2.0"\nend\n'
NPM = '{"name":"n","version":"1.0.0"}'
ROCK = 'package = "luasocket"\nversion = "3.0-1"\n'
ROCKSPEC = "usr/lib/luarocks/luasocket-3.0-1.rockspec"


def named(analysis: Analysis) -> set[tuple[str, str, str]]:
    return {(package.type.value, package.name, package.version) for package in analysis.packages}


def test_formats_that_syft_reads_and_native_ones_are_found_together(tmp_path: Path) -> None:
    found = analysed(
        tmp_path,
        tar(file("lib/apk/db/installed", APK), file("etc/os-release", "ID=alpine\nVERSION_ID=3.19\n")),
        tar(
            file("app/shop.war", jar({"WEB-INF/lib/a-1.jar": maven("org.example", "a", "1")})),
            file(ROCKSPEC, ROCK),
            file("usr/lib/ruby/specifications/rack-2.0.gemspec", GEM),
            file("package.json", NPM),
        ),
    )
    assert {
        ("java", "a", "1"), ("APKG", "musl", "1.2-r0"), ("gem", "rack", "2.0"), ("npm", "n", "1.0.0"),
        ("other", "luasocket", "3.0-1"),
    } <= named(found)  # fmt: skip
    rock, musl = (next(each for each in found.packages if each.name == name) for name in ("luasocket", "musl"))
    assert (rock.path, rock.cataloger, rock.layer) == (f"/{ROCKSPEC}", "syft", found.layers[1].digest)
    assert (musl.source, musl.purl) == (
        "musl-src", "pkg:apk/alpine/musl@1.2-r0?arch=x86_64&distro=alpine-3.19&upstream=musl-src",
    )  # fmt: skip


def test_a_layer_above_removes_what_syft_found(tmp_path: Path) -> None:
    layer = tar(file("a.rockspec", ROCK), file("b.rockspec", ROCK.replace("luasocket", "other")))
    assert named(analysed(tmp_path, layer, tar(file(".wh.a.rockspec")))) == {("other", "other", "3.0-1")}


def test_archives_and_programs_are_read_without_syft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(tmp_path, monkeypatch, "exit 1")
    program = elf(inline("go1.22.1", modules("path\tx", "mod\tx\tv1.0.0")))
    found = analysed(tmp_path, tar(file("a.jar", maven("g", "a", "1")), file("app/tool", program, mode=0o755)))
    assert named(found) == {("java", "a", "1"), ("go", "x", "v1.0.0"), ("go", "stdlib", "go1.22.1")}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("damaged.jar", maven("g", "a", "1").replace(b"PK\x01\x02", b"PK\x01\x03")),
        ("tool-windows", b"MZ" + bytes(5000) + MAGIC + bytes(100)),
        ("tool-darwin", b"\xcf\xfa\xed\xfe" + bytes(2_000_000) + MAGIC + bytes(100)),
        ("universal", b"\xca\xfe\xba\xbe\0\0\0\x02" + bytes(500) + MAGIC),
        ("native-image", elf(b"\0sbom\0sbom_length\0", note=False)),
        ("noted", b"\x7fELF" + bytes(60) + NOTE),
    ],
)
def test_what_the_native_catalogers_cannot_read_is_left_to_syft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    layer = tar(file("app/A.class", b"\xca\xfe\xba\xbe\0\0\0\x34" + MAGIC), file(f"app/{name}", content, mode=0o755))
    found = {"name": "x", "version": "1", "type": "go-module", "locations": [{"path": f"/app/{name}"}]}
    broken(tmp_path, monkeypatch, f"test -e root/app/A.class && exit 4; echo '{json.dumps({'artifacts': [found]})}'")
    assert named(analysed(tmp_path, layer)) == {("go", "x", "1")}
    assert named(analysed(tmp_path, layer, settings=AnalysisSettings(catalogers="native"))) == set()


def test_a_package_that_both_find_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Part of this archive cannot be read, so that syft looks at it too."""
    raw = bytearray(jar({"a-1.jar": maven("g", "a", "1"), "b-1.jar": maven("g", "b", "1")}, packed=False))
    raw[raw.rindex(b"b-1.jar") - 46 + 8] = 1  # The flag of encryption.
    found = [
        {"name": name, "version": "1", "type": "java-archive", "locations": [{"path": "/w.war", "accessPath": path}]}
        for name, path in (("a", "/w.war:a-1.jar"), ("b", "/w.war:b-1.jar"))
    ]
    broken(tmp_path, monkeypatch, f"echo '{json.dumps({'artifacts': found})}'")
    packages = analysed(tmp_path, tar(file("w.war", bytes(raw)))).packages
    assert {(each.name, each.cataloger) for each in packages} == {("w", "native"), ("a", "native"), ("b", "syft")}
    assert len(packages) == 3


def test_a_berkeley_db_in_which_syft_finds_nothing_is_an_error(tmp_path: Path) -> None:
    """syft itself ends well when it cannot read one."""
    layer = tar(file("var/lib/rpm/Packages", bytes(12) + (0x061561).to_bytes(4, "little") + bytes(500)))
    with pytest.raises(AnalysisError, match="syft finds no packages in it"):
        analysed(tmp_path, layer)
    assert named(analysed(tmp_path, layer, tar(file("var/lib/rpm/.wh.Packages")))) == set()


def test_without_foreign_files_syft_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(tmp_path, monkeypatch, "exit 1")
    assert named(analysed(tmp_path, tar(file("package.json", NPM)))) == {("npm", "n", "1.0.0")}


def test_native_leaves_out_what_only_syft_reads(tmp_path: Path) -> None:
    layer = tar(file(ROCKSPEC, ROCK), file("package.json", NPM))
    found = analysed(tmp_path, layer, settings=AnalysisSettings(catalogers="native"))
    assert named(found) == {("npm", "n", "1.0.0")}


def test_syft_alone_finds_the_same(tmp_path: Path) -> None:
    layer = tar(
        file("package.json", NPM),
        file("s/a-1.dist-info/METADATA", "Name: a\nVersion: 1\n"),
        file("var/lib/dpkg/status", "Package: x\nStatus: install ok installed\nVersion: 1-1\nArchitecture: all\n"),
    )
    native, other = (
        analysed(tmp_path, layer, settings=AnalysisSettings(catalogers=each)) for each in ("native", "syft")
    )
    assert named(native) == named(other)
    assert {package.cataloger for package in other.packages} == {"syft"}
    assert [package.purl for package in native.packages] == [package.purl for package in other.packages]


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("echo boom >&2; exit 3", "boom"),
        ("echo '{}'", "cannot be read"),
        ("echo '{\"artifacts\": [{}]}'", "cannot be read"),
    ],
)
def test_a_failing_syft_is_no_empty_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, what: str
) -> None:
    broken(tmp_path, monkeypatch, script)
    with pytest.raises(AnalysisError, match=what):
        analysed(tmp_path, tar(file(ROCKSPEC, ROCK)))


def test_no_syft_at_all_is_an_error_that_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagegate.analysis.syft._on_path", lambda: None)
    monkeypatch.setattr("imagegate.analysis.syft._of_wheel", lambda: None)
    with pytest.raises(AnalysisError, match=r"imagegate\[syft\]"):
        analysed(tmp_path, tar(file(ROCKSPEC, ROCK)))


def test_a_syft_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr("imagegate.analysis.syft.TIMEOUT", 0.3)
    with pytest.raises(AnalysisError, match="did not finish"):
        analysed(tmp_path, tar(file(ROCKSPEC, ROCK)))


def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a syft in place that says it is newer than any, and then does what the script says."""
    program = tmp_path / "syft"
    program.write_text(f'#!/bin/sh\nif [ "$1" = version ]; then echo \'{{"version":"999.0.0"}}\'; exit; fi\n{script}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr("imagegate.analysis.syft._on_path", lambda: program)
