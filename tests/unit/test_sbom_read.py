"""SBOMs made elsewhere: what packages they name, and what is left undecided because of what they leave out."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegate.errors import SbomError
from imagegate.model import Distro, Package, PackageType, Part, SbomRef
from imagegate.policy.gates import TRIGGERS
from imagegate.sbom.component import Component, Unreadable, package_of
from imagegate.sbom.contents import Sbom, distro_of
from imagegate.sbom.document import load

LIMIT = 10**6
HEX = "b" * 64


def read(tmp_path: Path, document: Any, limit: int = LIMIT) -> Sbom:
    file = tmp_path / "sbom.json"
    file.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return load(SbomRef(str(file)), limit)


def bom(*components: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": list(components), **keys}


def library(purl: str = "", **keys: Any) -> dict[str, Any]:
    return {"type": "library", "name": "x", "version": "1", **({"purl": purl} if purl else {}), **keys}


def spdx(*packages: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "packages": list(packages), **keys}


def spdx_package(purl: str = "", **keys: Any) -> dict[str, Any]:
    refs = [{"referenceCategory": "PACKAGE_MANAGER", "referenceType": "purl", "referenceLocator": purl}]
    return {"name": "x", "SPDXID": "SPDXRef-x", "externalRefs": refs if purl else [], **keys}


def errors(sbom: Sbom) -> list[str]:
    return [problem.details for problem in sbom.problems if problem.severity == "error"]


@pytest.mark.parametrize(
    ("purl", "expected"),
    [
        ("pkg:deb/debian/libssl3@1%3A3.0-1?arch=amd64&upstream=openssl%403.0-1",
         (PackageType.DPKG, "libssl3", "1:3.0-1", "openssl", "3.0-1")),
        ("pkg:deb/debian/libssl3@3.0-1?epoch=1&upstream=openssl",
         (PackageType.DPKG, "libssl3", "1:3.0-1", "openssl", "")),
        ("pkg:rpm/redhat/openssl-libs@1.1-2.el8?epoch=1&upstream=openssl-1.1-2.el8.src.rpm",
         (PackageType.RPM, "openssl-libs", "1:1.1-2.el8", "openssl", "")),
        ("pkg:rpm/redhat/a@1-2?upstream=b%403-4", (PackageType.RPM, "a", "1-2", "b", "3-4")),
        ("pkg:apk/alpine/libcrypto3@3.1-r0?upstream=openssl", (PackageType.APK, "libcrypto3", "3.1-r0", "openssl", "")),
        ("pkg:npm/%40scope/name@1.0.0", (PackageType.NPM, "@scope/name", "1.0.0", "", "")),
        ("pkg:pypi/zope-interface@6", (PackageType.PYTHON, "zope-interface", "6", "", "")),
        ("pkg:gem/rack@2.0?platform=java", (PackageType.GEM, "rack", "2.0", "", "")),
        ("pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1", (PackageType.JAVA, "log4j-core", "2.14.1", "", "")),
        ("pkg:golang/github.com/x/y@v2.0.0#v2", (PackageType.GO, "github.com/x/y/v2", "v2.0.0", "", "")),
        ("pkg:golang/example.com/tool", (PackageType.GO, "example.com/tool", "", "", "")),
        ("pkg:cargo/serde@1.0", (PackageType.OTHER, "serde", "1.0", "", "")),
        ("pkg:nuget/Newtonsoft.Json@13", (PackageType.OTHER, "Newtonsoft.Json", "13", "", "")),
        ("pkg:composer/laravel/framework@9", (PackageType.OTHER, "laravel/framework", "9", "", "")),
    ],
)  # fmt: skip
def test_a_purl_says_what_a_package_is(purl: str, expected: tuple[Any, ...]) -> None:
    found = package_of(Component("x", "", purl))
    assert (found.type, found.name, found.version, found.source, found.source_version) == expected


def test_a_document_cannot_make_one_kind_of_package_another() -> None:
    found = package_of(Component("x", "1", "pkg:deb/debian/x@1", kind=PackageType.NPM))
    assert found.type is PackageType.DPKG
    assert package_of(Component("x", "1", "pkg:generic/x@1", kind=PackageType.NPM)).type is PackageType.OTHER
    assert package_of(Component("x", "1", "pkg:generic/x@1", kind=PackageType.BINARY)).type is PackageType.BINARY


def test_python_names_keep_the_spelling_that_the_component_has() -> None:
    assert package_of(Component("Zope_X", "1", "pkg:pypi/zope-x@1")).name == "Zope_X"
    assert package_of(Component("other", "1", "pkg:pypi/zope-x@1")).name == "zope-x"


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_for_a_purl_is_a_package_or_unreadable(text: str, version: str) -> None:
    for purl in (text, f"pkg:{text}", f"pkg:deb/{text}", f"pkg:rpm/{text}?upstream={text}"):
        with suppress(Unreadable):
            assert isinstance(package_of(Component("x", version, purl)), Package)


@pytest.mark.parametrize(
    ("purl", "expected"),
    [
        ("pkg:deb/debian/a@1?distro=debian-12", Distro("debian", "12")),
        ("pkg:deb/debian/a@1?distro=debian-12.5", Distro("debian", "12.5")),
        ("pkg:deb/debian/a@1?distro=bookworm", Distro("debian", codename="bookworm")),
        ("pkg:deb/debian/a@1?distro=debian-bookworm", Distro("debian", codename="bookworm")),
        ("pkg:apk/alpine/a@1?distro=3.19.1", Distro("alpine", "3.19.1")),
        ("pkg:rpm/opensuse/a@1?distro=opensuse-leap-15.5", Distro("opensuse-leap", "15.5")),
        ("pkg:rpm/redhat/a@1?distro=redhat-8.9", Distro("rhel", "8.9")),
        ("pkg:rpm/amzn/a@1?distro=amzn-2023", Distro("amzn", "2023")),
        ("pkg:apk/wolfi/a@1?distro=wolfi", Distro("wolfi")),
        ("pkg:apk/wolfi/a@1", Distro("wolfi")),
        ("pkg:rpm/redhat/a@1", None),
        ("no purl", None),
    ],
)
def test_a_purl_names_the_distribution_in_several_ways(purl: str, expected: Distro | None) -> None:
    assert distro_of(purl) == expected


def test_the_distribution_is_the_one_stated_else_that_of_the_packages(tmp_path: Path) -> None:
    package = library("pkg:deb/debian/a@1?distro=debian-12")
    stated = {"type": "operating-system", "name": "debian", "version": "12.5"}
    assert read(tmp_path, bom(package)).analysis.distro == Distro("debian", "12")
    assert read(tmp_path, bom(package, stated)).analysis.distro == Distro("debian", "12.5")
    assert not errors(read(tmp_path, bom(package, stated)))


@pytest.mark.parametrize(
    "other",
    [
        library("pkg:deb/debian/b@1?distro=debian-11"),
        library("pkg:deb/ubuntu/b@1"),
        {"type": "operating-system", "name": "debian", "version": "1"},
        {"type": "operating-system", "name": "ubuntu", "version": "22.04"},
    ],
)
def test_packages_of_two_distributions_cannot_be_decided(tmp_path: Path, other: dict[str, Any]) -> None:
    (error,) = errors(read(tmp_path, bom(library("pkg:deb/debian/a@1?distro=debian-12"), other)))
    assert "more than one distribution" in error


def test_what_trivy_writes_has_its_source_packages(tmp_path: Path) -> None:
    """Its purls name none. (Trivy's own properties; in SPDX, `sourceInfo`.)"""
    purl = "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12.5"
    properties = [
        {"name": f"aquasecurity:trivy:{name}", "value": value}
        for name, value in (("SrcName", "openssl"), ("SrcVersion", "3.0.10"), ("SrcRelease", "1"), ("SrcEpoch", "1"))
    ]
    (found,) = read(tmp_path, bom(library(purl, properties=properties))).analysis.packages
    assert (found.source, found.source_version) == ("openssl", "1:3.0.10-1")
    told = spdx_package(purl, sourceInfo="built package from: openssl 3.0.10-1")
    (found,) = read(tmp_path, spdx(told)).analysis.packages
    assert (found.source, found.source_version) == ("openssl", "3.0.10-1")


def test_components_within_components_are_packages_too(tmp_path: Path) -> None:
    inner = library("pkg:npm/b@1")
    subject = {"type": "container", "name": "r.example.com/app", "components": [library("pkg:npm/c@1")]}
    group = {"type": "application", "name": "package-lock.json", "components": [inner]}
    found = read(tmp_path, bom(library("pkg:npm/a@1", components=[group]), metadata={"component": subject}))
    assert [package.name for package in found.analysis.packages] == ["a", "b", "c"]
    assert not errors(found)


@pytest.mark.parametrize(
    ("component", "told"),
    [
        (library(), "1 package without a package URL: x"),
        ({"type": "library", "name": "x"}, "without a package URL"),
        ({"type": "application", "name": "x", "version": "1"}, "without a package URL"),
        (library("pkg:npm/x", version=""), "without a version"),
        (library("pkg:deb/debian/x", version=""), "without a version"),
        (library("pkg"), "whose package URL cannot be read"),
        (library(f"pkg:npm/{'%00' * 3}?"), ""),
    ],
)
def test_what_cannot_be_told_is_counted_and_keeps_it_undecided(
    tmp_path: Path, component: dict[str, Any], told: str
) -> None:
    found = errors(read(tmp_path, bom(library("pkg:npm/a@1"), component)))
    assert len(found) == bool(told)
    assert not told or told in found[0]


def test_many_of_them_are_one_problem(tmp_path: Path) -> None:
    (error,) = errors(read(tmp_path, bom(library("pkg:npm/a@1"), *(library(name=f"n{number}") for number in range(9)))))
    assert error == "the SBOM has 9 packages without a package URL: n0, n1, n2, n3, n4 and 4 more"


@pytest.mark.parametrize(
    "component",
    [
        {"type": "file", "name": "/bin/sh"},
        {"type": "application", "name": "package-lock.json"},
        {"type": "data", "name": "x"},
        {"type": "container", "name": "base", "purl": "pkg:oci/base@sha256:00"},
    ],
)
def test_what_is_no_package_is_left_out(tmp_path: Path, component: dict[str, Any]) -> None:
    found = read(tmp_path, bom(library("pkg:npm/a@1"), component))
    assert len(found.analysis.packages) == 1
    assert not errors(found)


@pytest.mark.parametrize("document", [bom(), spdx(), {"artifacts": []}])
def test_an_sbom_of_nothing_is_no_pass(tmp_path: Path, document: dict[str, Any]) -> None:
    assert "names no package" in errors(read(tmp_path, document))[0]


def test_only_what_is_told_is_known(tmp_path: Path) -> None:
    found = read(tmp_path, bom(library("pkg:npm/a@1")))
    assert set(found.analysis.unknown) == set(Part) - {Part.PACKAGES}
    licensed = bom(library("pkg:npm/a@1", licenses=[{"license": {"id": "MIT"}}, {"expression": "A OR B"}, {}]))
    assert Part.LICENSES not in (found := read(tmp_path, licensed)).analysis.unknown
    assert found.analysis.packages[0].licenses == ("MIT", "A OR B")


@pytest.mark.parametrize(
    ("subject", "name", "digest"),
    [
        ({"type": "container", "name": "r.example.com/app:1", "version": f"sha256:{HEX}"}, "r.example.com/app:1", HEX),
        ({"type": "container", "name": "r.example.com/app"}, "r.example.com/app:latest", None),
        ({"type": "container", "name": "/tmp/x", "version": "1"}, "", None),
        ({"type": "container", "name": "x",
          "purl": f"pkg:oci/app@sha256%3A{HEX}?repository_url=r.example.com/app&tag=2"}, "r.example.com/app:2", HEX),
        ({"type": "application", "name": "shop", "version": "1"}, "", None),
    ],
)  # fmt: skip
def test_the_image_is_the_one_that_it_is_about(
    tmp_path: Path, subject: dict[str, Any], name: str, digest: str | None
) -> None:
    found = read(tmp_path, bom(library("pkg:npm/a@1"), metadata={"component": subject}))
    assert found.name == name
    assert (found.analysis.digest == f"sha256:{digest}") is (digest is not None)
    assert found.analysis.digest.startswith("sha256:")


def test_spdx_names_packages_image_and_licences(tmp_path: Path) -> None:
    image = spdx_package(
        f"pkg:oci/app@sha256%3A{HEX}?repository_url=r.example.com/app", SPDXID="SPDXRef-i",
        name="r.example.com/app:1", primaryPackagePurpose="CONTAINER", versionInfo=f"sha256:{HEX}",
    )  # fmt: skip
    package = spdx_package("pkg:npm/a@1", name="a", versionInfo="1", licenseDeclared="MIT AND LicenseRef-1")
    os = spdx_package(name="alpine", SPDXID="o", versionInfo="3.19", primaryPackagePurpose="OPERATING-SYSTEM")
    keys = {
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relatedSpdxElement": "SPDXRef-i", "relationshipType": "DESCRIBES"}
        ],
        "hasExtractedLicensingInfos": [{"licenseId": "LicenseRef-1", "name": "Ours", "extractedText": "…"}],
        "creationInfo": {"creators": ["Person: me", "Tool: trivy-0.50.1"]},
    }
    found = read(tmp_path, spdx(image, package, os, **keys))
    assert not errors(found)
    assert (found.name, found.analysis.digest) == ("r.example.com/app:1", f"sha256:{HEX}")
    assert found.analysis.distro == Distro("alpine", "3.19")
    assert [(each.name, each.licenses) for each in found.analysis.packages] == [("a", ("MIT", "Ours"))]
    assert "SPDX 2.3 by trivy 0.50.1, 1 package)" in found.problems[0].details


def test_an_spdx_package_without_purl_is_told(tmp_path: Path) -> None:
    found = read(tmp_path, spdx(spdx_package("pkg:npm/a@1"), spdx_package(name="b", versionInfo="1")))
    assert errors(found) == ["the SBOM has 1 package without a package URL: b"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON, or cut"),
        (json.dumps(bom(library("pkg:npm/a@1"))).encode()[:-9], "no JSON, or cut"),
        (b"<?xml version='1.0'?><bom/>", "is XML"),
        (b"\n SPDXVersion: SPDX-2.3\n", "is tag-value"),
        (b"\x1f\x8b\x08", "is gzip"),
        (b"\xff\xfe{}", "no JSON"),
        (b'{"a": "\xff"}', "no SBOM"),
        (b"[]", "not valid"),
        (b"{}", "no SBOM"),
        (b'{"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}', "is SPDX 3"),
        (b'{"bomFormat": 1}', "not valid"),
        (b'{"bomFormat": "CycloneDX", "specVersion": "9.0"}', "are read"),
        (b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": {}}', "Expected `array`"),
        (b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": 1}]}', r"components\[0\].name"),
        (b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [1]}', "Expected `object`"),
        (b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": null}', "Expected `array`"),
        (b'{"spdxVersion": "SPDX-2.1"}', "are read"),
        (b'{"spdxVersion": "SPDX-2.3", "packages": [{}]}', "missing required field"),
        (b'{"artifacts": 3}', "Expected `array`"),
        (b'{"artifacts": ' + b"[" * 10**5, "nested too deeply|no JSON"),
        (b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": '
         + b'[{"name": "a", "components": ' * 20000, "nested too deeply|no JSON"),
        (b"{" + b" " * (LIMIT + 1), "larger than"),
    ],
)  # fmt: skip
def test_what_is_no_sbom_is_an_error_that_says_why(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(SbomError, match=why):
        read(tmp_path, content)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(SbomError, match="cannot be read"):
            load(SbomRef(str(path)), LIMIT)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["name", "version", "purl", "type", "components", "licenses", "license", "id", "metadata", "component",
             "properties", "value", "packages", "artifacts", "bomFormat", "specVersion", "spdxVersion", "SPDXID"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given(
    st.dictionaries(st.text(max_size=3), JSON, max_size=2), st.sampled_from([bom(), spdx(), {"artifacts": []}]), JSON
)
def test_any_document_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, more: Any, frame: Any, inner: Any
) -> None:
    place = tmp_path_factory.getbasetemp()
    for key in ("components", "packages", "artifacts", "metadata"):
        with suppress(SbomError):
            read(place, {**frame, **more, key: inner})


def test_what_a_new_trigger_needs_is_everything_and_only_these_need_less() -> None:
    less = {
        "always", "distro", "licenses", "metadata", "npms", "packages", "ruby_gems", "tag_drift", "vulnerabilities",
    }  # fmt: skip
    values = {"attribute": "size"}
    needing_less = {gate for (gate, _), trigger in TRIGGERS.items() if Part.IMAGE not in trigger.needs(values)}
    assert needing_less == less - {"metadata"}
    assert Part.IMAGE in TRIGGERS["packages", "verify"].needs({})
