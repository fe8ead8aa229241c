"""SPDX documents as JSON. (SPDX 2.3, "Package information"; 2.2 has the same fields.)"""

from __future__ import annotations

import re

import msgspec

from imagegate.errors import SbomError
from imagegate.jsonfile import JsonFile
from imagegate.model import Distro, PackageType
from imagegate.sbom.component import Component
from imagegate.sbom.contents import Contents, os_id
from imagegate.vex.product import ImageName, image_name, is_image

VERSIONS = ("SPDX-2.2", "SPDX-2.3")
OWN = "imagegate:"
"""What the annotations begin with that imagegate writes of a package."""
_NOTHING = ("", "NOASSERTION", "NONE")
_FOUND = re.compile(r"acquired package info from [^:]*: (/[^,]*)")
"""How syft tells where a package was found; a place in a jar has a colon."""
_BUILT = re.compile(r"built package from: (\S+) (\S+)")
"""How Trivy tells the source package."""
_NO_PACKAGES = ("CONTAINER", "OPERATING-SYSTEM", "OPERATING_SYSTEM", "FILE", "SOURCE", "ARCHIVE", "DEVICE", "FIRMWARE")


class _Reference(msgspec.Struct, rename="camel"):
    reference_type: str
    reference_locator: str


class _Annotation(msgspec.Struct):
    comment: str = ""


class _Checksum(msgspec.Struct, rename="camel"):
    algorithm: str = ""
    checksum_value: str = ""


class _Package(msgspec.Struct, rename="camel"):
    name: str
    spdx_id: str = msgspec.field(name="SPDXID")
    version_info: str = ""
    primary_package_purpose: str = ""
    external_refs: list[_Reference] = []
    license_declared: str = ""
    license_concluded: str = ""
    source_info: str = ""
    checksums: list[_Checksum] = []
    annotations: list[_Annotation] = []

    @property
    def purl(self) -> str:
        return next((each.reference_locator for each in self.external_refs if each.reference_type == "purl"), "")

    @property
    def facts(self) -> dict[str, str]:
        """What imagegate has written of it: lines `imagegate:NAME=VALUE`, an annotation each."""
        own = (each.comment.removeprefix(OWN) for each in self.annotations if each.comment.startswith(OWN))
        return {name: value for name, _, value in (text.partition("=") for text in own)}


class _Relationship(msgspec.Struct, rename="camel"):
    spdx_element_id: str
    related_spdx_element: str
    relationship_type: str


class _Extracted(msgspec.Struct, rename="camel"):
    license_id: str
    extracted_text: str = ""
    name: str = ""


class _Creation(msgspec.Struct, rename="camel"):
    creators: list[str] = []


class _Document(msgspec.Struct, rename="camel"):
    spdx_version: str
    creation_info: _Creation = msgspec.field(default_factory=_Creation)
    packages: list[_Package] = []
    relationships: list[_Relationship] = []
    document_describes: list[str] = []
    has_extracted_licensing_infos: list[_Extracted] = []


def read(file: JsonFile) -> Contents:
    """Return what a document says. Raises SbomError."""
    document = file.decode(_Document)
    if document.spdx_version not in VERSIONS:
        raise SbomError(
            f"{file.path} is {document.spdx_version[:40]}; {' and '.join(VERSIONS)} are read",
        )
    described = {each.related_spdx_element for each in document.relationships if each.relationship_type == "DESCRIBES"}
    described |= set(document.document_describes)
    roots = [each for each in document.packages if each.spdx_id in described]
    names = {each.license_id: each.name or each.extracted_text for each in document.has_extracted_licensing_infos}
    image, about = next(((found, each) for each in roots if (found := _image(each))), (None, None))
    return Contents(
        form=document.spdx_version.replace("-", " "),
        tool=_tool(document.creation_info.creators),
        image=image or ImageName(),
        components=tuple(
            _component(each, names) for each in document.packages if _is_package(each, each.spdx_id in described)
        ),
        distro=next((_distro(each) for each in document.packages if _purpose(each) == "OPERATING-SYSTEM"), None),
        title=(about.facts.get("name") or about.name) if about else "",
        version=about.version_info if about else "",
    )


def _purpose(package: _Package) -> str:
    return package.primary_package_purpose.replace("_", "-")


def _is_package(package: _Package, described: bool) -> bool:
    if is_image(package.purl) or _purpose(package) in ("CONTAINER", "OPERATING-SYSTEM"):
        return False
    if package.purl or "type" in package.facts:
        return not described or bool(package.version_info)
    groups = _purpose(package) == "APPLICATION" and not package.version_info
    return not described and not groups and _purpose(package) not in _NO_PACKAGES


def _component(package: _Package, names: dict[str, str]) -> Component:
    facts = package.facts
    found, built = _FOUND.search(package.source_info), _BUILT.search(package.source_info)
    version = package.version_info
    return Component(
        name=package.name,
        version="" if version in _NOTHING else version,
        purl=package.purl,
        kind=next((kind for kind in PackageType if kind.value == facts.get("type")), None),
        licenses=_licenses(package, names),
        path=facts.get("path") or (found[1] if found else ""),
        layer=facts.get("layer", ""),
        source=built[1] if built else "",
        source_version=built[2] if built else "",
    )


def _licenses(package: _Package, names: dict[str, str]) -> tuple[str, ...]:
    """Return the declared licences. Those that `AND` joins at the top are several; all else is left as it is."""
    declared = package.license_declared
    stated = package.license_concluded if declared in _NOTHING else declared
    if stated in _NOTHING:
        return ()
    parts = re.split(r" AND ", stated) if "(" not in stated and " OR " not in stated else [stated]
    return tuple(names.get(part, part) for part in parts if part not in _NOTHING)


def _image(package: _Package) -> ImageName | None:
    if _purpose(package) != "CONTAINER" and not is_image(package.purl):
        return None
    digest = next((each.checksum_value.lower() for each in package.checksums if each.algorithm == "SHA256"), "")
    stated = image_name(package.version_info) or (image_name(f"sha256:{digest}") if digest else None)
    by_purl = image_name(package.purl) if package.purl else None
    known = next((each.digest for each in (stated, by_purl) if each and each.digest), "")
    named = image_name(package.facts.get("name") or package.name)
    return ImageName(known, named.repository, named.tag) if named else ImageName(known) if known else None


def _distro(package: _Package) -> Distro:
    like = tuple(filter(None, package.facts.get("like", "").split(" ")))
    return Distro(os_id(package.name), package.version_info, like, codename=package.facts.get("codename", ""))


def _tool(creators: list[str]) -> str:
    found = next((each.removeprefix("Tool:").strip() for each in creators if each.startswith("Tool:")), "")
    name, _, version = found.rpartition("-")
    return f"{name} {version}"[:100] if name and version[:1].isdigit() else found[:100]
