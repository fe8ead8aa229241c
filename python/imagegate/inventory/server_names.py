"""Which packages of an image a server means, that calls them by name, version and type, and what it says of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Generic, TypeVar

import msgspec

from imagegate.model import Package, PackageType, Vulnerability

_Kept = TypeVar("_Kept")


class Places(Generic[_Kept]):
    """An image's packages, each with what the caller has in mind for it."""

    def __init__(self, packages: Iterable[tuple[Package, _Kept]]) -> None:
        self._exact: dict[tuple[str, str, str], list[tuple[Package, _Kept]]] = defaultdict(list)
        self._loose: dict[tuple[str, str], list[tuple[Package, _Kept]]] = defaultdict(list)
        for package, kept in packages:
            self._exact[package.type, package.name, package.version].append((package, kept))
            self._loose[_loosely(package)].append((package, kept))

    def of(self, named: Package) -> tuple[_Kept, ...]:
        """Return what is kept of those that are meant, none where the image has no such package.

        Several can be of one name and version: where the purl tells them apart, it does. A type that this program does
        not know is any.
        """
        found = self._exact.get((named.type, named.name, named.version)) or [
            each
            for each in self._loose.get(_loosely(named), ())
            if named.type is each[0].type or PackageType.OTHER in (named.type, each[0].type)
        ]
        purl = named.purl.partition("?")[0]
        same = [each for each in found if purl and each[0].purl.partition("?")[0] == purl]
        return tuple(kept for _, kept in same or found)


def graver(one: Vulnerability | None, other: Vulnerability) -> Vulnerability:
    """Return the graver of two sayings, with what either says of a fix and of its being exploited."""
    if one is None:
        return other
    worst = one if one.severity.rank >= other.severity.rank else other
    exploited, fix = one.exploited or other.exploited, worst.fix or one.fix or other.fix
    return msgspec.structs.replace(worst, exploited=exploited, fix=fix)


def _loosely(package: Package) -> tuple[str, str]:
    """Name and version without what only one of two programs says.

    A Maven package's group, an rpm's or deb's epoch where it is 0 or left out, the `v` of Go's versions.
    """
    name, version = package.type.canonical(package.name).lower(), package.version
    if package.type.is_os:
        epoch, colon, rest = version.partition(":")
        version = rest if colon and epoch.isdecimal() else version
    return name.rpartition(":")[2], version.removeprefix("v")
