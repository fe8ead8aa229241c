"""Names and versions that the file names of Java archives tell, by the conventions of build tools.

`NAME-VERSION.jar` is Maven's layout (Maven, "Repository Layout"); those of Ant and OSGi also write `_` or `.`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

_VERSION = r"\d.*|build\d+.*|rc?\d+"
"""What a version begins with: a digit, or `build`, `r`, `rc` and digits."""
_NAME = re.compile(
    rf"(?P<name>[a-z][\w.]*+(?:-[a-z][\w.]*+)*?-?)(?:-(?P<version>{_VERSION}))?", re.ASCII | re.IGNORECASE
)
_OTHER = re.compile(rf"[._-]({_VERSION}$)", re.ASCII)
_LONGEST = 1024
_STARTS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nl", "Sc", "Pc"})
"""Categories of characters that a Java identifier starts with. (Java Language Specification, 3.8.)"""


class FileName(NamedTuple):
    """Each is empty where the file name does not tell it."""

    name: str
    version: str


def parse(path: str) -> FileName:
    """Return what the last component of a path, in an archive or not, tells."""
    base = path.rpartition(":")[2].rstrip("/").rpartition("/")[2]
    stem = base.rpartition(".")[0] if "." in base else base
    match = _NAME.fullmatch(stem) if len(stem) <= _LONGEST else None
    if not match:
        return FileName("", "")
    name, version = match["name"], match["version"] or ""
    if not version and (other := _OTHER.search(name)):
        version = other[1]
        name = name[: other.start()]
    return FileName(name, version)


def artifact(file: FileName) -> str:
    """Return the artifact's name; a group's before it (`org.example.tool`) is taken away, but Eclipse's are names."""
    parts = file.name.split(".")
    if len(parts) == 1 or file.name.startswith("org.eclipse."):
        return file.name
    grouped = all(part and unicodedata.category(part[0]) in _STARTS for part in parts)
    return parts[-1] if grouped else file.name
