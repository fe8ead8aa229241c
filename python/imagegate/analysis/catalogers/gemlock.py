"""Ruby gems that a lock file asks for. (Bundler docs, "Gemfile.lock"; its own parser, `lockfile_parser.rb`.)"""

from __future__ import annotations

import re

from imagegate.analysis import purl
from imagegate.analysis.catalogers.cataloger import Cataloger
from imagegate.model import Package, PackageType

_LINE = re.compile(r"^(?P<section>[A-Z][A-Z ]*)\r?$|^    (?P<name>\S+) \((?P<version>[^)\s]+)\)\r?$", re.MULTILINE)
_SOURCES = {"GEM", "GIT", "PATH", "PLUGIN SOURCE"}


def parse(path: str, content: bytes) -> tuple[Package, ...]:
    """Return the gems of all sources, without the platform that their version may end with."""
    found, section = set(), ""
    for line in _LINE.finditer(content.decode("utf-8", "replace")):
        section = line["section"] or section
        if line["name"] and section in _SOURCES:
            found.add((line["name"], line["version"]))
    return tuple(
        Package(name, version, PackageType.GEM, purl.gem(name, version), path=path) for name, version in sorted(found)
    )


GEM_LOCK = Cataloger("gem_lock", r".*/(?:Gemfile|gems)\.(?:lock|locked)", ("/Gemfile.lock", "/gems.locked"), parse)
