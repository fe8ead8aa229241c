"""Files against the package databases, and the licences that packages state."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from imagegate.analysis.copyright import licenses
from imagegate.model import AlteredFile, Analysis
from imagegate.settings import AnalysisSettings
from tests.layers import analysed, directory, file, hardlink, symlink, tar

STATUS = "Package: bash\nStatus: install ok installed\nVersion: 1\nConffiles:\n /etc/bash.rc {}\nDescription: shell\n"


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 - dpkg's


def q1(text: str) -> str:
    return "Q1" + base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()  # noqa: S324 - apk's


def run(tmp_path: Path, *layers: bytes, verify: bool = True) -> Analysis:
    return analysed(tmp_path, *layers, settings=AnalysisSettings(catalogers="native", verify=verify))


def debian(*entries: object, **sums: str) -> bytes:
    listed = "".join(f"{digest}  {path.replace('__', '/')}\n" for path, digest in sums.items())
    return tar(
        file("var/lib/dpkg/status", STATUS.format(md5("rc"))),
        file("var/lib/dpkg/info/bash.md5sums", listed),
        file("var/lib/dpkg/info/bash.conffiles", "/etc/bash.rc\n"),
        *entries,  # type: ignore[arg-type]
    )


def test_nothing_is_compared_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert run(tmp_path, debian(usr__bin__x=md5("x")), verify=False).altered is None


def test_a_file_is_as_it_was_or_changed_or_missing(tmp_path: Path) -> None:
    layer = debian(
        file("usr/bin/same", "same"), file("usr/bin/changed", "other"), hardlink("usr/bin/twin", "usr/bin/same"),
        file("etc/bash.rc", "edited"),
        usr__bin__same=md5("same"), usr__bin__changed=md5("was"), usr__bin__gone=md5("x"), usr__bin__twin=md5("same"),
    )  # fmt: skip
    assert run(tmp_path, layer).altered == (
        AlteredFile("bash", "/usr/bin/changed", "changed", "changed"),
        AlteredFile("bash", "/usr/bin/gone", "missing", "missing"),
    )


def test_a_configuration_file_may_change_but_not_go(tmp_path: Path) -> None:
    assert run(tmp_path, debian()).altered == (AlteredFile("bash", "/etc/bash.rc", "missing", "missing"),)


def test_links_to_directories_are_followed_where_the_engine_is_lost(tmp_path: Path) -> None:
    entries = (directory("usr"), symlink("bin", "usr/bin"), file("usr/bin/sh", "sh"), file("etc/bash.rc", "rc"))
    assert run(tmp_path, debian(*entries, bin__sh=md5("sh"))).altered == (
        AlteredFile("bash", "/bin/sh", "", "missing"),
    )


def test_a_later_layer_is_what_counts(tmp_path: Path) -> None:
    first = debian(file("usr/bin/a", "a"), file("etc/bash.rc", "rc"), usr__bin__a=md5("a"))
    assert run(tmp_path, first).altered == ()
    found = run(tmp_path, first, tar(file("usr/bin/a", "evil"))).altered
    assert found == (AlteredFile("bash", "/usr/bin/a", "changed", "changed"),)


def test_apks_checksums_links_and_modes(tmp_path: Path) -> None:
    lines = ["P:tool", "V:1", "F:bin"]
    for name, digest, mode in (
        ("same", q1("same"), 755),
        ("changed", q1("was"), 755),
        ("mode", q1("m"), 755),
        ("link", q1("same"), 777),
    ):
        lines += [f"R:{name}", f"a:0:0:{mode}", f"Z:{digest}"]
    layer = tar(
        file("lib/apk/db/installed", "\n".join([*lines, "R:gone", f"Z:{q1('x')}", "", ""])),
        file("bin/same", "same", mode=0o755), file("bin/changed", "now", mode=0o755),
        file("bin/mode", "m", mode=0o4755),
        symlink("bin/link", "same"),
    )  # fmt: skip
    assert run(tmp_path, layer).altered == (
        AlteredFile("tool", "/bin/changed", "changed", ""),
        AlteredFile("tool", "/bin/gone", "missing", "missing"),
    )
    assert run(tmp_path, layer, tar(file("bin/same", "same", mode=0o600))).altered == (
        AlteredFile("tool", "/bin/changed", "changed", ""),
        AlteredFile("tool", "/bin/gone", "missing", "missing"),
        AlteredFile("tool", "/bin/same", "changed", "changed"),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Files: *\nLicense: GPL-2+\n text\n\nLicense: none\nLicense: MIT.\n", ("GPL-2+", "MIT")),
        ("On Debian systems: /usr/share/common-licenses/GPL-3.\n", ("GPL-3",)),
        ("License: LGPL-2 see /usr/share/common-licenses/LGPL-2\nLicense:\n", ("LGPL-2",)),
        ("Nothing is said.", ()),
    ],
)
def test_licences_of_a_copyright_file(text: str, expected: tuple[str, ...]) -> None:
    assert licenses(text.encode()) == expected


def test_a_debian_package_has_the_licences_of_its_copyright_file(tmp_path: Path) -> None:
    shared = "Package: bash-doc\nStatus: install ok installed\nVersion: 1\n"
    layer = tar(
        file("var/lib/dpkg/status", STATUS + "\n" + shared),
        file("usr/share/doc/bash/copyright", "License: GPL-3+\n"),
        symlink("usr/share/doc/bash-doc", "bash"),
    )
    found = {package.name: package.licenses for package in run(tmp_path, layer).packages}
    assert found == {"bash": ("GPL-3+",), "bash-doc": ("GPL-3+",)}
