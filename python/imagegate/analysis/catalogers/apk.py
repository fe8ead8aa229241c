"""Alpine packages, from apk's `installed`. (Alpine wiki, "Apk spec", "Installed Database V2".)

A paragraph a package, a line a field, each a letter, a colon and the value. A package's files follow its fields: `F` a
directory, `R` a file in it, `Z` the file's checksum.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from imagegate.analysis.catalogers.cataloger import Cataloger, Unreadable
from imagegate.model import Package, PackageType

_FIELD = re.compile(r"^([PVAoLI]):(.*)$", re.MULTILINE)
_FILE = re.compile(rb"^([FRZ]):(.*)$", re.MULTILINE)
_NO_FIELD = re.compile(rb"^(?![A-Za-z]:|$)", re.MULTILINE)
_EXPRESSION = re.compile(r"[()]|\b(?:AND|OR|WITH)\b")
_HASHES = (b"Q1", b"Q2")
"""What SHA-1 and SHA-256 checksums begin with; MD5 ones are hex."""
_LONGEST_PATH = 4096
"""As Linux (PATH_MAX): a longer one is there to cost time, once for each of its files."""


def parse(path: str, content: bytes) -> tuple[Package, ...]:
    """Return the installed packages. Raises Unreadable for a paragraph that is none, or lacks a name or version."""
    if _NO_FIELD.search(content) or (content and not content.endswith(b"\n")):
        raise Unreadable("it is cut, or no database of apk")
    paragraphs = (each for each in content.decode("utf-8", "replace").split("\n\n") if each.strip("\n"))
    return tuple(_package(path, dict(reversed(_FIELD.findall(each)))) for each in paragraphs)


def _package(path: str, fields: dict[str, str]) -> Package:
    name, version, size = fields.get("P", ""), fields.get("V", ""), fields.get("I", "")
    if not name or not version:
        raise Unreadable(f"it has a package without a {'version' if name else 'name'} ({name[:100]!r})")
    origin = fields.get("o", "")
    return Package(
        name=name,
        version=version,
        type=PackageType.APK,
        purl="",
        path=path,
        architecture=fields.get("A", ""),
        source=origin if origin != name else "",
        licenses=_licenses(fields.get("L", "")),
        size=int(size) if size.isdecimal() and len(size) < 20 else 0,
    )


def _licenses(stated: str) -> tuple[str, ...]:
    """Return the SPDX expression as one; names with blanks between, as packages before Alpine 3.9 had, each."""
    return (stated,) if _EXPRESSION.search(stated) else tuple(stated.split())


def files(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield the packages' files that have a checksum."""
    directory = name = ""
    for letter, value in _FILE.findall(content):
        match letter:
            case b"F":
                directory, name = value.decode("utf-8", "replace") if len(value) < _LONGEST_PATH else "", ""
            case b"R":
                name = value.decode("utf-8", "replace")
            case b"Z" if name and (checksum := _hex(value)):
                yield f"/{directory}/{name}" if directory else f"/{name}", checksum


def _hex(value: bytes) -> str:
    if value[:2] not in _HASHES:
        return value.decode("ascii", "replace").lower()
    try:
        return base64.b64decode(value[2:], validate=True).hex()
    except binascii.Error:
        return ""


APK = Cataloger("apk", r".*/lib/apk/db/installed", ("/lib/apk/db/installed",), parse, files)
