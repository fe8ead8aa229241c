"""Debian packages, from dpkg's `status` and the `status.d` of images that have no dpkg. (dpkg(1), deb-control(5).)

opkg keeps the same format.
"""

from __future__ import annotations

import re

from imagegate.analysis.catalogers.cataloger import Cataloger
from imagegate.model import Package, PackageType

_FIELD = re.compile(
    r"^(Package|Status|Version|Architecture|Source|Installed-Size)[ \t]*:(.*)$", re.MULTILINE | re.IGNORECASE
)
_PARAGRAPHS = re.compile(r"\n[ \t\r]*\n")
_SOURCE = re.compile(r"(\S+)(?:\s+\((.*)\))?")
_GONE = {"not-installed", "config-files"}
"""States in which a package has no files any more but its configuration. (dpkg(1), "Package states".)"""


def parse(path: str, content: bytes) -> tuple[Package, ...]:
    """Return the packages whose files are there, whatever state the last `apt` left them in."""
    found = []
    for paragraph in _PARAGRAPHS.split(content.decode("utf-8", "replace")):
        fields = {key.capitalize(): value.strip() for key, value in reversed(_FIELD.findall(paragraph))}
        state = fields.get("Status", "").rpartition(" ")[2]
        if fields.get("Package") and fields.get("Version") and state not in _GONE:
            found.append(_package(path, fields))
    return tuple(found)


def _package(path: str, fields: dict[str, str]) -> Package:
    source = _SOURCE.match(fields.get("Source", ""))
    name, version = source.groups() if source else ("", "")
    size = fields.get("Installed-size", "")
    return Package(
        name=fields["Package"],
        version=fields["Version"],
        type=PackageType.DPKG,
        purl="",
        path=path,
        architecture=fields.get("Architecture", ""),
        source=name,
        source_version=version or "",
        size=int(size) * 1024 if size.isdecimal() else 0,
    )


DPKG = Cataloger(
    "dpkg",
    r".*/lib/(?:dpkg/status(?:\.d/[^/]+)?|opkg/(?:status|info/[^/]+\.control))",
    ("pkg/status", "/dpkg/status.d/", ".control"),
    parse,
)
