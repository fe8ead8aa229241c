"""Where images are: digests, platforms, repositories, and the references that users write."""

from __future__ import annotations

import re
from typing import NewType

import msgspec

from imagegate.errors import InvalidReference

Digest = NewType("Digest", str)
"""`sha256:<64 lower-case hex>`, made by `parse_digest` only. (OCI image-spec, descriptor.md, "Digests".)"""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")


def parse_digest(text: str) -> Digest:
    """Return text as a Digest. Raises InvalidReference for anything but a sha256 digest."""
    if not _DIGEST.match(text):
        raise InvalidReference(
            f"{text[:90]!r} is not a digest", hint="A digest is 'sha256:' and 64 lower-case hexadecimal digits."
        )
    return Digest(text)


class Platform(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an image runs on. (OCI image-spec, image-index.md, `platform`.)"""

    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""
    os_version: str = msgspec.field(default="", name="os.version")

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Points at content by digest. (OCI image-spec, descriptor.md.) size: bytes."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: dict[str, str] = {}


class Repository(msgspec.Struct, frozen=True, order=True):
    """A repository in a registry: `registry` is `host[:port]`, `name` the path. Its text is the Notary GUN too."""

    registry: str
    name: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.name}"


class RegistryRef(msgspec.Struct, frozen=True):
    """`registry/repo:tag`, `registry/repo@sha256:…`, or both (the digest then decides)."""

    repository: Repository
    tag: str = ""
    digest: Digest | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")


class DaemonRef(msgspec.Struct, frozen=True):
    """`docker-daemon:NAME`: an image of the local Docker engine, by name[:tag] or id."""

    name: str

    def __str__(self) -> str:
        return f"docker-daemon:{self.name}"


class LayoutRef(msgspec.Struct, frozen=True):
    """`oci:DIR[:ref]`: an OCI image layout; ref is its `org.opencontainers.image.ref.name`, or empty."""

    path: str
    name: str = ""

    def __str__(self) -> str:
        return f"oci:{self.path}" + (f":{self.name}" if self.name else "")


class ArchiveRef(msgspec.Struct, frozen=True):
    """`docker-archive:FILE[:name:tag]`: what `docker save` writes."""

    path: str
    name: str = ""

    def __str__(self) -> str:
        return f"docker-archive:{self.path}" + (f":{self.name}" if self.name else "")


class SbomRef(msgspec.Struct, frozen=True):
    """`sbom:FILE`: what an SBOM says of an image that is not at hand. It can be evaluated, not promoted."""

    path: str

    def __str__(self) -> str:
        return f"sbom:{self.path}"


ImageRef = RegistryRef | DaemonRef | LayoutRef | ArchiveRef | SbomRef
