"""npm packages that a lock file asks for. (npm docs, "package-lock.json", whose three versions differ.)"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from imagegate.analysis import purl
from imagegate.analysis.catalogers.cataloger import Cataloger, Unreadable
from imagegate.analysis.catalogers.npm import licenses
from imagegate.model import Package, PackageType

_MODULES = "node_modules/"


class _Entry(msgspec.Struct):
    name: str = ""
    version: str = ""
    dev: bool = False
    license: Any = None
    dependencies: dict[str, Any] = {}


class _Lock(msgspec.Struct):
    packages: dict[str, _Entry] = {}
    dependencies: dict[str, Any] = {}


_DECODER = msgspec.json.Decoder(_Lock)


def parse(path: str, content: bytes) -> tuple[Package, ...]:
    """Return what is needed to run the application, and itself. A package's own lock file, below it, counts nowhere."""
    if f"/{_MODULES}" in path:
        return ()
    try:
        lock = _DECODER.decode(content.removeprefix(b"\xef\xbb\xbf"))
        entries = {*_by_place(lock)} if lock.packages else {*_by_name(lock)}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"it is no lock file of npm: {error}") from error
    return tuple(
        Package(name, version, PackageType.NPM, purl.npm(name, version), path=path, licenses=stated)
        for name, version, stated in sorted(entries)
        if name and version
    )


def _by_place(lock: _Lock) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Versions 2 and 3: by the directory that they are installed in; a name is there where it is another."""
    for place, entry in lock.packages.items():
        if not entry.dev:
            yield entry.name or place.rpartition(_MODULES)[2], entry.version, licenses(entry.license)


def _by_name(lock: _Lock) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Version 1: by name, what each has for itself within it."""
    rest = [lock.dependencies]
    while rest:
        for name, value in rest.pop().items():
            entry = msgspec.convert(value, _Entry)
            rest.append(entry.dependencies)
            if not entry.dev:
                yield _resolved(name, entry.version)


def _resolved(name: str, version: str) -> tuple[str, str, tuple[str, ...]]:
    """Return the name and version that an alias, `npm:NAME@VERSION`, stands for."""
    if not version.startswith("npm:"):
        return name, version, ()
    name, _, version = version.removeprefix("npm:").rpartition("@")
    return name, version, ()


NPM_LOCK = Cataloger(
    "npm_lock", r".*/(?:package-lock|npm-shrinkwrap)\.json", ("/package-lock.json", "/npm-shrinkwrap.json"), parse
)
