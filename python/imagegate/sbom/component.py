"""A package as an SBOM states it, and the package that it is. Pure.

What a package is, is in its package URL. (purl-spec, "Purl components" and the type definitions.)
"""

from __future__ import annotations

import msgspec
from packageurl import PackageURL

from imagegate.analysis.catalogers.rpm import source_of
from imagegate.errors import InvalidReference
from imagegate.model import Digest, Package, PackageType, parse_digest
from imagegate.vex.product import parse_purl

TYPES = {
    "deb": PackageType.DPKG,
    "rpm": PackageType.RPM,
    "apk": PackageType.APK,
    "npm": PackageType.NPM,
    "pypi": PackageType.PYTHON,
    "gem": PackageType.GEM,
    "maven": PackageType.JAVA,
    "golang": PackageType.GO,
}
"""Anchore's types by the types of purls; all others are `other`."""


class Component(msgspec.Struct, frozen=True):
    """What a document says of a package, whichever form it has.

    kind: Anchore's type, where the document has it beside the purl; source: of a distribution's package, where the
    document has it beside the purl; path: the file that says that it is installed; layer: the digest of its layer.
    """

    name: str
    version: str = ""
    purl: str = ""
    kind: PackageType | None = None
    licenses: tuple[str, ...] = ()
    path: str = ""
    layer: str = ""
    source: str = ""
    source_version: str = ""


class Unreadable(Exception):
    """A component that is no package that can be told; the text says why, after "packages"."""


def package_of(component: Component) -> Package:
    """Return the package. Raises Unreadable."""
    if not component.purl:
        if component.kind in (None, *TYPES.values()):
            raise Unreadable("without a package URL")
        return _package(component, component.kind or PackageType.OTHER, component.name, component.version)
    purl = parse_purl(component.purl)
    if purl is None:
        raise Unreadable("whose package URL cannot be read")
    kind = TYPES.get(purl.type) or _beyond_purl(component.kind)
    version = _version(purl, kind) or component.version
    # What Go builds from a checkout has no version, in images too.
    if not version and kind is not PackageType.GO:
        raise Unreadable("without a version")
    qualifiers = _qualifiers(purl)
    source, source_version = _source(component, kind, purl, qualifiers) if kind.is_os else ("", "")
    package = _package(component, kind, _name(component, kind, purl), version)
    return msgspec.structs.replace(
        package,
        architecture=qualifiers.get("arch", "") if kind.is_os else "",
        source=source,
        source_version=source_version,
        module=qualifiers.get("rpmmod", ""),
    )


def _beyond_purl(kind: PackageType | None) -> PackageType:
    """A document may say what a purl cannot, that a program is `binary`, but not make one kind of package another."""
    return PackageType.OTHER if kind is None or kind in TYPES.values() else kind


def _package(component: Component, kind: PackageType, name: str, version: str) -> Package:
    return Package(
        name=name,
        version=version,
        type=kind,
        purl=component.purl,
        path=component.path,
        licenses=component.licenses,
        layer=_digest(component.layer),
        cataloger="sbom",
    )


def _digest(text: str) -> Digest | None:
    try:
        return parse_digest(text)
    except InvalidReference:
        return None


def _name(component: Component, kind: PackageType, purl: PackageURL) -> str:
    """Return the name as the package itself has it. (purl-spec, types `npm`, `pypi`, `maven`, `golang`.)"""
    if kind.is_os or kind in (PackageType.JAVA, PackageType.GEM):
        return purl.name
    if kind is PackageType.PYTHON:
        # A purl has one spelling of the several that there are.
        same = kind.canonical(component.name) == kind.canonical(purl.name)
        return component.name if same else purl.name
    return "/".join(filter(None, (purl.namespace, purl.name, purl.subpath if kind is PackageType.GO else "")))


def _version(purl: PackageURL, kind: PackageType) -> str:
    """Return the version with its epoch, which some write as a qualifier. (purl-spec, types `rpm` and `deb`.)"""
    version, epoch = purl.version or "", _qualifiers(purl).get("epoch", "")
    return f"{epoch}:{version}" if kind.is_os and epoch and version and ":" not in version else version


def _source(component: Component, kind: PackageType, purl: PackageURL, qualifiers: dict[str, str]) -> tuple[str, str]:
    """Return name and version of the source package, by the qualifier `upstream` that syft and imagegate write."""
    upstream = qualifiers.get("upstream", "")
    if kind is PackageType.RPM and upstream.endswith(".src.rpm"):
        return source_of(upstream, purl.name, purl.version or "")
    if upstream:
        name, _, version = upstream.partition("@")
        return name, version
    if component.source in ("", purl.name) and component.source_version in ("", _version(purl, kind)):
        return "", ""
    return component.source, component.source_version


def _qualifiers(purl: PackageURL) -> dict[str, str]:
    return {str(key): str(value) for key, value in dict(purl.qualifiers or {}).items()}
