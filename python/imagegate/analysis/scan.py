"""One pass over a layer: every file's entry and hash, and the content of the few files that matter."""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from imagegate.analysis.catalogers import Cataloger, cataloger_of
from imagegate.analysis.entries import Entries
from imagegate.analysis.foreign import BinaryProbe, is_foreign
from imagegate.analysis.layer import Evidence, LayerAnalysis, Ownership
from imagegate.analysis.ownership import owned_files, owner_of, unmerged
from imagegate.analysis.tarstream import Member, TarStream
from imagegate.errors import LimitExceeded
from imagegate.model import FileEntry, FileType, Package
from imagegate.settings import AnalysisSettings, Limits

_CHUNK = 1024 * 1024
_RETRIEVED_SETTING = "Raise analysis.retrieve_max_size, or take it out of analysis.retrieve."


class LayerScan:
    """Collects what a layer holds.

    foreign: paths that syft should look at. linked: hard links to contents that matter under the link's name only;
    target to paths. Both need the layer to be read again, which few layers do.
    """

    def __init__(self, name: str, retrieve: frozenset[str], settings: AnalysisSettings, limits: Limits) -> None:
        self._name, self._retrieve, self._settings, self._limits = name, retrieve, settings, limits
        self._native, self._syft = settings.catalogers != "syft", settings.catalogers != "native"
        self._entries = Entries()
        self._packages: dict[str, tuple[str, tuple[Package, ...]]] = {}
        self._ownership: dict[str, Ownership] = {}
        self._contents: dict[str, bytes] = {}
        self._foreign: dict[str, str] = {}
        self.linked: dict[str, list[str]] = {}

    def read(self, stream: BinaryIO) -> None:
        """Read the layer's tar to its verified end. Raises InvalidImage, LimitExceeded, DigestMismatch."""
        tar = TarStream(stream, self._limits, self._name)
        for member in tar:
            if not self._entries.white_out(member.path):
                sha256 = self._content(member, tar) if member.type is FileType.FILE else ""
                self._add(member, sha256)
        self._entries.finish()

    def foreign(self) -> frozenset[str]:
        """Paths for syft: all but those that dpkg installed in this same layer, which are part of a package already."""
        owned = {(unmerged(path), md5) for each in self._ownership.values() for path, md5 in each.files.items()}
        return frozenset(
            path for path, md5 in self._foreign.items() if self._stands(path) and (unmerged(path), md5) not in owned
        )

    def result(self, foreign: tuple[Evidence, ...] = (), size: int = 0) -> LayerAnalysis:
        """Return what was found. foreign: what syft found in this layer; size: bytes of the tar."""
        packages = ((path, *found) for path, found in self._packages.items() if self._stands(path))
        return LayerAnalysis(
            files=tuple(self._entries.files.values()),
            whiteouts=tuple(self._entries.whiteouts),
            opaque=tuple(self._entries.opaque),
            evidence=(*(Evidence(*each) for each in packages), *foreign),
            ownership=tuple(each for path, each in self._ownership.items() if self._stands(path)),
            contents={path: content for path, content in self._contents.items() if self._stands(path)},
            size=size,
        )

    def _stands(self, path: str) -> bool:
        """Return whether what was read at this path is what the layer has there in the end."""
        entry = self._entries.files.get(path)
        return entry is not None and entry.type in (FileType.FILE, FileType.HARDLINK, FileType.DIRECTORY)

    def _add(self, member: Member, sha256: str) -> None:
        path, kind, mode, uid, gid, size, link = member
        if kind is FileType.HARDLINK:
            target = self._entries.files.get(link)
            if target is not None:
                size, sha256 = target.size, target.sha256
            if self._matters(path) or (self._syft and is_foreign(path)):
                self.linked.setdefault(link, []).append(path)
                if is_foreign(path):
                    self._foreign[path] = ""
        self._entries.add(FileEntry(path, kind, mode, uid, gid, size, sha256, link))
        if kind is FileType.DIRECTORY and self._syft and "/nix/store/" in path and is_foreign(path):
            self._foreign[path] = ""

    def _matters(self, path: str) -> bool:
        return path in self._retrieve or cataloger_of(path) is not None or owner_of(path) != ""

    def _content(self, member: Member, tar: TarStream) -> str:
        """Read a regular file, keep what matters of it, and return its SHA-256."""
        path = member.path
        if self._matters(path):
            content = self.whole(member, tar)
            self.take(path, content)
            return hashlib.sha256(content).hexdigest()
        data = tar.read(_CHUNK)
        digest = hashlib.sha256(data)
        md5 = hashlib.md5(data, usedforsecurity=False) if self._syft and is_foreign(path) else None
        probe = BinaryProbe(data) if self._syft and not md5 and BinaryProbe.wants(data, member.mode) else None
        while data and tar.left:
            data = tar.read(_CHUNK)
            digest.update(data)
            if md5:
                md5.update(data)
            if probe:
                probe.feed(data)
        if md5 or (probe and probe.found):
            self._foreign[path] = md5.hexdigest() if md5 else ""
        return digest.hexdigest()

    def whole(self, member: Member, tar: TarStream) -> bytes:
        """Read a file's whole content. Raises LimitExceeded, naming the setting."""
        limit, hint = (
            self._limits.metadata_file_size,
            "Raise limits.metadata_file_size if the file is meant to be that large.",
        )
        if member.path in self._retrieve and self._settings.retrieve_max_size < limit:
            limit, hint = self._settings.retrieve_max_size, _RETRIEVED_SETTING
        if member.size > limit:
            raise LimitExceeded(f"{member.path} in {self._name} is larger than {limit} bytes", hint=hint)
        return tar.read(member.size)

    def take(self, path: str, content: bytes) -> None:
        """Take what matters of the content of the file at this path, or of a hard link's target."""
        if path in self._retrieve:
            self._contents[path] = content
        package = owner_of(path)
        if package:
            self._ownership[path] = Ownership(path, package, owned_files(content))
        cataloger = cataloger_of(path)
        if cataloger:
            self._catalog(cataloger, path, content)

    def _catalog(self, cataloger: Cataloger, path: str, content: bytes) -> None:
        if not self._native:
            self._foreign[path] = ""
            return
        packages = cataloger.parse(path, content)
        if packages:
            self._packages[path] = (hashlib.md5(content, usedforsecurity=False).hexdigest(), packages)
        else:
            self._packages.pop(path, None)
