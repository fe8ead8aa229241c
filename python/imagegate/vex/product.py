"""What a VEX statement is about: an image, a package, or a package in an image. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from imagegate.errors import InvalidReference
from imagegate.image.reference import parse
from imagegate.model import Digest, Package, RegistryRef

if TYPE_CHECKING:
    from packageurl import PackageURL

_ASIDE = frozenset({"epoch", "package-id", "upstream"})
"""Qualifiers that tell no package from another: part of the version, syft's id of a place, the source package."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class ImageName(msgspec.Struct, frozen=True):
    """An image by digest, or by `registry/repository` and, where one is given, tag. The digest decides alone."""

    digest: str = ""
    repository: str = ""
    tag: str = ""

    def names(self, tag: str, digest: Digest) -> bool:
        """Say whether it is the image of this name, `registry/repository:tag`, and digest."""
        if self.digest:
            return self.digest == digest
        repository, label = split_name(tag)
        return bool(self.repository) and self.repository == repository and self.tag in ("", label)


class Product(msgspec.Struct, frozen=True):
    """image: None for any that has the package; package: its purl, empty for all that is in the image."""

    image: ImageName | None
    package: str = ""

    def is_in(self, tag: str, digest: Digest) -> bool:
        """Say whether it can be in the image of this name and digest."""
        return self.image is None or self.image.names(tag, digest)

    def holds(self, package: Package | None, tag: str, digest: Digest) -> bool:
        """Say whether a package of the image is, or is in, the product. One that says of nothing holds nothing."""
        if self.image is None and not self.package:
            return False
        if not self.is_in(tag, digest):
            return False
        return not self.package or (package is not None and same_package(self.package, package))


def image_name(text: str) -> ImageName | None:
    """Return the image that an identifier names: a purl of an image, a reference or a digest; None if it is neither.

    (purl-spec, types `oci` and `docker`.) A `pkg:oci` with neither digest nor repository names too much to name one.
    """
    if _DIGEST.fullmatch(text):
        return ImageName(digest=text)
    if text.startswith("pkg:"):
        purl = parse_purl(text)
        return _of_purl(purl) if purl else None
    if "://" in text or text.startswith("urn:"):
        return None
    try:
        reference = parse(text)
    except InvalidReference:
        return None
    if not isinstance(reference, RegistryRef):
        return None
    tag = reference.tag if text.endswith(f":{reference.tag}") else ""
    return ImageName(reference.digest or "", str(reference.repository), tag)


def split_name(name: str) -> tuple[str, str]:
    """Split `registry/repository:tag`; the tag may be missing."""
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "")


def image_purl(name: str, digest: Digest, platform: str) -> str:
    """Return the purl of an image that is called `registry/repository:tag`. (purl-spec, type `oci`.)

    platform: `os/architecture[/variant]`, or empty.
    """
    from packageurl import PackageURL

    repository, tag = split_name(name)
    qualifiers = {"arch": "".join(platform.split("/")[1:2]), "repository_url": repository, "tag": tag}
    present = {key: value for key, value in qualifiers.items() if value}
    return PackageURL("oci", None, repository.rpartition("/")[2].strip() or "image", digest, present).to_string()


def package_purl(package: Package) -> str:
    """Return a package's purl; of one that has none, as programs that nobody packaged, a `generic` one."""
    from packageurl import PackageURL

    name = package.name.strip("/ ") or "unknown"
    return package.purl or PackageURL("generic", None, name, package.version or None).to_string()


def _of_purl(purl: PackageURL) -> ImageName | None:
    qualifiers = _qualifiers(purl)
    version, named = purl.version or "", qualifiers.get("repository_url", "")
    if purl.type == "docker":
        named = "/".join(filter(None, (named or "docker.io", purl.namespace, purl.name)))
    elif purl.type != "oci":
        return None
    named = named.removeprefix("https://").rstrip("/")
    digest = version if _DIGEST.fullmatch(version) else ""
    found = image_name(named) if named else None
    tag = qualifiers.get("tag", "") or (version if purl.type == "docker" and not digest else "")
    if digest:
        return ImageName(digest=digest)
    # A version that is no digest is one that nothing can be compared with.
    usable = found and (purl.type == "docker" or not version)
    return ImageName(repository=found.repository, tag=tag) if found and usable else None


def parse_purl(text: str) -> PackageURL | None:
    """Return a package URL, None for text that is none."""
    from packageurl import PackageURL  # A fifth of the time of a cached check, which needs none.

    try:
        return PackageURL.from_string(text)
    except ValueError:
        return None


def is_image(text: str) -> bool:
    """Say whether a purl is of an image, whichever."""
    return text.startswith(("pkg:oci/", "pkg:docker/"))


def same_package(stated: str, package: Package) -> bool:
    """Say whether a package is the one that a purl states: all that the purl has, the package's must have too."""
    wanted, found = parse_purl(stated), parse_purl(package.purl)
    if wanted is None or found is None:
        return False
    names = [(purl.type, purl.namespace or "", package.type.canonical(purl.name)) for purl in (wanted, found)]
    if names[0] != names[1] or wanted.subpath not in (None, found.subpath):
        return False
    if wanted.version and _version(wanted) != _version(found):
        return False
    theirs = _qualifiers(found)
    return all(theirs.get(key) == value for key, value in _qualifiers(wanted).items() if key not in _ASIDE)


def _version(purl: PackageURL) -> str:
    """Return the version with its epoch, which some write as a qualifier. (purl-spec, types `rpm` and `deb`.)"""
    epoch = _qualifiers(purl).get("epoch", "")
    version = purl.version or ""
    return f"{epoch}:{version}" if epoch and ":" not in version else version


def _qualifiers(purl: PackageURL) -> dict[str, str]:
    return {str(key): str(value) for key, value in dict(purl.qualifiers or {}).items()}
