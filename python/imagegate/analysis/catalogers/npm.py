"""Installed npm packages, from every `package.json` that names one and its version. (npm docs, "package.json".)"""

from __future__ import annotations

from typing import Any

import msgspec

from imagegate.analysis import purl
from imagegate.analysis.catalogers.cataloger import Cataloger
from imagegate.model import Package, PackageType


class _Manifest(msgspec.Struct):
    name: str = ""
    version: str = ""
    license: Any = None
    licenses: Any = None


_DECODER = msgspec.json.Decoder(_Manifest)


def parse(path: str, content: bytes) -> tuple[Package, ...]:
    """Return the package. A `package.json` without a name or a version configures a directory and installs nothing."""
    try:
        manifest = _DECODER.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ()
    if not manifest.name or not manifest.version:
        return ()
    return (
        Package(
            name=manifest.name,
            version=manifest.version,
            type=PackageType.NPM,
            purl=purl.npm(manifest.name, manifest.version),
            path=path,
            licenses=licenses(manifest.license) or licenses(manifest.licenses),
        ),
    )


def licenses(stated: Any) -> tuple[str, ...]:
    """Read all the forms that `license` and the older `licenses` have: a name, an object with one, a list of either."""
    match stated:
        case str() if stated:
            return (stated,)
        case {"type": str(name)} if name:
            return (name,)
        case list():
            return tuple(name for each in stated for name in licenses(each))
    return ()


NPM = Cataloger("npm", r".*/package\.json", ("/package.json",), parse)
