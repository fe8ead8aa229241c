"""The licences that a Debian package's `copyright` file names. (Debian Policy, 12.5; machine-readable copyright 1.0.)

Read as syft reads it, whose answers Anchore's policies are about: of each line the short name after `License:`, or else
the first text in `/usr/share/common-licenses` that it points to.
"""

from __future__ import annotations

import re

_COPYRIGHT = re.compile(r"/usr/share/doc/[^/]+/copyright")
_NAMED = re.compile(r"^License: (\S*)|^.*?/usr/share/common-licenses/([0-9A-Za-z_.\-]+)", re.MULTILINE)


def is_copyright(path: str) -> bool:
    """Return whether the file at this path names a package's licences."""
    return path.endswith("/copyright") and _COPYRIGHT.fullmatch(path) is not None


def copyright_of(package: str) -> str:
    """Return where a package's file is, by way of links."""
    return f"/usr/share/doc/{package}/copyright"


def licenses(content: bytes) -> tuple[str, ...]:
    """Return the names, each once, in order."""
    text = content.decode("utf-8", "replace")
    # A name at the end of a sentence has its dot.
    found = {(name or common).removesuffix(".") for name, common in _NAMED.findall(text)}
    return tuple(sorted(name for name in found if name and name.lower() != "none"))
