"""Which packages of an image a server means."""

from __future__ import annotations

import msgspec
import pytest

from imagegate.inventory.server_names import Places, graver
from imagegate.model import Package, PackageType, Severity, Vulnerability

MAVEN = "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1"
HERE = (
    Package("zlib1g", "1:1.2.13-1", PackageType.DPKG, "pkg:deb/debian/zlib1g@1:1.2.13-1", source="zlib"),
    Package("openssl", "3.0.7-1.el9", PackageType.RPM, ""),
    Package("org.apache.logging.log4j:log4j-core", "2.14.1", PackageType.JAVA, MAVEN),
    Package("golang.org/x/net", "v0.1.0", PackageType.GO, ""),
    Package("ruamel.yaml", "0.17", PackageType.PYTHON, ""),
    Package("a", "1", PackageType.NPM, "pkg:npm/a@1"),
    Package("a", "1", PackageType.NPM, "pkg:npm/%40scope/a@1"),
    Package("serde", "1.0", PackageType.OTHER, ""),
)


@pytest.mark.parametrize(
    ("kind", "name", "version", "purl", "found"),
    [
        ("dpkg", "zlib1g", "1:1.2.13-1", "", [0]),
        ("dpkg", "zlib1g", "1.2.13-1", "", [0]),
        ("rpm", "openssl", "0:3.0.7-1.el9", "", [1]),
        ("java", "log4j-core", "2.14.1", "", [2]),
        ("go", "golang.org/x/net", "0.1.0", "", [3]),
        ("python", "ruamel-yaml", "0.17", "", [4]),
        ("npm", "a", "1", "", [5, 6]),
        ("npm", "a", "1", "pkg:npm/a@1?x=y", [5]),
        ("npm", "a", "1", "pkg:npm/b@1", [5, 6]),
        ("other", "zlib1g", "1.2.13-1", "", [0]),
        ("go", "serde", "1.0", "", [7]),
        ("npm", "serde2", "1.0", "", []),
        ("gem", "a", "1", "", []),
        ("dpkg", "zlib1g", "1.2.14-1", "", []),
    ],
)
def test_a_package_is_found_however_the_two_programs_spell_it(
    kind: str, name: str, version: str, purl: str, found: list[int]
) -> None:
    places = Places((package, number) for number, package in enumerate(HERE))
    assert list(places.of(Package(name, version, PackageType(kind), purl))) == found


def test_of_two_sayings_the_graver_counts() -> None:
    low = Vulnerability("CVE-1", HERE[0], Severity.LOW, fix="2")
    high = msgspec.structs.replace(low, severity=Severity.HIGH, fix="", exploited=True)
    assert graver(None, low) == low
    for found in (graver(low, high), graver(high, low)):
        assert (found.severity, found.fix, found.exploited) == (Severity.HIGH, "2", True)
