"""rpm packages, from rpm's database. (RPM reference manual, "RPM tags".)"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from imagegate.analysis.catalogers.cataloger import Cataloger, Unreadable
from imagegate.analysis.catalogers.rpmdb import headers
from imagegate.analysis.catalogers.rpmheader import Header
from imagegate.model import Package, PackageType

_LOG = "-wal"
_LONGEST_PATH = 4096
"""As Linux (PATH_MAX): a longer directory is there to cost time, once for each of its files."""


class _Tag(IntEnum):
    NAME = 1000
    VERSION = 1001
    RELEASE = 1002
    EPOCH = 1003
    SIZE = 1009
    LICENSE = 1014
    ARCH = 1022
    FILEDIGESTS = 1035
    SOURCERPM = 1044
    DIRINDEXES = 1116
    BASENAMES = 1117
    DIRNAMES = 1118
    MODULARITYLABEL = 5096


_FILES = (_Tag.FILEDIGESTS, _Tag.DIRINDEXES, _Tag.BASENAMES, _Tag.DIRNAMES)


def parse(path: str, content: bytes) -> tuple[Package, ...]:
    """Return the installed packages, trusted keys too, which rpm counts as such. Raises Unreadable."""
    if path.endswith(_LOG):
        if content:
            raise Unreadable("it has packages that rpm had not yet written to its database when the image was made")
        return ()
    tags = frozenset(_Tag) - frozenset(_FILES)
    return tuple(_package(path, Header(header, tags)) for header in headers(content))


def _package(path: str, header: Header) -> Package:
    name, version, release = (header.text(tag) for tag in (_Tag.NAME, _Tag.VERSION, _Tag.RELEASE))
    if not name or not version or not release:
        raise Unreadable(f"it has a package without a name, version or release ({name[:100]!r})")
    epoch, license_name = header.number(_Tag.EPOCH), header.text(_Tag.LICENSE)
    source, source_version = source_of(header.text(_Tag.SOURCERPM), name, f"{version}-{release}")
    return Package(
        name=name,
        version=f"{version}-{release}" if epoch is None else f"{epoch}:{version}-{release}",
        type=PackageType.RPM,
        purl="",
        path=path,
        architecture=header.text(_Tag.ARCH),
        source=source,
        source_version=source_version,
        licenses=(license_name,) if license_name else (),
        size=header.number(_Tag.SIZE) or 0,
        module=header.text(_Tag.MODULARITYLABEL),
    )


def source_of(source_rpm: str, name: str, version: str) -> tuple[str, str]:
    """Return name and version of the source package that made a package, each empty where it is the package's own.

    source_rpm: `NAME-VERSION-RELEASE.src.rpm`, which has no epoch; version: without one too.
    """
    stem, _, release = source_rpm.removesuffix(".rpm").removesuffix(".src").removesuffix(".nosrc").rpartition("-")
    source, _, number = stem.rpartition("-")
    if not source:
        return "", ""
    source_version = f"{number}-{release}"
    return source if source != name else "", source_version if source_version != version else ""


def files(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield the packages' files; what has no checksum, as directories have none, has an empty one."""
    for blob in headers(content) if content else ():
        header = Header(blob, _FILES)
        directories = [
            each.decode("utf-8", "replace") if len(each) < _LONGEST_PATH else "" for each in header.texts(_Tag.DIRNAMES)
        ]
        names, digests = header.texts(_Tag.BASENAMES), header.texts(_Tag.FILEDIGESTS)
        for index, name, digest in zip(header.numbers(_Tag.DIRINDEXES), names, digests, strict=False):
            if digest and index < len(directories):
                yield directories[index] + name.decode("utf-8", "replace"), digest.decode("ascii", "replace").lower()


RPM = Cataloger(
    "rpm",
    r".*/(?:var/lib|usr/share|usr/lib/sysimage)/rpm/(?:Packages\.db|rpmdb\.sqlite(?:-wal)?)",
    ("/rpm/Packages.db", "/rpm/rpmdb.sqlite", "/rpm/rpmdb.sqlite-wal"),
    parse,
    files,
)
