"""syft's own JSON. (syft JSON schema 16, `Document`, `Package`, `LinuxRelease`.)"""

from __future__ import annotations

from typing import Any

import msgspec

from imagegate.jsonfile import JsonFile
from imagegate.model import Distro, PackageType, Platform
from imagegate.sbom.component import Component
from imagegate.sbom.contents import Contents, os_id
from imagegate.vex.product import ImageName, image_name


class _Location(msgspec.Struct, rename="camel"):
    path: str = ""
    access_path: str = ""


class _License(msgspec.Struct):
    value: str = ""


class _Artifact(msgspec.Struct):
    name: str
    version: str = ""
    type: str = ""
    purl: str = ""
    locations: list[_Location] = []
    licenses: list[_License | str] = []


class _Release(msgspec.Struct):
    id: str = ""
    version: str = msgspec.field(default="", name="versionID")
    codename: str = msgspec.field(default="", name="versionCodename")
    like: list[str] | str = msgspec.field(default_factory=list, name="idLike")


class _Source(msgspec.Struct):
    type: str = ""
    metadata: Any = None


class _Descriptor(msgspec.Struct):
    name: str = ""
    version: str = ""


class _Schema(msgspec.Struct):
    version: str = ""


class _Document(msgspec.Struct):
    artifacts: list[_Artifact]
    descriptor: _Descriptor = msgspec.field(default_factory=_Descriptor)
    source: _Source = msgspec.field(default_factory=_Source)
    distro: _Release = msgspec.field(default_factory=_Release)
    schema: _Schema = msgspec.field(default_factory=_Schema)


def read(file: JsonFile) -> Contents:
    """Return what a document says. Raises SbomError."""
    document = file.decode(_Document)
    about = document.source.metadata if isinstance(document.source.metadata, dict) else {}
    texts = {key: value for key, value in about.items() if isinstance(value, str)}
    digest = image_name(texts.get("manifestDigest", ""))
    named = image_name(texts.get("userInput", ""))
    os, architecture = texts.get("os", ""), texts.get("architecture", "")
    release = document.distro
    like = release.like.split() if isinstance(release.like, str) else release.like
    return Contents(
        form=f"syft JSON {document.schema.version[:20]}".strip(),
        tool=f"{document.descriptor.name[:60]} {document.descriptor.version[:40]}".strip(),
        image=ImageName(digest.digest if digest else "", named.repository if named else "", named.tag if named else ""),
        components=tuple(map(_component, document.artifacts)),
        platform=Platform(os, architecture) if os and architecture else None,
        distro=Distro(os_id(release.id), release.version, tuple(like), "", release.codename) if release.id else None,
        title=texts.get("userInput", ""),
    )


def _component(artifact: _Artifact) -> Component:
    first = artifact.locations[0] if artifact.locations else _Location()
    licenses = (each if isinstance(each, str) else each.value for each in artifact.licenses)
    return Component(
        name=artifact.name,
        version=artifact.version,
        purl=artifact.purl,
        kind=PackageType.BINARY if artifact.type == "binary" else PackageType.OTHER,
        licenses=tuple(filter(None, licenses)),
        path=first.access_path or first.path,
    )
