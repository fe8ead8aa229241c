"""What is in an image: files, packages, and all else that an Analysis tells."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from imagegate.model.image import ImageConfig
from imagegate.model.reference import Digest, Platform


class FileType(StrEnum):
    """The kinds of file that a layer holds."""

    FILE = "file"
    DIRECTORY = "dir"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    CHARACTER = "char"
    BLOCK = "block"
    FIFO = "fifo"


class FileEntry(msgspec.Struct, frozen=True, array_like=True):
    """A file of an image. path: absolute, normalised; mode: permission bits, setuid, setgid, sticky; size: bytes.

    layer: number of the image's layer that it is of, from 0; -1 when it is not known.
    """

    path: str
    type: FileType
    mode: int
    uid: int
    gid: int
    size: int
    sha256: str = ""
    link: str = ""
    layer: int = -1


class PackageType(StrEnum):
    """Package types by Anchore's names, which policies and trigger ids use."""

    DPKG = "dpkg"
    RPM = "rpm"
    APK = "APKG"
    NPM = "npm"
    PYTHON = "python"
    GEM = "gem"
    JAVA = "java"
    GO = "go"
    BINARY = "binary"
    OTHER = "other"

    @property
    def is_os(self) -> bool:
        """Whether the distribution's own package manager installs it."""
        return self in (PackageType.DPKG, PackageType.RPM, PackageType.APK)

    def canonical(self, name: str) -> str:
        """Return the one spelling of a package's name; only Python's have several. (PEP 503, "Normalized Names".)"""
        return re.sub(r"[-_.]+", "-", name).lower() if self is PackageType.PYTHON else name


class Package(msgspec.Struct, frozen=True, omit_defaults=True):
    """An installed package. path: the file that says so; layer: digest of the layer that brought that file.

    source, source_version: the source package of a distro's binary package (empty: the same as the binary's).
    module: of an rpm package, the module that it was built for, `NAME:STREAM:VERSION:CONTEXT`.
    """

    name: str
    version: str
    type: PackageType
    purl: str
    path: str = ""
    architecture: str = ""
    source: str = ""
    source_version: str = ""
    licenses: tuple[str, ...] = ()
    size: int = 0
    layer: Digest | None = None
    cataloger: str = "native"
    module: str = ""


class PasswdEntry(msgspec.Struct, frozen=True):
    """A line of /etc/passwd, kept as text so that nothing malformed is lost."""

    name: str
    password: str
    uid: str
    gid: str
    gecos: str
    home: str
    shell: str


class Distro(msgspec.Struct, frozen=True, omit_defaults=True):
    """From os-release(5): id `debian`, version `12`, like `("debian",)`."""

    id: str
    version: str = ""
    like: tuple[str, ...] = ()
    name: str = ""
    codename: str = ""


class SearchKind(StrEnum):
    """What a content was searched for."""

    SECRET = "secret"  # noqa: S105 - a kind of search
    CONTENT = "content"


class ContentMatch(msgspec.Struct, frozen=True, array_like=True):
    """A file in which a pattern was found, never what was found. lines: the first of them, counted from 1.

    anchored: whether a line has it where it begins, which is what Anchore Engine looks for.
    """

    kind: SearchKind
    path: str
    name: str
    regex: str
    lines: tuple[int, ...] = ()
    anchored: bool = True


class AlteredFile(msgspec.Struct, frozen=True, array_like=True):
    """A file of a distro's package that is `missing` or `changed`, or neither.

    engine_status: what Anchore Engine takes it for, which differs. docs/policies.md says how.
    """

    package: str
    path: str
    status: str
    engine_status: str


class MalwareFinding(msgspec.Struct, frozen=True, array_like=True):
    """A file in which a virus scanner found something, and the name that it has for it."""

    path: str
    signature: str


class MalwareScan(msgspec.Struct, frozen=True):
    """What a virus scanner said of all files of an image. database: the version of its signatures."""

    scanner: str
    findings: tuple[MalwareFinding, ...]
    database: str = ""


class ListedPackage(msgspec.Struct, frozen=True):
    """A package as an ecosystem's registry lists it."""

    latest: str = ""
    versions: tuple[str, ...] = ()


PackageListing = dict[PackageType, dict[str, ListedPackage]]
"""What registries have, by type and name, for the gates `npms` and `ruby_gems`."""


class AnalysedLayer(msgspec.Struct, frozen=True):
    """A layer as the Analysis names it. size: bytes of the blob; created_by: the history's command."""

    digest: Digest
    diff_id: Digest
    size: int
    created_by: str = ""


class Part(StrEnum):
    """What can be known of an image. `image` is all that only its bytes tell: files, config, layers, size."""

    PACKAGES = "packages"
    LICENSES = "licenses"
    DISTRO = "distro"
    PLATFORM = "platform"
    IMAGE = "image"


class Analysis(msgspec.Struct, frozen=True, tag_field="schema", tag="imagegate/analysis/1"):
    """All that is known about the content of one image. docs/analysis.md describes it as a document.

    size: sum of the compressed layers in bytes. passwd: None when the image has no readable /etc/passwd.
    retrieved: contents that policies ask for, by absolute path. analyzer: its version, part of every cache key.
    matches: files in which a pattern of `analysis.secrets` or `analysis.contents` was found. altered: files that are
    not as their package brought them, None when `analysis.verify` is off. malware: None when no scanner was asked.
    unknown: what could not be looked at, when all there was is an SBOM; rules that need it cannot be decided.
    """

    digest: Digest
    platform: Platform
    size: int
    config: ImageConfig
    layers: tuple[AnalysedLayer, ...]
    distro: Distro | None
    packages: tuple[Package, ...]
    files: tuple[FileEntry, ...]
    passwd: tuple[PasswdEntry, ...] | None
    retrieved: dict[str, bytes]
    analyzer: str
    matches: tuple[ContentMatch, ...] = ()
    altered: tuple[AlteredFile, ...] | None = None
    malware: MalwareScan | None = None
    unknown: tuple[Part, ...] = ()
