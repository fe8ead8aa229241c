"""What an evaluation looks at, indexed on first use."""

from __future__ import annotations

import posixpath
import stat
from functools import cached_property

import msgspec

from imagegate.dockerfile import Dockerfile
from imagegate.model import (
    Analysis,
    BaseProof,
    BaseStatus,
    Digest,
    FileEntry,
    FileType,
    Owner,
    Package,
    PackageListing,
    PasswdEntry,
    Problem,
    VulnerabilityReport,
)


class Previous(msgspec.Struct, frozen=True):
    """The image that a tag stood for before. analysis: None when it stood for none."""

    analysis: Analysis | None


class Facts(msgspec.Struct, frozen=True, dict=True, kw_only=True):
    """All that rules may ask about one image.

    dockerfile: the one that it was built from, None when nobody gave it. vulnerabilities, base: None when nobody asked.
    image_id: digest of the image's config, for mappings by `id`; None when unknown. listing: what package registries
    have, None when nobody gave it. ancestors: the base, the base's base and so on, as far as they are proved and one
    further. previous: what the tag stood for before. problems: what is to be told of how the facts were got; one of
    severity `error` leaves the image undecided.
    """

    analysis: Analysis
    dockerfile: Dockerfile | None = None
    vulnerabilities: VulnerabilityReport | None = None
    base: BaseProof | None = None
    image_id: Digest | None = None
    listing: PackageListing | None = None
    ancestors: tuple[BaseProof, ...] | None = None
    previous: Previous | None = None
    problems: tuple[Problem, ...] = ()

    @cached_property
    def files(self) -> dict[str, FileEntry]:
        """Files by absolute path."""
        return {entry.path: entry for entry in self.analysis.files}

    def layer_of(self, package: Package | None, path: str) -> tuple[Digest | None, Owner | None]:
        """Return the layer that brought a package or a file, and whose that is, as far as it is known."""
        digest = package.layer if package else None
        if digest is None and path and (entry := self.files.get(path)) and 0 <= entry.layer < len(self._layers):
            digest = self.analysis.layers[entry.layer].digest
        if digest not in self._layers or self.base is None or self.base.status is not BaseStatus.PROVED:
            return digest, None
        return digest, Owner.BASE if self._layers[digest] < self.base.layers else Owner.IMAGE

    @cached_property
    def _layers(self) -> dict[Digest | None, int]:
        return {layer.digest: number for number, layer in enumerate(self.analysis.layers)}

    @cached_property
    def paths(self) -> list[str]:
        """Every file's path."""
        return [entry.path for entry in self.analysis.files]

    @cached_property
    def setuid(self) -> list[FileEntry]:
        """Files with the setuid or the setgid bit."""
        bits = stat.S_ISUID | stat.S_ISGID
        return [entry for entry in self.analysis.files if entry.mode & bits]

    @cached_property
    def packages(self) -> dict[str, list[Package]]:
        """Packages by name, and by the one spelling of it where a name has several."""
        found: dict[str, list[Package]] = {}
        for package in self.analysis.packages:
            for name in {package.name, package.type.canonical(package.name)}:
                found.setdefault(name, []).append(package)
        return found

    def links_to(self, path: str) -> list[str]:
        """Return the symbolic links that end at a file."""
        return self._links.get(path, [])

    @cached_property
    def _links(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for entry in self.analysis.files:
            if entry.type is FileType.SYMLINK:
                found.setdefault(self._end(entry), []).append(entry.path)
        return found

    def _end(self, link: FileEntry) -> str:
        at: FileEntry | None = link
        for _ in range(40):
            if at is None or at.type is not FileType.SYMLINK:
                break
            path = posixpath.normpath(posixpath.join(posixpath.dirname(at.path), at.link))
            at = self.files.get(path)
        return at.path if at else ""

    @cached_property
    def users(self) -> tuple[PasswdEntry, ...]:
        """The lines of /etc/passwd; none when the image has no such file."""
        return self.analysis.passwd or ()
