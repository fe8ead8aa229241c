"""The manifest of a Java archive. (JAR File Specification, "JAR Manifest".)

Which of its attributes name a package is convention: Maven's, bnd's (OSGi Core, "Bundle Manifest Headers"), Jenkins'.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

_VERSIONS = ("Implementation-Version", "Specification-Version", "Plugin-Version", "Bundle-Version")
_NAMES = ("Name", "Bundle-Name", "Short-Name", "Extension-Name", "Implementation-Title")
_LICENSES = ("Bundle-License", "Plugin-License-Name")
_GROUPS = (
    (
        "Group-Id", "Bundle-SymbolicName", "Extension-Name", "Specification-Vendor", "Implementation-Vendor",
        "Implementation-Vendor-Id", "Implementation-Title", "Bundle-Activator",
    ),
    ("Automatic-Module-Name", "Main-Class", "Package"),
)  # fmt: skip
"""Attributes that may hold a group; the second ones are asked when none of the first does."""
_DOMAINS = ("com", "org", "net", "io", "be")
"""What a value starts with that may be a group."""
_WOVEN = "Weave-Classes"
_KNOWN = frozenset({*_VERSIONS, *_NAMES, *_LICENSES, *_GROUPS[0], *_GROUPS[1], _WOVEN, "Created-By"})
"""A signed archive has a section for each of its entries: the rest is not kept."""


class Manifest:
    """main: attributes of the main section, sections: of each other one; the first of a name counts."""

    def __init__(self, content: bytes) -> None:
        sections = list(_sections(content.decode("utf-8", "replace")))
        self.main = sections[0] if sections else {}
        self._sections = sections

    @property
    def woven(self) -> bool:
        """Whether the archive instruments another, by whose name it goes, and is not that one (New Relic's agent)."""
        return _WOVEN in self.main

    @property
    def bundle_name(self) -> str:
        """The artifact's name, where Maven's bundle plugin wrote the symbolic name, `GROUP.ARTIFACT`; or empty."""
        symbolic = self.main.get("Bundle-SymbolicName", "")
        by_plugin = "Apache Maven Bundle Plugin" in self.main.get("Created-By", "")
        if not by_plugin or symbolic == self.main.get("Implementation-Vendor-Id", ""):
            return ""
        return symbolic.rpartition(".")[2]

    @property
    def name(self) -> str:
        """What a manifest may call the archive; not as good as the file's name."""
        return next((self.main[each] for each in _NAMES if self.main.get(each)), "")

    @property
    def version(self) -> str:
        return next(filter(None, map(self._first, _VERSIONS)), "")

    @property
    def licenses(self) -> tuple[str, ...]:
        return tuple(filter(None, map(self._first, _LICENSES)))

    @property
    def group(self) -> str:
        """The group that an attribute may hold; the first in the alphabet where several do."""
        for names in _GROUPS:
            stated = (section.get(each, "") for each in names for section in self._sections)
            found = [re.split("[;#]", each)[0].strip() for each in stated if each.startswith(_DOMAINS)]
            if found:
                return min(found)
        return ""

    def _first(self, name: str) -> str:
        return next((section[name] for section in self._sections if section.get(name)), "")


def _sections(text: str) -> Iterator[dict[str, str]]:
    section: dict[str, str] = {}
    key = ""
    begun = False
    for ending in io.StringIO(text, newline=None):
        line = ending.removesuffix("\n")
        if not line:
            if begun:
                yield section
            section, key, begun = {}, "", False
        elif line.startswith(" "):
            if key:
                section[key] += line.strip()
        else:
            name, colon, value = line.partition(":")
            name = name.strip()
            if colon and name:
                begun = True
                key = name if name in _KNOWN and name not in section else ""
                if key:
                    section[key] = value.strip()
    if begun:
        yield section
