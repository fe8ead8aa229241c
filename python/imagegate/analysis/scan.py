"""One pass over a layer: every file's entry and hash, and the content of the few files that matter."""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from imagegate.analysis.catalogers import Cataloger, cataloger_of
from imagegate.analysis.foreign import BinaryProbe, is_foreign
from imagegate.analysis.layer import Evidence, LayerAnalysis, Ownership
from imagegate.analysis.ownership import owned_files, owner_of, unmerged
from imagegate.analysis.tarstream import Member, TarStream
from imagegate.errors import InvalidImage, LimitExceeded
from imagegate.model import FileEntry, FileType, Package
from imagegate.settings import AnalysisSettings, Limits

_CHUNK = 1024 * 1024
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_RETRIEVED_SETTING = "Raise analysis.retrieve_max_size, or take it out of analysis.retrieve."


class LayerScan:
    """Collects what a layer holds.

    foreign: paths that syft should look at. linked: hard links to contents that matter under the link's name only;
    target to paths. Both need the layer to be read again, which few layers do.
    """

    def __init__(self, name: str, retrieve: frozenset[str], settings: AnalysisSettings, limits: Limits) -> None:
        self._name, self._retrieve, self._settings, self._limits = name, retrieve, settings, limits
        self._native, self._syft = settings.catalogers != "syft", settings.catalogers != "native"
        self._files: dict[str, FileEntry] = {}
        self._whiteouts: dict[str, None] = {}
        self._opaque: dict[str, None] = {}
        self._packages: dict[str, tuple[str, tuple[Package, ...]]] = {}
        self._ownership: dict[str, Ownership] = {}
        self._contents: dict[str, bytes] = {}
        self._foreign: dict[str, str] = {}
        self.linked: dict[str, list[str]] = {}

    def read(self, stream: BinaryIO) -> None:
        """Read the layer's tar to its verified end. Raises InvalidImage, LimitExceeded, DigestMismatch."""
        tar = TarStream(stream, self._limits, self._name)
        for member in tar:
            name = member.path[member.path.rindex("/") + 1 :]
            if name.startswith(_WHITEOUT):
                self._white_out(member.path, name)
            else:
                sha256 = self._content(member, tar) if member.type is FileType.FILE else ""
                self._add(member, sha256)
        self._drop_replaced()

    def foreign(self) -> frozenset[str]:
        """Paths for syft: all but those that dpkg installed in this same layer, which are part of a package already."""
        owned = {(unmerged(path), md5) for each in self._ownership.values() for path, md5 in each.files.items()}
        return frozenset(
            path for path, md5 in self._foreign.items() if path in self._files and (unmerged(path), md5) not in owned
        )

    def result(self, foreign: tuple[Evidence, ...] = (), size: int = 0) -> LayerAnalysis:
        """Return what was found. foreign: what syft found in this layer; size: bytes of the tar."""
        evidence = [
            Evidence(path, md5, packages) for path, (md5, packages) in self._packages.items() if path in self._files
        ]
        return LayerAnalysis(
            files=tuple(self._files.values()),
            whiteouts=tuple(self._whiteouts),
            opaque=tuple(self._opaque),
            evidence=(*evidence, *foreign),
            ownership=tuple(each for path, each in self._ownership.items() if path in self._files),
            contents={path: content for path, content in self._contents.items() if path in self._files},
            size=size,
        )

    def _white_out(self, path: str, name: str) -> None:
        directory = path[: -len(name) - 1]
        if name == _OPAQUE:
            self._opaque[directory or "/"] = None
        elif not name.startswith(".wh..wh."):  # What is left is AUFS' own bookkeeping.
            removed = name.removeprefix(_WHITEOUT)
            if removed in ("", ".", ".."):
                raise InvalidImage(f"{self._name} holds the whiteout {path!r}", why="it names no file")
            self._whiteouts[f"{directory}/{removed}"] = None

    def _add(self, member: Member, sha256: str) -> None:
        path, kind, mode, uid, gid, size, link = member
        if kind is FileType.HARDLINK:
            target = self._files.get(link)
            if target is not None:
                size, sha256 = target.size, target.sha256
            if self._matters(path) or (self._syft and is_foreign(path)):
                self.linked.setdefault(link, []).append(path)
                if is_foreign(path):
                    self._foreign[path] = ""
        self._files.pop(path, None)  # So that the order of the dict stays the tar's.
        self._files[path] = FileEntry(path, kind, mode, uid, gid, size, sha256, link)
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

    def _drop_replaced(self) -> None:
        """Drop what lay in a directory that a later entry of the same layer replaced by something else."""
        files = self._files
        parents = {path[: path.rindex("/")] for path in files}
        for path in list(parents):
            above = path
            while above := above[: above.rindex("/")] if above else "":
                if above in parents:
                    break
                parents.add(above)
        replaced = {path for path in parents if path in files and files[path].type is not FileType.DIRECTORY}
        if not replaced:
            return
        position = {path: number for number, path in enumerate(files)}
        latest = {"": -1}
        for directory in sorted(parents - {""}, key=len):
            own = position[directory] if directory in replaced else -1
            latest[directory] = max(own, latest[directory[: directory.rindex("/")]])
        self._files = {
            path: entry for path, entry in files.items() if position[path] > latest[path[: path.rindex("/")]]
        }
