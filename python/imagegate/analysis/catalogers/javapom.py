"""What Maven leaves in an archive: `META-INF/maven/GROUP/ARTIFACT/pom.properties` and `pom.xml`.

Maven Archiver, "addMavenDescriptor"; java.util.Properties, "load"; Maven, "POM Reference".
"""

from __future__ import annotations

import contextlib
import re
from typing import NamedTuple
from xml.parsers import expat

_LINE = re.compile(r"\r\n|\n|\r")
_MOST_TEXT = 4096
"""Characters of a name: an XML document may have any number of them in one element."""


class Coordinates(NamedTuple):
    """What names a package of Maven's. group: empty where it is not stated."""

    group: str
    artifact: str
    version: str


class Pom(NamedTuple):
    """Of a `pom.xml`, what it states itself; group and version may be its parent's. licenses: their names."""

    group: str
    licenses: tuple[str, ...]


def properties(content: bytes) -> Coordinates | None:
    """Return the coordinates of a `pom.properties`; None where artifact or version is missing."""
    values: dict[str, str] = {}
    for line in _LINE.split(content.decode("utf-8", "replace")):
        line = line.strip()
        if line and line[0] not in "#!":
            key, _, value = re.sub("[:=]", "=", line, count=1).partition("=")
            values[key.strip().lower()] = value.strip()
    group, artifact, version = (values.get(each, "") for each in ("groupid", "artifactid", "version"))
    return Coordinates(group, artifact, version) if artifact and version else None


def project(content: bytes) -> Pom:
    """Return what a `pom.xml` states; nothing for one that is damaged, or has expressions in place of values."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    # No pom has entities of its own, but for those that are there to grow.
    parser.EntityDeclHandler = reader.entity
    with contextlib.suppress(expat.ExpatError, LookupError, ValueError):
        parser.Parse(content, True)
    group = reader.found.get("project/groupId") or reader.found.get("project/parent/groupId") or [""]
    return Pom(group[0], tuple(reader.found.get("project/licenses/license/name", ())))


class _Reader:
    """found: texts of the elements that matter, by their path."""

    _WANTED = frozenset({"project/groupId", "project/parent/groupId", "project/licenses/license/name"})

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}
        self._at: list[str] = []
        self._text: list[str] | None = None

    def start(self, name: str, _: dict[str, str]) -> None:
        self._at.append(name)
        self._text = [] if len(self._at) <= 4 and "/".join(self._at) in self._WANTED else None

    def end(self, _: str) -> None:
        text = " ".join("".join(self._text).split()) if self._text is not None else ""
        if text and "${" not in text and len(text) <= _MOST_TEXT:
            self.found.setdefault("/".join(self._at), []).append(text)
        self._at.pop()
        self._text = None

    def text(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def entity(self, *_: object) -> None:
        raise ValueError("it declares an entity")
