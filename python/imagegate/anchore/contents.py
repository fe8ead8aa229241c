"""What an Anchore server says that an image holds, as packages of the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from imagegate.anchore.client import AnchoreClient
from imagegate.errors import AnchoreError
from imagegate.model import Digest, Distro, Package, PackageType

_KINDS = ("os", "npm", "gem", "python", "java", "go", "binary")
_TYPES = {
    "DPKG": PackageType.DPKG,
    "RPM": PackageType.RPM,
    "APKG": PackageType.APK,
    "APK": PackageType.APK,
    "NPM": PackageType.NPM,
    "GEM": PackageType.GEM,
    "PYTHON": PackageType.PYTHON,
    "GO": PackageType.GO,
    "BINARY": PackageType.BINARY,
}
_PURLS = {
    PackageType.DPKG: "deb",
    PackageType.RPM: "rpm",
    PackageType.APK: "apk",
    PackageType.NPM: "npm",
    PackageType.GEM: "gem",
    PackageType.PYTHON: "pypi",
    PackageType.JAVA: "maven",
    PackageType.GO: "golang",
}


class ServerContents(msgspec.Struct, frozen=True):
    """An image's packages. The server does not say which source package one is of, nor which layer brought it."""

    distro: Distro | None
    packages: tuple[Package, ...]
    platform: str


def contents(client: AnchoreClient, digest: Digest) -> ServerContents:
    """Return what is in an analysed image. Raises AnchoreError and the errors of its session."""
    answer = client.session.get(f"/images/{digest}")
    about = answer[0] if isinstance(answer, list) and answer else answer
    told = ((about or {}).get("image_content") or {}).get("metadata") or {}
    distro = Distro(str(told["distro"]).lower(), str(told.get("distro_version") or "")) if told.get("distro") else None
    packages = [package for kind in _KINDS for package in _packages(client, digest, kind, distro)]
    return ServerContents(distro, tuple(dict.fromkeys(packages)), f"linux/{told.get('arch') or 'amd64'}")


def _packages(client: AnchoreClient, digest: Digest, kind: str, distro: Distro | None) -> Iterator[Package]:
    try:
        items = client.content(digest, kind)
    except AnchoreError as error:
        if error.status in (400, 404):  # a kind that this version has not
            return
        raise
    for item in items:
        stated = str(item.get("type") or "").upper()
        found = PackageType.JAVA if kind == "java" else _TYPES.get(stated, PackageType.OTHER)
        name, version = str(item.get("package") or ""), _version(item)
        if name:
            purl = str(item.get("purl") or "") or _purl(found, name, version, distro)
            yield Package(name, version, found, purl, str(item.get("location") or ""), cataloger="anchore")


def _version(item: dict[str, Any]) -> str:
    """Java's archives have up to three. (Anchore Engine, `content/java`.)"""
    names = ("version", "maven-version", "implementation-version", "specification-version")
    stated = (str(item.get(name) or "") for name in names)
    return next((each for each in stated if each not in ("", "N/A")), "")


def _purl(kind: PackageType, name: str, version: str, distro: Distro | None) -> str:
    if kind not in _PURLS:
        return ""
    space = f"{distro.id}/" if kind.is_os and distro else ""
    return f"pkg:{_PURLS[kind]}/{space}{quote(name, safe='/')}@{quote(version, safe='')}"
