"""What the native catalogers state of one layer, file by file."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from imagegate.analysis.catalogers import GO, JAVA, LOCK_FILES, Cataloger, FileCataloger, Found, Unreadable, is_archive
from imagegate.analysis.catalogers.cataloger import Seekable
from imagegate.analysis.hashes import checksums
from imagegate.analysis.layer import Checksums, Evidence, Ownership
from imagegate.analysis.ownership import listed_files, owned_files
from imagegate.analysis.probe import no_space
from imagegate.model import Package


class Catalogued:
    """native: whether native catalogers are asked at all; those of lock files always are. syft: whether it may be.

    unreadable: files whose packages cannot be known, and why. ownership: files that list what packages own. again:
    programs of Go's that only a mark within gave away, so that they have to be read a second time.
    """

    def __init__(self, *, native: bool, syft: bool) -> None:
        self._native, self._syft = native, syft
        self._packages: dict[str, tuple[Checksums | None, tuple[Package, ...]]] = {}
        self.unreadable: dict[str, str] = {}
        self.ownership: dict[str, Ownership] = {}
        self.again: set[str] = set()

    def forget(self, path: str) -> None:
        """Drop what is known of a path: one that stands twice in a layer is what it was last."""
        self._packages.pop(path, None)
        self.unreadable.pop(path, None)
        self.again.discard(path)

    def own(self, path: str, package: str, content: bytes) -> None:
        """Take the list of a dpkg package's files."""
        self.ownership[path] = Ownership(path, package, owned_files(content))

    def read(self, cataloger: Cataloger, path: str, content: bytes) -> bool:
        """Take what a cataloger reads in a content; return whether it is left to syft."""
        self.forget(path)
        native = self._native or cataloger in LOCK_FILES
        try:
            packages = cataloger.parse(path, content) if native else ()
            if packages:
                self._packages[path] = (checksums(content), packages)
            if cataloger.files is not None:
                self.ownership[path] = Ownership(path, "", listed_files(cataloger.files(content)))
        except Unreadable as error:
            # Whether it matters is known when the layers above are: they may have another one.
            if native:
                self.unreadable[path] = str(error)
        return not native

    def look(self, cataloger: FileCataloger, path: str, file: Seekable, sums: Checksums | None) -> bool:
        """Take what a cataloger finds in a file; return whether something is left to syft."""
        self._packages.pop(path, None)
        try:
            found = cataloger.parse(path, file)
        except Unreadable as error:
            self.unreadable[path] = str(error)
            return False
        except OSError as error:
            raise no_space(path, error) from error
        return self._take(path, found, None if cataloger is GO else sums)

    def look_again(self, path: str, file: Seekable, sums: Checksums | None) -> bool:
        """Do so with a file of `again`, or with one that a hard link gives a telling name."""
        if path in self.again:
            return self.look(GO, path, file, sums)
        return self._native and is_archive(path) and self.look(JAVA, path, file, sums)

    def evidence(self, stands: Callable[[str], bool], foreign: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
        """Return all that was found in files that stand, and what syft found beyond it. foreign: what syft found."""
        known = [Evidence(path, *found) for path, found in self._packages.items() if stands(path)]
        told = {_key(each) for evidence in known for each in evidence.packages}
        rest = ((each, tuple(one for one in each.packages if _key(one) not in told)) for each in foreign)
        return (*known, *(msgspec.structs.replace(each, packages=packages) for each, packages in rest if packages))

    def _take(self, path: str, found: Found, sums: Checksums | None) -> bool:
        # Without checksums no package owns a file: what went into a program, the package that brought it does not say.
        if found.packages:
            self._packages[path] = (sums, found.packages)
        return self._syft and not found.complete


def _key(package: Package) -> tuple[str, str, str, str]:
    return package.type, package.name, package.version, package.path
