"""Java archives: what Maven, Gradle, Ant and Jenkins leave in a jar, war or ear, and in the archives within it.

An archive with a manifest is a package; each other `pom.properties` in it is one that was shaded into it. Names come
from pom.properties, else from the manifest that Maven's bundle plugin writes, else from the file's name.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field

from imagegate.analysis import purl
from imagegate.analysis.catalogers import javagroups, javaname, javapom, licensetext
from imagegate.analysis.catalogers.archive import Archive, Budget, Damaged, Entry, NoArchive
from imagegate.analysis.catalogers.cataloger import FileCataloger, Found, Seekable, Unreadable
from imagegate.analysis.catalogers.javamanifest import Manifest
from imagegate.analysis.catalogers.javapom import Coordinates
from imagegate.analysis.catalogers.window import Window
from imagegate.model import Package, PackageType

ENDINGS = (".jar", ".war", ".ear", ".par", ".sar", ".nar", ".jpi", ".hpi", ".kar", ".lpkg")
UNKNOWN = "UNKNOWN"
"""The version of what has none, as syft calls it: the archive is there all the same."""
_NESTED = tuple(each.encode() for each in ENDINGS)
_MANIFESTS = ("META-INF/MANIFEST.MF", "/META-INF/MANIFEST.MF")
_WANTED = (*_NESTED, b"pom.properties", b"pom.xml", *(each.encode() for each in _MANIFESTS))
_DEEPEST = 12
"""Archives within archives; three are usual. One that holds itself has no end."""
_MOST_METADATA = 32 * 1024**2
_LONGEST_PATH = 4096
_LONGEST_LICENSE = 36
"""Characters of the longest name of a licence's file."""
_IN_MEMORY = 4 * 1024**2
"""Bytes of a nested archive beyond which it is inflated to a file."""


def parse(path: str, file: Seekable) -> Found:
    """Return the packages of an archive, and of those within it.

    What is no archive states none; where one is damaged, the rest is still told, and that it is not all.
    Raises Unreadable for one that would take more time or space than any real one does.
    """
    walk = _Walk(Budget())
    walk.archive(path, file, 0)
    return Found(tuple(dict.fromkeys(walk.packages)), walk.complete)


@dataclass
class _Walk:
    budget: Budget
    packages: list[Package] = field(default_factory=list)
    complete: bool = True

    def archive(self, path: str, file: Seekable, depth: int) -> None:
        """Add what the archive at the path states. path: of nested ones, the outer's, a colon and the name in it."""
        if depth > _DEEPEST:
            raise Unreadable(f"archives are nested in it more than {_DEEPEST} deep")
        self.budget.spend(archives=1)
        try:
            found = Archive(file, self.budget, _is_wanted)
        except NoArchive:
            return
        except Damaged:
            self.complete = False
            return
        self.packages.extend(_Contents(path, found, self).packages())
        for name, entry in found.entries.items():
            if name.endswith(ENDINGS):
                self._nested(f"{path}:{name}"[:_LONGEST_PATH], file, found, entry, depth + 1)

    def _nested(self, path: str, file: Seekable, outer: Archive, entry: Entry, depth: int) -> None:
        try:
            place = outer.stored(entry)
            if place:
                self.budget.spend(bytes=place[1])
                self.archive(path, Window(file, *place), depth)
                return
            with tempfile.SpooledTemporaryFile(_IN_MEMORY, prefix="imagegate-") as inner:
                outer.extract(entry, inner, self.budget.bytes)
                self.archive(path, inner, depth)
        except Damaged:
            self.complete = False

    def read(self, archive: Archive, entry: Entry) -> bytes:
        """Return a small file of an archive, nothing of a damaged one."""
        try:
            return archive.read(entry, _MOST_METADATA)
        except Damaged:
            self.complete = False
            return b""


class _Contents:
    """One archive's own packages."""

    def __init__(self, path: str, archive: Archive, walk: _Walk) -> None:
        self._path, self._archive, self._walk = path, archive, walk
        self._file = javaname.parse(path)
        self._poms = {
            name.rpartition("/")[0]: found
            for name in sorted(archive.entries)
            if name.endswith("pom.properties") and (found := javapom.properties(self._read(name)))
        }

    def packages(self) -> Iterator[Package]:
        manifest = next((Manifest(self._read(each)) for each in _MANIFESTS if each in self._archive.entries), None)
        if manifest is None:
            yield from self._unlabelled()
            return
        if manifest.woven:
            return
        own = self._own()
        name = self._poms[own].artifact if own is not None else self._name(manifest)
        same = [each for each in self._poms if self._poms[each].artifact == name]
        if own is None and same:
            own = same[-1]
        if name:
            yield self._main(manifest, name, own)
        for directory in self._poms:
            if directory != own and (own is None or self._poms[directory] != self._poms[own]):
                yield self._shaded(directory)

    def _unlabelled(self) -> Iterator[Package]:
        """Virtual machines want no manifest, so that what else is known counts. syft passes over such archives."""
        if self._poms:
            yield from map(self._shaded, self._poms)
        elif self._file.version:
            name = self._file.name
            yield _package(self._path, name, self._file.version, javagroups.group_of(name), ())

    def _own(self) -> str | None:
        """Return the directory of the pom.properties that are the archive's own, by the name of the file."""
        file, artifacts = self._file.name, {each.artifact for each in self._poms.values()}
        found = None
        for directory, pom in self._poms.items():
            exact = pom.artifact == file
            alike = exact if file in artifacts else pom.artifact.startswith(file) or file.endswith(pom.artifact)
            if file and alike:
                found = directory
                if f"{directory}/pom.xml" in self._archive.entries:
                    break
        return found

    def _name(self, manifest: Manifest) -> str:
        return manifest.bundle_name or javaname.artifact(self._file) or manifest.name

    def _main(self, manifest: Manifest, name: str, own: str | None) -> Package:
        pom = self._poms[own] if own is not None else None
        version = pom.version if pom else self._file.version or manifest.version
        group, licenses = self._of_pom(own) if own is not None else ("", ())
        group = group or javagroups.group_of(name) or manifest.group
        return _package(self._path, name, version, group, manifest.licenses or self._licenses() or licenses)

    def _licenses(self) -> tuple[str, ...]:
        """Return what licence files are made of; one at the root counts when there is none of its name in META-INF."""
        names = sorted(filter(licensetext.is_license, self._archive.entries))
        inner = {each.upper().removeprefix("/") for each in names}
        chosen = [each for each in names if f"META-INF/{each.removeprefix('/')}".upper() not in inner]
        return tuple(dict.fromkeys(one for each in chosen for one in licensetext.licenses(self._read(each))))

    def _shaded(self, directory: str) -> Package:
        pom = self._poms[directory]
        group, licenses = self._of_pom(directory)
        return _package(self._path, pom.artifact, pom.version, group or javagroups.group_of(pom.artifact), licenses)

    def _of_pom(self, directory: str) -> tuple[str, tuple[str, ...]]:
        """Return the group and the licences that a pom.properties, and the pom.xml beside it, state."""
        pom: Coordinates = self._poms[directory]
        stated = javapom.project(self._read(f"{directory}/pom.xml"))
        artifact = pom.artifact if "." in pom.artifact else ""
        return (pom.group or artifact or stated.group).split(";")[0].strip(), stated.licenses

    def _read(self, name: str) -> bytes:
        entry = self._archive.entries.get(name)
        return self._walk.read(self._archive, entry) if entry else b""


def _is_wanted(name: bytes) -> bool:
    return name.endswith(_WANTED) or (len(name) < _LONGEST_LICENSE and _maybe_license(name))


def _maybe_license(name: bytes) -> bool:
    return licensetext.is_license(name.decode("utf-8", "replace"))


def _package(path: str, name: str, version: str, group: str, licenses: tuple[str, ...]) -> Package:
    return Package(
        name=name,
        version=version or UNKNOWN,
        type=PackageType.JAVA,
        purl=purl.maven(group or name, name, version),
        path=path,
        licenses=licenses,
    )


JAVA = FileCataloger("java", ENDINGS, parse)
