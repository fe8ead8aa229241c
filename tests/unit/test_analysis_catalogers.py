"""The native catalogers: which files they read, and what they make of the odd ones."""

from __future__ import annotations

import pytest

from imagegate.analysis import purl
from imagegate.analysis.catalogers import cataloger_of
from imagegate.model import Distro, Package, PackageType

STATUS = """\
Package: libc6
Status: install ok installed
Installed-Size: 12
Architecture: amd64
Source: glibc (2.36-9)
Version: 2.36-9+deb12u7
Description: a library
 Version: 9 is not a field here

Package: half
Status: install reinstreq half-configured
Version: 1:2-3

Package: left
Status: deinstall ok config-files
Version: 1

Package: absent
Status: purge ok not-installed
Version: 1

Package: own-source
Status: install ok installed
Source: own
Version: 2
"""


def names(path: str, content: str | bytes) -> list[tuple[str, str]]:
    cataloger = cataloger_of(path)
    assert cataloger
    raw = content.encode() if isinstance(content, str) else content
    return [(package.name, package.version) for package in cataloger.parse(path, raw)]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/var/lib/dpkg/status", "dpkg"),
        ("/var/lib/dpkg/status.d/base", "dpkg"),
        ("/chroot/var/lib/dpkg/status", "dpkg"),
        ("/usr/lib/opkg/status", "dpkg"),
        ("/var/lib/dpkg/status-old", None),
        ("/usr/lib/python3/dist-packages/x-1.dist-info/METADATA", "python"),
        ("/usr/lib/python3/dist-packages/x-1.egg-info/PKG-INFO", "python"),
        ("/usr/lib/python3/dist-packages/x.egg/EGG-INFO/PKG-INFO", "python"),
        ("/usr/lib/python3/dist-packages/x-1.egg-info", "python"),
        ("/src/PKG-INFO", None),
        ("/app/node_modules/@a/b/package.json", "npm"),
        ("/package.json", "npm"),
        ("/app/xpackage.json", None),
        ("/app/package-lock.json", None),
    ],
)
def test_which_files_state_packages(path: str, name: str | None) -> None:
    found = cataloger_of(path)
    assert (found.name if found else None) == name


def test_dpkg_counts_what_has_files_on_disk() -> None:
    assert names("/var/lib/dpkg/status", STATUS) == [
        ("libc6", "2.36-9+deb12u7"), ("half", "1:2-3"), ("own-source", "2"),
    ]  # fmt: skip


def test_dpkgs_field_names_have_no_case() -> None:
    """As Debian policy has it (5.1), and as dpkg reads them."""
    assert names(
        "/var/lib/dpkg/status", STATUS.replace("Package:", "package :").replace("Version:", "VERSION:")
    ) == names("/var/lib/dpkg/status", STATUS)


def test_dpkg_tells_source_architecture_and_size() -> None:
    cataloger = cataloger_of("/var/lib/dpkg/status")
    assert cataloger
    libc6, half, own = cataloger.parse("/var/lib/dpkg/status", STATUS.encode())
    assert (libc6.source, libc6.source_version, libc6.architecture, libc6.size) == ("glibc", "2.36-9", "amd64", 12288)
    assert (half.source, half.source_version, half.size) == ("", "", 0)
    assert (own.source, own.source_version) == ("own", "")


def test_dpkg_of_distroless_has_no_status_and_lists_no_packages_in_md5sums() -> None:
    assert names("/var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2024a\n") == [("tzdata", "2024a")]
    assert names("/var/lib/dpkg/status.d/tzdata.md5sums", "0" * 32 + "  usr/share/zoneinfo/UTC\n") == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Metadata-Version: 2.1\nName: Foo_Bar\nVersion: 1.0\n\nName: other\n", [("Foo_Bar", "1.0")]),
        ("Metadata-Version: 2.1\r\nName: crlf\r\nVersion: 3\r\n\r\nVersion: 9\r\n", [("crlf", "3")]),
        ("\nName: late\nVersion: 1\n", [("late", "1")]),
        ("Name: first\nName: second\nVersion: 1", [("first", "1")]),
        ("Name: Python\nVersion: 2.7\n", []),
        ("Name: unversioned\n", []),
        ("Name:\nVersion: 1\n", []),
        ("", []),
        (b"\xff\xfe\x00 garbage", []),
        (b"Name: latin\xe9\nVersion: 1\n", [("latin\ufffd", "1")]),
    ],
)
def test_python_metadata(content: str | bytes, expected: list[tuple[str, str]]) -> None:
    assert names("/x/x-1.dist-info/METADATA", content) == expected


@pytest.mark.parametrize(
    ("fields", "licenses"),
    [
        ("License: MIT", ("MIT",)),
        ("License: UNKNOWN", ()),
        ("License-Expression: MIT OR Apache-2.0\nLicense: other", ("MIT OR Apache-2.0",)),
        ("License: " + "x" * 500, ()),
    ],
)
def test_python_licenses(fields: str, licenses: tuple[str, ...]) -> None:
    cataloger = cataloger_of("/x/x-1.dist-info/METADATA")
    assert cataloger
    (package,) = cataloger.parse("/x", f"Name: a\nVersion: 1\n{fields}\n".encode())
    assert package.licenses == licenses


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"name":"@scope/a","version":"1.0.0","private":"yes","author":5}', [("@scope/a", "1.0.0")]),
        (b'\xef\xbb\xbf{"name":"bom","version":"1.0.0"}', [("bom", "1.0.0")]),
        ('{"name":"stub"}', []),
        ('{"version":"1.0.0"}', []),
        ('{"name":"number","version":1}', []),
        ('{"name":"cut","version":"1.0.0"', []),
        ('["name"]', []),
        ("", []),
        ('{"name":null,"version":null}', []),
        ("[" * 100_000, []),
    ],
)
def test_npm_manifests(content: str | bytes, expected: list[tuple[str, str]]) -> None:
    assert names("/app/node_modules/a/package.json", content) == expected


@pytest.mark.parametrize(
    ("field", "licenses"),
    [
        ('"license":"MIT"', ("MIT",)),
        ('"license":{"type":"BSD"}', ("BSD",)),
        ('"licenses":[{"type":"MIT"},"ISC"]', ("MIT", "ISC")),
        ('"license":7', ()),
    ],
)
def test_npm_licenses(field: str, licenses: tuple[str, ...]) -> None:
    cataloger = cataloger_of("/package.json")
    assert cataloger
    (package,) = cataloger.parse("/package.json", f'{{"name":"a","version":"1",{field}}}'.encode())
    assert package.licenses == licenses


def test_package_urls() -> None:
    package = Package(
        "libstdc++6", "1:12.2~rc-3", PackageType.DPKG, "", architecture="amd64", source="gcc-12", source_version="12.2"
    )
    assert purl.of_distro(package, Distro("debian", "12")) == (
        "pkg:deb/debian/libstdc%2B%2B6@1:12.2~rc-3?arch=amd64&distro=debian-12&upstream=gcc-12%4012.2"
    )
    assert purl.npm("@babel/core", "7.0.0") == "pkg:npm/%40babel/core@7.0.0"
    assert purl.pypi("Foo_Bar", "1+local") == "pkg:pypi/foo-bar@1%2Blocal"
