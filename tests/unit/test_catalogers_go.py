"""Go programs: build information of both formats, what its text says, and programs that are damaged or lie."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagegate.analysis.catalogers import golang, gomainversion
from imagegate.analysis.catalogers.cataloger import Found
from imagegate.analysis.catalogers.golang import Module
from imagegate.model import Package, PackageType
from imagegate.settings import AnalysisSettings
from tests.layers import analysed, file, hardlink, tar
from tests.programs import MAGIC, elf, inline, modules, pointers

NATIVE = AnalysisSettings(catalogers="native")
MODULES = (
    "path\texample.org/shop/cmd/shop",
    "mod\texample.org/shop\tv1.4.0\th1:x=",
    "dep\tgithub.com/BurntSushi/toml\tv1.3.2\th1:y=",
    "dep\tgolang.org/x/text\tv0.14.0",
    "=>\tgolang.org/x/text\tv0.13.0\th1:z=",
    "dep\tgopkg.in/yaml.v3\tv3.0.1",
    "=>\t./yaml\t\t",
    "build\tGOARCH=arm64",
)
TOLD = {
    ("example.org/shop", "v1.4.0", "pkg:golang/example.org/shop@v1.4.0"),
    ("github.com/BurntSushi/toml", "v1.3.2", "pkg:golang/github.com/BurntSushi/toml@v1.3.2"),
    ("golang.org/x/text", "v0.13.0", "pkg:golang/golang.org/x/text@v0.13.0"),
    ("./yaml", "UNKNOWN", "pkg:golang/./yaml"),
    ("stdlib", "go1.20.3", "pkg:golang/stdlib@1.20.3"),
}


def found(raw: bytes) -> Found:
    return golang.parse("/app/shop", io.BytesIO(raw))


def told(packages: tuple[Package, ...]) -> set[tuple[str, str, str]]:
    return {(each.name, each.version, each.purl) for each in packages}


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("big", [True, False])
@pytest.mark.parametrize("section", [True, False])
@pytest.mark.parametrize("before", [0, 16, 5000, (1 << 20) - 16, (1 << 20) + 48])
def test_programs_of_all_kinds(wide: bool, big: bool, section: bool, before: int) -> None:
    """before: bytes of other data; the header is looked for at each place that is aligned."""
    text = modules(*MODULES)
    program = elf(bytes(before - before % 16) + inline("go1.20.3", text), wide=wide, big=big, section=section)
    assert told(found(program).packages) == TOLD
    old = elf(pointers("go1.20.3", text, wide=wide, order="big" if big else "little"), wide=wide, big=big)
    assert told(found(old).packages) == TOLD


def test_a_mark_that_is_not_aligned_is_none() -> None:
    fake = b"\0" * 8 + inline("go1.1", modules("path\tfake"))
    data = fake + bytes(-len(fake) % 16) + inline("go1.20.3", modules(*MODULES))
    assert told(found(elf(data)).packages) == TOLD


def test_a_package_says_where_it_is_and_for_which_machine() -> None:
    packages = {each.name: each for each in found(elf(inline("go1.20.3 X:boringcrypto", modules(*MODULES)))).packages}
    toml = packages["github.com/BurntSushi/toml"]
    assert (toml.type, toml.path, toml.architecture, toml.cataloger) == (PackageType.GO, "/app/shop", "arm64", "native")
    assert (packages["stdlib"].version, packages["stdlib"].licenses) == ("go1.20.3", ("BSD-3-Clause",))
    (main, _) = found(elf(inline("go1.20.3", modules(*MODULES[:2])), machine=183)).packages
    assert main.architecture == "aarch64"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("path\ta/cmd/b",), {("a/cmd/b", "(devel)")}),
        (("path\tcommand-line-arguments", "dep\ta\tv1", "dep\tb\t(devel)"), {("a", "v1"), ("b", "(devel)")}),
        (("path\tx", "dep\ta\t(devel)", "dep\tb\t(devel)"), {("a", "(devel)"), ("b", "(devel)"), ("x", "(devel)")}),
        (("dep\ta\tv1",), {("a", "v1")}),
        (("path\tx", "mod\tx\tv1", "=>\ty\tv2\t"), {("y", "v2")}),
        (("=>\ty\tv2\t", "dep\ta\tv1", "nonsense", "dep", "dep\t\tv2", "dep\tb"), {("a", "v1"), ("b", "UNKNOWN")}),
        ((), set()),
    ],
)
def test_main_modules(lines: tuple[str, ...], expected: set[tuple[str, str]]) -> None:
    packages = found(elf(inline("go1.20.3", modules(*lines)))).packages
    assert {(each.name, each.version) for each in packages if each.name != "stdlib"} == expected
    assert any(each.name == "stdlib" for each in packages) == bool(expected)


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("-tags=a", "-tags", "a"),
        ('-ldflags="-X main.version=1 -s"', "-ldflags", "-X main.version=1 -s"),
        (r'-ldflags="a\"b\\c\n\x41é"', "-ldflags", 'a"b\\c\nA\u00e9'),
        ("-ldflags=`raw \\n`", "-ldflags", "raw \\n"),
        ('"odd key"=x', "odd key", "x"),
        (r'x="\U00110000"', "x", "\ufffd"),
        ("empty=", "empty", ""),
    ],
)
def test_settings_are_quoted_as_go_quotes(line: str, key: str, value: str) -> None:
    assert golang.build_info(f"build\t{line}\n").settings == {key: value}


@pytest.mark.parametrize(
    ("settings", "contents", "expected"),
    [
        ({"-ldflags": "-s -X main.version=1.2.3-rc1"}, b"", "v1.2.3-rc1"),
        ({"-ldflags": "-X example.org/shop/internal.GitVersion=v2.0.1"}, b"", "v2.0.1"),
        ({"-ldflags": "-X main.gitTag=release/v4.5.6"}, b"", "v4.5.6"),
        ({"-ldflags": "-X other.org/x.version=9.9.9"}, b"", ""),
        ({"-ldflags": "-X main.versionless=9.9.9"}, b"", ""),
        ({}, b"\x001.2.3\x00", "v1.2.3"),
        ({}, b"\x00v1.2.3-beta+build\x00 \x009.9.9\x00", "v1.2.3-beta+build"),
        ({}, b"\x00xL1.2.3\x00", "v1.2.3"),
        ({}, b"\x80v1.2.3\x00", "v1.2.3"),
        ({}, "\u00e91.2.3\0".encode(), ""),
        ({}, b"x1.2.3\x00 \x001.2\x00 \x001.2.3", ""),
        ({}, bytes(4 * 1024**2 - 3) + b"\x007.8.9\x00", "v7.8.9"),
        ({"vcs.revision": "0123456789abcdef", "vcs.time": "2024-02-29T10:00:00+02:00"}, b"",
         "v0.0.0-20240229080000-0123456789ab"),
        ({"vcs.revision": "0123456789abcdef", "vcs.time": "yesterday"}, b"", "v0.0.0-00010101000000-0123456789ab"),
        ({"vcs.revision": "0123456789abcdef"}, b"", ""),
    ],
)  # fmt: skip
def test_what_tells_the_version_of_a_checkout(settings: dict[str, str], contents: bytes, expected: str) -> None:
    assert gomainversion.version("example.org/shop", settings, io.BytesIO(contents)) == expected


GO = elf(inline("go1.20.3", modules(*MODULES)))


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\x7fELF", GO[:40], GO[:100], elf(b""), elf(bytes(4096)), elf(MAGIC),
        elf(MAGIC + b"\x08\x02" + bytes(16)),
        elf(MAGIC + b"\x08\x02" + bytes(16) + b"\xff" * 12), elf(MAGIC + b"\x03\x00" + bytes(30)),
        elf(inline("go1.20.3", b"")[:-1] + b"\xff\xff\xff\xff\x7f"), elf(pointers("", b"")),
        elf(MAGIC + b"\x08\x00" + b"\xff" * 16), elf(inline("", modules(*MODULES))),
    ],
)  # fmt: skip
def test_what_holds_no_build_information_states_nothing(raw: bytes) -> None:
    assert found(raw).packages == ()


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 9000), st.booleans())
def test_damage_is_no_crash(damage: bytes, at: int, section: bool) -> None:
    raw = elf(inline("go1.20.3", modules(*MODULES)), section=section)
    found(raw[:at] + damage + raw[at + len(damage) :])
    found(raw[:at])


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["dep", "mod", "=>", "path", "build", "", "x"]), st.text()), max_size=20))
def test_any_text_of_modules_is_read(lines: list[tuple[str, str]]) -> None:
    info = golang.build_info("\n".join(f"{kind}\t{rest}" for kind, rest in lines))
    assert all(isinstance(each, Module) for each in info.modules)


def test_headers_that_would_take_no_room_are_not_read() -> None:
    """Otherwise sixty thousand headers could be read from a file of a hundred bytes."""
    raw = bytearray(elf(inline("go1.20.3", modules(*MODULES)), section=True))
    struct.pack_into("<HHH", raw, 58, 0, 0xFFFF, 1)
    assert not found(bytes(raw)).complete


def test_programs_in_a_layer_are_read_wherever_their_mark_is(tmp_path: Path) -> None:
    """A note in the first page gives a program away at once; without it the layer is read again."""
    hidden = elf(inline("go1.20.3", modules("path\thidden", "mod\thidden\tv1.0.0")), note=False)
    noted = elf(inline("go1.20.3", modules("path\tnoted", "mod\tnoted\tv1.0.0")))
    layer = tar(
        file("lib/plain.so", elf(bytes(5000), note=False)),
        file("app/hidden.so", hidden),
        file("app/noted", noted, mode=0o755),
        file("app/replaced", hidden), file("app/replaced", noted),
        file("app/gone", noted), file("app/gone", "text"),
        file("app/back", noted), file("app/back", hidden),
        hardlink("app/link", "app/noted"),
    )  # fmt: skip
    packages = analysed(tmp_path, layer, settings=NATIVE).packages
    assert {(each.name, each.path) for each in packages if each.name != "stdlib"} == {
        ("hidden", "/app/hidden.so"), ("noted", "/app/noted"), ("noted", "/app/replaced"), ("hidden", "/app/back"),
    }  # fmt: skip


def test_modules_are_told_of_a_program_that_a_distribution_brought(tmp_path: Path) -> None:
    """Its advisories are about the package, and seldom about what was compiled into it."""
    import hashlib

    sums = f"{hashlib.md5(GO, usedforsecurity=False).hexdigest()}  usr/bin/kubectl\n"
    layer = tar(
        file("var/lib/dpkg/status", "Package: kubectl\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n"),
        file("var/lib/dpkg/info/kubectl.md5sums", sums),
        file("usr/bin/kubectl", GO, mode=0o755),
    )
    packages = analysed(tmp_path, layer, settings=NATIVE).packages
    assert {each.name for each in packages} == {"kubectl", *(name for name, _, _ in TOLD)}
