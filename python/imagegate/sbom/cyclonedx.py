"""CycloneDX documents as JSON. (CycloneDX 1.4 to 1.6, bom-1.x.schema.json: "metadata", "components".)"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from imagegate.errors import SbomError
from imagegate.jsonfile import JsonFile
from imagegate.model import Distro, PackageType, Platform
from imagegate.sbom.component import Component
from imagegate.sbom.contents import Contents, os_id
from imagegate.vex.product import ImageName, image_name, is_image, parse_purl

VERSIONS = ("1.2", "1.3", "1.4", "1.5", "1.6", "1.7")
OWN = "imagegate:"
"""What the names of imagegate's own properties begin with. (CycloneDX property taxonomy.)"""
_SYFT, _TRIVY = "syft:", "aquasecurity:trivy:"
_PACKAGES = ("library", "framework", "application")
"""Types of components that are packages, when nothing else says so."""
_SYFT_TYPES = {"binary": PackageType.BINARY}


class Property(msgspec.Struct):
    """A name and a value; a name may stand several times."""

    name: str = ""
    value: str = ""


class _License(msgspec.Struct):
    id: str = ""
    name: str = ""


class _Choice(msgspec.Struct):
    license: _License | None = None
    expression: str = ""


class Hash(msgspec.Struct):
    """A digest of a component, in hexadecimal."""

    alg: str = ""
    content: str = ""


class Part(msgspec.Struct):
    """A component, which may hold others."""

    name: str
    type: str = ""
    group: str = ""
    version: str = ""
    purl: str = ""
    bom_ref: str = msgspec.field(default="", name="bom-ref")
    licenses: list[_Choice] = []
    hashes: list[Hash] = []
    properties: list[Property] = []
    components: list[Part] = []

    @property
    def facts(self) -> dict[str, str]:
        """The properties; of those that stand several times, the first."""
        found: dict[str, str] = {}
        for each in self.properties:
            found.setdefault(each.name, each.value)
        return found

    @property
    def image(self) -> ImageName | None:
        """The image that it is, None when it is none, or which one cannot be told."""
        if self.type != "container" and not is_image(self.purl):
            return None
        by_purl, by_name = image_name(self.purl) if self.purl else None, image_name(self.name)
        digest = next(filter(None, (each.digest for each in map(image_name, (self.version, self.purl)) if each)), "")
        named = _named(self.purl) or by_purl or by_name
        return ImageName(digest, named.repository, named.tag) if named else ImageName(digest) if digest else None


class _Contact(msgspec.Struct):
    name: str = ""
    email: str = ""


class Metadata(msgspec.Struct):
    """What a document says of itself and of what it is about."""

    timestamp: str = ""
    component: Part | None = None
    tools: Any = None
    authors: list[_Contact] = []
    supplier: _Contact | None = None

    @property
    def author(self) -> str:
        """Who wrote it, as far as it says so."""
        people = (*self.authors, self.supplier)
        return next((each.name or each.email for each in people if each and (each.name or each.email)), "")


class Bom(msgspec.Struct):
    """A document, as far as packages and their place are concerned."""

    form: str = msgspec.field(name="bomFormat")
    version: str = msgspec.field(name="specVersion")
    serial_number: str = msgspec.field(default="", name="serialNumber")
    metadata: Metadata = msgspec.field(default_factory=Metadata)
    components: list[Part] = []
    revision: int = msgspec.field(default=1, name="version")


def check_version(file: JsonFile, bom: Bom, error: type[Exception]) -> None:
    """Raise the error, which explains itself, for a version that is not read."""
    if bom.form != "CycloneDX" or bom.version not in VERSIONS:
        raise error(f"{file.path} is {bom.form[:40]} {bom.version[:20]}; CycloneDX {', '.join(VERSIONS)} are read")


def read(file: JsonFile) -> Contents:
    """Return what a document says. Raises SbomError."""
    bom = file.decode(Bom)
    check_version(file, bom, SbomError)
    subject = bom.metadata.component
    parts = list(walk(bom.components))
    components = [_component(part) for part in parts if _is_package(part)]
    if subject:
        components += [_component(part) for part in walk(subject.components) if _is_package(part)]
        # What an SBOM is about is a package too, when it is no image.
        if subject.purl and subject.version and not is_image(subject.purl):
            components.append(_component(subject))
    return Contents(
        form=f"CycloneDX {bom.version}",
        tool=_tool(bom.metadata.tools),
        image=(subject.image if subject else None) or ImageName(),
        components=tuple(components),
        platform=_platform(subject) if subject else None,
        distro=next((_distro(part) for part in parts if part.type == "operating-system"), None),
        title=subject.name if subject else "",
        version=subject.version if subject else "",
    )


def walk(parts: Iterable[Part]) -> Iterator[Part]:
    """Yield components and what is in them."""
    waiting = list(parts)[::-1]
    while waiting:
        part = waiting.pop()
        yield part
        waiting += part.components[::-1]


def _is_package(part: Part) -> bool:
    """Say whether a component is a package. An application without a version groups others (Trivy: a lock file)."""
    if part.type == "operating-system" or is_image(part.purl):
        return False
    if part.purl or f"{OWN}type" in part.facts:
        return True
    return part.type in _PACKAGES and (bool(part.version) or part.type != "application")


def _component(part: Part) -> Component:
    facts = part.facts
    paths = (f"{OWN}path", f"{_SYFT}metadata:virtualPath", f"{_SYFT}location:0:path", f"{_TRIVY}FilePath")
    layers = (f"{OWN}layer", f"{_TRIVY}LayerDigest")
    return Component(
        name=part.name,
        version=part.version,
        purl=part.purl,
        kind=_kind(facts),
        licenses=tuple(filter(None, map(_license, part.licenses))),
        path=next((facts[name] for name in paths if name in facts), ""),
        layer=next((facts[name] for name in layers if name in facts), ""),
        source=facts.get(f"{_TRIVY}SrcName", ""),
        source_version=_trivy_version(facts),
    )


def _kind(facts: dict[str, str]) -> PackageType | None:
    own = facts.get(f"{OWN}type", "")
    found = next((kind for kind in PackageType if kind.value == own), None)
    syft = facts.get(f"{_SYFT}package:type", "")
    return found or (_SYFT_TYPES.get(syft, PackageType.OTHER) if syft else None)


def _trivy_version(facts: dict[str, str]) -> str:
    version, release, epoch = (facts.get(f"{_TRIVY}Src{name}", "") for name in ("Version", "Release", "Epoch"))
    found = "-".join(filter(None, (version, release)))
    return f"{epoch}:{found}" if found and epoch not in ("", "0") else found


def _license(choice: _Choice) -> str:
    return choice.expression or (choice.license.id or choice.license.name if choice.license else "")


def _distro(part: Part) -> Distro:
    facts = part.facts
    named = (f"{OWN}distro:like", f"{_SYFT}distro:idLike")
    like = [each.value for each in part.properties if each.name.startswith(named)]
    return Distro(
        id=os_id(facts.get(f"{_SYFT}distro:id") or part.name),
        version=facts.get(f"{_SYFT}distro:versionID") or part.version,
        like=tuple(like),
        codename=facts.get(f"{OWN}distro:codename") or facts.get(f"{_SYFT}distro:versionCodename", ""),
    )


def _platform(subject: Part) -> Platform | None:
    os, _, rest = subject.facts.get(f"{OWN}platform", "").partition("/")
    architecture, _, variant = rest.partition("/")
    return Platform(os, architecture, variant) if os and architecture else None


def _named(purl: str) -> ImageName | None:
    """Return the name that a purl of an image has beside its digest."""
    parsed = parse_purl(purl) if is_image(purl) else None
    qualifiers = dict(parsed.qualifiers or {}) if parsed else {}
    found = image_name(str(qualifiers.get("repository_url", "")))
    return ImageName(repository=found.repository, tag=str(qualifiers.get("tag", ""))) if found else None


def _tool(tools: Any) -> str:
    """Return what wrote a document: a list until 1.4, components and services since 1.5."""
    listed = tools.get("components") if isinstance(tools, dict) else tools
    first = listed[0] if isinstance(listed, list) and listed else None
    if not isinstance(first, dict):
        return ""
    return f"{str(first.get('name') or '')[:60]} {str(first.get('version') or '')[:40]}".strip()
