"""One pass over a layer: every file's entry and hash, and the content of the few files that matter."""

from __future__ import annotations

from contextlib import ExitStack
from typing import BinaryIO

import msgspec

from imagegate.analysis import patterns
from imagegate.analysis.catalogers import cataloger_of, cataloger_or_lock_of, is_archive
from imagegate.analysis.catalogued import Catalogued
from imagegate.analysis.copyright import is_copyright, licenses
from imagegate.analysis.entries import Entries
from imagegate.analysis.foreign import is_database, is_foreign
from imagegate.analysis.hashes import Hashes
from imagegate.analysis.layer import Checksums, Evidence, LayerAnalysis
from imagegate.analysis.malware import LayerScanner
from imagegate.analysis.ownership import owner_of, unmerged
from imagegate.analysis.probe import Kept, Probe
from imagegate.analysis.search import Search
from imagegate.analysis.tarstream import Member, TarStream
from imagegate.analysis.verify import is_record
from imagegate.errors import LimitExceeded
from imagegate.model import ContentMatch, FileEntry, FileType, SearchKind
from imagegate.settings import AnalysisSettings, Limits

_CHUNK = 1024 * 1024
_RETRIEVED_SETTING = "Raise analysis.retrieve_max_size, or take it out of analysis.retrieve."


class LayerScan:
    """Collects what a layer holds.

    foreign: paths that syft should look at. linked: hard links to contents that matter under the link's name only;
    target to paths. These, and what was catalogued only in part, need the layer to be read again, which few layers do.
    """

    def __init__(
        self,
        name: str,
        retrieve: frozenset[str],
        settings: AnalysisSettings,
        limits: Limits,
        scanner: LayerScanner | None = None,
    ) -> None:
        self._name, self._retrieve, self._settings, self._limits = name, retrieve, settings, limits
        self._scanner = scanner
        self._scanned: dict[str, int] = {}
        self._native, self._syft = settings.catalogers != "syft", settings.catalogers != "native"
        self._cataloger_of = cataloger_or_lock_of if settings.lock_files else cataloger_of
        self._entries = Entries()
        self.catalogued = Catalogued(native=self._native, syft=self._syft)
        self._contents: dict[str, bytes] = {}
        self._foreign: dict[str, frozenset[str]] = {}
        self._search = Search(
            {SearchKind.SECRET: patterns.secrets(settings.secrets), SearchKind.CONTENT: settings.contents}
        )
        self._matches: dict[str, tuple[ContentMatch, ...]] = {}
        self._checksums: dict[str, Checksums] = {}
        self._licenses: dict[str, tuple[str, ...]] = {}
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
        """Paths for syft: all but those that a distro's package brought in this same layer, which stands for them."""
        owned = {
            (unmerged(path), its) for each in self.catalogued.ownership.values() for path, its in each.files.items()
        }
        return frozenset(
            path
            for path, sums in self._foreign.items()
            if self._stands(path) and not any((unmerged(path), its) in owned for its in sums)
        )

    def result(self, foreign: tuple[Evidence, ...] = (), size: int = 0) -> LayerAnalysis:
        """Return what was found. foreign: what syft found in this layer; size: bytes of the tar."""
        databases = {path for path in self._foreign if self._native and is_database(path)}
        silent = databases - {each.path for each in foreign}
        unreadable = self.catalogued.unreadable | dict.fromkeys(silent, "syft finds no packages in it")
        return LayerAnalysis(
            files=tuple(self._entries.files.values()),
            whiteouts=tuple(self._entries.whiteouts),
            opaque=tuple(self._entries.opaque),
            evidence=self.catalogued.evidence(self._stands, foreign),
            ownership=tuple(each for path, each in self.catalogued.ownership.items() if self._stands(path)),
            contents={path: content for path, content in self._contents.items() if self._stands(path)},
            size=size,
            checksums={path: sums for path, sums in self._checksums.items() if self._stands(path)},
            licenses={path: names for path, names in self._licenses.items() if self._stands(path)},
            matches=tuple(each for path, found in self._matches.items() if self._stands(path) for each in found),
            malware=self._malware(),
            unreadable={path: why for path, why in unreadable.items() if self._stands(path)},
        )

    def _malware(self) -> dict[str, tuple[str, ...]] | None:
        if self._scanner is None:
            return None
        found = self._scanner.findings()
        return {path: found[number] for path, number in self._scanned.items() if number in found and self._stands(path)}

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
                if link in self._scanned:
                    self._scanned[path] = self._scanned[link]
                self._matches[path] = tuple(
                    msgspec.structs.replace(match, path=path) for match in self._matches.get(link, ())
                )
            foreign = self._syft and (is_foreign(path) or (is_archive(path) and not self._native))
            if self.matters(path) or foreign or (is_archive(path) and self._native):
                self.linked.setdefault(link, []).append(path)
            if foreign:
                self._foreign[path] = frozenset()
        self._entries.add(FileEntry(path, kind, mode, uid, gid, size, sha256, link))
        if kind is FileType.DIRECTORY and self._syft and "/nix/store/" in path and is_foreign(path):
            self._foreign[path] = frozenset()

    def matters(self, path: str) -> bool:
        """Return whether the file at this path is read whole."""
        return self._kept(path) or self._cataloger_of(path) is not None or owner_of(path) != "" or is_copyright(path)

    def _kept(self, path: str) -> bool:
        """Return whether the content itself is part of the result."""
        return path in self._retrieve or (self._settings.verify and is_record(path))

    def _content(self, member: Member, tar: TarStream) -> str:
        """Read a regular file, keep what matters of it, and return its SHA-256."""
        path = member.path
        self.catalogued.forget(path)
        self._foreign.pop(path, None)
        if self._scanner:
            self._scanner.begin()
        if self.matters(path):
            data = content = self.whole(member, tar)
            self.take(path, content)
            self._look_into(path, content)
        else:
            searched = bool(self._search) and 0 < member.size <= self._settings.search_max_size
            data = tar.read(member.size if searched else _CHUNK)
            if searched:
                self._look_into(path, data)
        probe = Probe(path, data, member.mode, native=self._native, syft=self._syft)
        with ExitStack() as stack:
            kept = stack.enter_context(Kept(path)) if probe.cataloger else None
            hashes = self._hashes(probe, kept)
            while data and tar.left:
                hashes.update(data)
                data = tar.read(_CHUNK)
            sha256 = self._hashed(path, hashes, data)
            left = kept and probe.cataloger and self.catalogued.look(probe.cataloger, path, kept.file, hashes.checksums)
        if probe.named or probe.foreign or left:
            self._foreign[path] = hashes.all if probe.named or probe.archive else frozenset()
        if probe.again:
            self.catalogued.again.add(path)
        return sha256

    def _hashes(self, probe: Probe, kept: Kept | None) -> Hashes:
        feeds = [*probe.feeds, *([kept.write] if kept else []), *([self._scanner.feed] if self._scanner else [])]
        return Hashes(old=probe.named or probe.archive or self._settings.verify, also=feeds)

    def _hashed(self, path: str, hashes: Hashes, last: bytes) -> str:
        """Take a file's last chunk; keep the old checksums where they are wanted, and return the SHA-256."""
        hashes.update(last)
        if self._scanner:
            self._scanned[path] = self._scanner.end()
        if self._settings.verify and hashes.checksums:
            self._checksums[path] = hashes.checksums
        return hashes.sha256

    def _look_into(self, path: str, content: bytes) -> None:
        """Search a content for patterns. A path that stands twice in a layer is what it was last."""
        self._matches.pop(path, None)
        small = len(content) <= self._settings.search_max_size
        found = tuple(self._search.find(path, content)) if self._search and small else ()
        if found:
            self._matches[path] = found

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
        if self._kept(path):
            self._contents[path] = content
        if is_copyright(path):
            self._licenses[path] = licenses(content)
        package = owner_of(path)
        if package:
            self.catalogued.own(path, package, content)
        cataloger = self._cataloger_of(path)
        if cataloger and self.catalogued.read(cataloger, path, content):
            self._foreign[path] = frozenset()
