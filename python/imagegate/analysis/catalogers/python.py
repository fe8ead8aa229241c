"""Installed Python distributions, from `.dist-info` and `.egg-info`.

PyPA specifications, "Recording installed projects" and "Core metadata".
"""

from __future__ import annotations

import re

from imagegate.analysis import purl
from imagegate.analysis.catalogers.cataloger import Cataloger
from imagegate.model import Package, PackageType

_FIELD = re.compile(r"^(Name|Version|License|License-Expression)[ \t]*:(.*)$", re.MULTILINE | re.IGNORECASE)
_BODY = re.compile(r"\n[ \t\r]*\n")
_LONGEST_LICENSE = 128
"""Some put the licence's whole text into the field that is meant for its name."""


def parse(path: str, content: bytes) -> tuple[Package, ...]:
    """Return the distribution that the metadata names. `Python` itself has an egg-info, but is no distribution."""
    text = content.decode("utf-8", "replace").removeprefix("\ufeff").lstrip()
    end = _BODY.search(text)
    found = _FIELD.findall(text, 0, end.start()) if end else _FIELD.findall(text)
    fields = {key.lower(): value.strip() for key, value in reversed(found)}
    name, version = fields.get("name", ""), fields.get("version", "")
    if not name or not version or name == "Python":
        return ()
    license_text = fields.get("license-expression") or fields.get("license") or ""
    known = license_text and license_text.upper() != "UNKNOWN" and len(license_text) <= _LONGEST_LICENSE
    return (
        Package(
            name=name,
            version=version,
            type=PackageType.PYTHON,
            purl=purl.pypi(name, version),
            path=path,
            licenses=(license_text,) if known else (),
        ),
    )


PYTHON = Cataloger(
    "python",
    r".*(?:dist-info/METADATA|DIST-INFO/METADATA|egg-info/PKG-INFO|EGG-INFO/PKG-INFO|/[^/]*\.egg-info)",
    ("/METADATA", "/PKG-INFO", ".egg-info"),
    parse,
)
