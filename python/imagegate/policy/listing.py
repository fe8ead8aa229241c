"""The list of what package registries have, as a file: `{"npm": {"NAME": {"latest": "…", "versions": ["…"]}}}`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from imagegate.errors import PolicyError
from imagegate.model import ListedPackage, PackageListing, PackageType


class _File(msgspec.Struct, forbid_unknown_fields=True):
    npm: dict[str, ListedPackage] | None = None
    gem: dict[str, ListedPackage] | None = None


def parse_listing(raw: bytes, source: str) -> PackageListing:
    """Return the listing. A type that the file does not have is not listed at all. Raises PolicyError."""
    try:
        file = msgspec.json.decode(raw, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"{source} is no list of packages", why=str(error)) from error
    found = {PackageType.NPM: file.npm, PackageType.GEM: file.gem}
    return {type_: packages for type_, packages in found.items() if packages is not None}


def load_listing(file: Path) -> PackageListing:
    """Read the listing. Raises PolicyError."""
    try:
        return parse_listing(file.read_bytes(), str(file))
    except OSError as error:
        raise PolicyError(
            f"{file} cannot be read", why=error.strerror or str(error), hint="See policy.packages."
        ) from error
