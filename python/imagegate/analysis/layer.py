"""What one layer adds to an image and takes away from it: the unit that is computed once and cached."""

from __future__ import annotations

import msgspec

from imagegate.model import ContentMatch, FileEntry, Package


class Checksums(msgspec.Struct, frozen=True, array_like=True):
    """Of a file, in hex, in the algorithms that package databases still use; not for trust."""

    md5: str
    sha1: str


class Evidence(msgspec.Struct, frozen=True, array_like=True):
    """A file that states packages. checksums: of its content, which package databases are in terms of; not for trust.

    The packages lack what only the image knows: their layer, and the distribution in their purl.
    """

    path: str
    checksums: Checksums | None
    packages: tuple[Package, ...]


class Ownership(msgspec.Struct, frozen=True, array_like=True):
    """A file that lists what distro packages own: dpkg's `<package>.md5sums`, or a database that states packages too.

    package: the one that it is about, empty for a database. files: path to checksum (MD5, SHA-1 or SHA-256), of those
    files only whose owner makes a difference.
    """

    path: str
    package: str
    files: dict[str, str]


class LayerAnalysis(msgspec.Struct, frozen=True, array_like=True):
    """The content of one layer.

    files: what it adds, a path once. whiteouts: paths that it removes from the layers below.
    opaque: directories whose content below it hides. (OCI image-spec, layer.md, "Whiteouts".) contents: what was
    retrieved, by path. size: bytes of the uncompressed tar. matches: files in which a pattern was found.
    licenses: of Debian packages, by the path of their `copyright` file.
    checksums: of every regular file by path, where `analysis.verify` asks for them. malware: signatures that a virus
    scanner found, by path; None when none was asked. unreadable: package databases that are damaged, and how.
    """

    files: tuple[FileEntry, ...]
    whiteouts: tuple[str, ...]
    opaque: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    ownership: tuple[Ownership, ...]
    contents: dict[str, bytes]
    size: int = 0
    matches: tuple[ContentMatch, ...] = ()
    checksums: dict[str, Checksums] = {}
    licenses: dict[str, tuple[str, ...]] = {}
    malware: dict[str, tuple[str, ...]] | None = None
    unreadable: dict[str, str] = {}
