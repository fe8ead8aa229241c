"""What an evaluation looks at, indexed on first use."""

from __future__ import annotations

import stat
from functools import cached_property

import msgspec

from imagegate.dockerfile import Dockerfile
from imagegate.model import Analysis, BaseProof, Digest, FileEntry, Package, PasswdEntry, VulnerabilityReport


class Facts(msgspec.Struct, frozen=True, dict=True, kw_only=True):
    """All that rules may ask about one image.

    dockerfile: the one that it was built from, None when nobody gave it. vulnerabilities, base: None when nobody asked.
    image_id: digest of the image's config, for mappings by `id`; None when unknown.
    """

    analysis: Analysis
    dockerfile: Dockerfile | None = None
    vulnerabilities: VulnerabilityReport | None = None
    base: BaseProof | None = None
    image_id: Digest | None = None

    @cached_property
    def files(self) -> dict[str, FileEntry]:
        """Files by absolute path."""
        return {entry.path: entry for entry in self.analysis.files}

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
        """Packages by name."""
        found: dict[str, list[Package]] = {}
        for package in self.analysis.packages:
            found.setdefault(package.name, []).append(package)
        return found

    @cached_property
    def users(self) -> tuple[PasswdEntry, ...]:
        """The lines of /etc/passwd; none when the image has no such file."""
        return self.analysis.passwd or ()
