"""The SBOMs that are written: valid by their formats, the same each time, and read back as they were."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from packaging.licenses import _spdx  # type: ignore[attr-defined]
from referencing import Registry, Resource

from imagegate.analysis import purl
from imagegate.model import (
    AnalysedLayer,
    Analysis,
    Digest,
    Distro,
    ImageConfig,
    Package,
    PackageType,
    Part,
    Platform,
    SbomRef,
)
from imagegate.sbom import write_cyclonedx, write_spdx
from imagegate.sbom.contents import Sbom
from imagegate.sbom.document import load

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NAME = "r.example.com:5000/team/app:1.0"
DEBIAN = Distro("debian", "12", ("linux",), "Debian GNU/Linux", "bookworm")
LAYER = Digest("sha256:" + "c" * 64)
_OTHERS = ("spdx", "jsf-0.82", "cryptography-defs")
_TAKEN_FOR_EXCEPTIONS = ("eCos-2.0", "MPL-2.0-no-copyleft-exception", "wxWindows")
WRITERS = {"cyclonedx": write_cyclonedx.render, "spdx": write_spdx.render}


def deb(name: str, version: str, **fields: Any) -> Package:
    package = Package(name, version, PackageType.DPKG, "", "/var/lib/dpkg/status", "amd64", layer=LAYER, **fields)
    return msgspec.structs.replace(package, purl=purl.of_distro(package, DEBIAN))


PACKAGES = (
    deb("libssl3", "1:3.0.11-1", source="openssl", source_version="3.0.11-1", licenses=("Apache-2.0", "Our own")),
    deb("base-files", "12.4+deb12u5", licenses=("GPL-2.0-or-later",)),
    Package("@s/n", "1.0.0", PackageType.NPM, purl.npm("@s/n", "1.0.0"), "/app/n/package.json", licenses=("MIT",)),
    Package("Zope_x", "1", PackageType.PYTHON, purl.pypi("Zope_x", "1"), "/s/METADATA", licenses=("MIT License",)),
    Package("rack", "2.0", PackageType.GEM, purl.gem("rack", "2.0"), "/g/rack-2.0.gemspec"),
    Package("a", "1", PackageType.JAVA, "pkg:maven/org.x/a@1", "/app/b.war:WEB-INF/lib/a.jar"),
    Package("example.com/y", "(devel)", PackageType.GO, "pkg:golang/example.com/y@%28devel%29", "/bin/y"),
    Package("node", "20.1", PackageType.BINARY, "pkg:generic/node@20.1", "/usr/bin/node"),
    Package("own", "3", PackageType.OTHER, "", "/own"),
    Package("serde", "1.0", PackageType.OTHER, "pkg:cargo/serde@1.0", "/bin/z", licenses=("MIT OR Apache-2.0",)),
)


def analysis(*packages: Package, distro: Distro | None = DEBIAN) -> Analysis:
    return Analysis(
        digest=Digest("sha256:" + "a" * 64),
        platform=Platform("linux", "arm64", "v8"),
        size=1,
        config=ImageConfig(),
        layers=(AnalysedLayer(LAYER, LAYER, 1),),
        distro=distro,
        packages=tuple(sorted(packages, key=lambda each: (each.type, each.name, each.version, each.path))),
        files=(),
        passwd=None,
        retrieved={},
        analyzer="test",
    )


def back(tmp_path: Path, text: str) -> Sbom:
    file = tmp_path / "sbom.json"
    file.write_text(text)
    return load(SbomRef(str(file)), 10**7)


def validate_cyclonedx(document: Any, version: str = "1.6") -> None:
    """By the official schemas, which cyclonedx-python-lib brings."""
    place = resources.files("cyclonedx.schema") / "_res"

    def schema(name: str) -> Any:
        return json.loads((place / f"{name}.SNAPSHOT.schema.json").read_text())

    others = [(f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", schema(name)) for name in _OTHERS]
    registry: Registry[Any] = Registry().with_resources(
        (address, Resource.from_contents(each)) for address, each in others
    )
    problems = list(Draft7Validator(schema(f"bom-{version}"), registry=registry).iter_errors(document))
    assert not problems, [f"{each.json_path}: {each.message[:300]}" for each in problems[:5]]


def validate_spdx(tmp_path: Path, text: str) -> None:
    """By spdx-tools, which its authors write."""
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    (tmp_path / "valid.spdx.json").write_text(text)
    problems = validate_full_spdx_document(parse_file(str(tmp_path / "valid.spdx.json")))
    assert not problems, [each.validation_message for each in problems[:5]]


@pytest.mark.parametrize("distro", [DEBIAN, Distro("wolfi"), None])
def test_cyclonedx_is_valid(distro: Distro | None) -> None:
    validate_cyclonedx(json.loads(write_cyclonedx.render(analysis(*PACKAGES, distro=distro), NAME, NOW)))
    validate_cyclonedx(json.loads(write_cyclonedx.render(analysis(distro=distro), NAME, NOW)))


@pytest.mark.parametrize("distro", [DEBIAN, Distro("wolfi"), None])
def test_spdx_is_valid(tmp_path: Path, distro: Distro | None) -> None:
    validate_spdx(tmp_path, write_spdx.render(analysis(*PACKAGES, distro=distro), NAME, NOW))
    validate_spdx(tmp_path, write_spdx.render(analysis(distro=distro), NAME, NOW))


def test_every_licence_of_spdx_is_valid_as_it_is_written(tmp_path: Path) -> None:
    texts = [each["id"] for each in _spdx.LICENSES.values()]
    texts += [
        "GPL-2.0+",
        "MIT+",
        "mit",
        "LicenseRef-x",
        "MIT AND ISC",
        " ",
        "GPL-2.0-only WITH Classpath-exception-2.0",
    ]

    def licensed(*texts: str) -> Analysis:
        each = (Package(f"p{n}", "1", PackageType.NPM, f"pkg:npm/p{n}@1", licenses=(t,)) for n, t in enumerate(texts))
        return analysis(*each, Package("all", "1", PackageType.NPM, "pkg:npm/all@1", licenses=texts))

    validate_cyclonedx(json.loads(write_cyclonedx.render(licensed(*texts), NAME, NOW)))
    # spdx-tools takes some ids for exceptions, and does not know those of SPDX that have one in them.
    known = [text for text in texts if "-with-" not in text and text not in _TAKEN_FOR_EXCEPTIONS]
    validate_spdx(tmp_path, write_spdx.render(licensed(*known), NAME, NOW))


@pytest.mark.parametrize("form", WRITERS)
def test_the_same_moment_gives_the_same_document_and_another_another(form: str) -> None:
    known = analysis(*PACKAGES)
    first = WRITERS[form](known, NAME, NOW)
    assert WRITERS[form](known, NAME, NOW) == first
    later = WRITERS[form](known, NAME, NOW.replace(hour=13))
    identifier = {"cyclonedx": "serialNumber", "spdx": "documentNamespace"}[form]
    assert json.loads(later)[identifier] != json.loads(first)[identifier]


@pytest.mark.parametrize("form", WRITERS)
def test_what_is_written_is_read_back(tmp_path: Path, form: str) -> None:
    known = analysis(*PACKAGES)
    found = back(tmp_path, WRITERS[form](known, NAME, NOW))
    assert [problem.severity for problem in found.problems] == ["warn"]
    expected = [msgspec.structs.replace(package, cataloger="sbom") for package in known.packages]
    assert list(found.analysis.packages) == expected
    assert (found.name, found.analysis.digest) == (NAME, known.digest)
    distro = found.analysis.distro
    assert distro == msgspec.structs.replace(DEBIAN, name="")
    assert Part.IMAGE in found.analysis.unknown


def _whole(text: str) -> bool:
    """Say whether packageurl takes a text for a name; it makes nothing of blanks and slashes alone."""
    return bool(text.strip().strip("/").strip())


TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)


@given(st.lists(st.tuples(TEXT, TEXT, TEXT, TEXT), max_size=4))
def test_any_names_are_valid_and_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]
) -> None:
    packages = [
        Package(name, version, PackageType.PYTHON, purl.pypi(name, version), f"/{path}", licenses=(license_,))
        for name, version, path, license_ in rows
        if _whole(name) and _whole(version)
    ]
    known = analysis(*packages, distro=None)
    text = write_cyclonedx.render(known, NAME, NOW)
    validate_cyclonedx(json.loads(text))
    place = tmp_path_factory.getbasetemp()
    for form, render in WRITERS.items():
        found = back(place, render(known, NAME, NOW)).analysis.packages
        assert {each.path for each in found} == {each.path for each in known.packages}, form


def test_a_package_twice_in_one_place_has_two_ids() -> None:
    document = json.loads(write_cyclonedx.render(analysis(PACKAGES[8], PACKAGES[8]), NAME, NOW))
    refs = [each["bom-ref"] for each in document["components"]]
    assert len(set(refs)) == len(refs)
    validate_cyclonedx(document)
