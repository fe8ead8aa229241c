"""What both written forms of an SBOM say alike: ids, the image's purl, and licences by their SPDX names. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from imagegate import __version__
from imagegate.model import Analysis, Package
from imagegate.vex.product import image_purl, split_name


class Names:
    """The names that stand in a document about one image, the same whenever it is written at the same moment."""

    def __init__(self, analysis: Analysis, name: str, now: datetime) -> None:
        """name: `registry/repository:tag`."""
        self.repository, self.tag = split_name(name)
        self.purl = image_purl(name, analysis.digest, str(analysis.platform))
        self.time = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        self.document = f"urn:uuid:{uuid5(NAMESPACE_URL, f'imagegate {__version__} {self.purl} {self.time}')}"


def package_ids(packages: Sequence[Package]) -> list[str]:
    """Return an id for each package, by what it is and where it lies. Twins are told apart by number."""
    seen: dict[str, int] = {}
    ids = []
    for package in packages:
        text = "\0".join((package.type, package.name, package.version, package.purl, package.path, package.layer or ""))
        found = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:20]
        seen[found] = number = seen.get(found, 0) + 1
        ids.append(found if number == 1 else f"{found}-{number}")
    return ids


def is_expression(text: str) -> bool:
    """Say whether a licence is an SPDX licence expression over SPDX's list. (SPDX 2.3, annex D.)

    One with `+` is none here: what reads these documents differs on which ids may have it.
    """
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return canonicalize_license_expression(text) == text and "LicenseRef" not in text and "+" not in text
    except InvalidLicenseExpression:
        return False


def is_identifier(text: str) -> bool:
    """Say whether a licence is one of SPDX's list by its id."""
    return is_expression(text) and not set(text) & set(" ()")
