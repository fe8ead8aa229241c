"""Installed Ruby gems, from the specifications that RubyGems writes when it installs one, default gems too.

RubyGems guides, "Specification Reference". A specification is a Ruby program; RubyGems writes it with literal values,
and a comment `# stub: NAME VERSION PLATFORM PATHS` at the top, which it reads itself in place of running them all.
"""

from __future__ import annotations

import re

from imagegate.analysis import purl
from imagegate.analysis.catalogers.cataloger import Cataloger
from imagegate.model import Package, PackageType

_LITERAL = r"""(?:%q\{([^}\n]+)\}|"([^"\n]+)"|'([^'\n]+)')"""
_FIELD = re.compile(rf"^[ \t]*\w+\.(name|version|licenses?)[ \t]*=[ \t]*(\[[^\]\n]*\]|{_LITERAL})", re.MULTILINE)
_STUB = re.compile(r"^# stub: (\S+) (\S+) ", re.MULTILINE)
_TEXT = re.compile(_LITERAL)
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")
_FILE = re.compile(r".*/([^/]+?)-(\d[^-/]*)(?:-[^/]*)?\.gemspec")
"""The file's name is the gem's, its version, and its platform unless that is `ruby`."""


def parse(path: str, content: bytes) -> tuple[Package, ...]:
    """Return the gem. What its specification computes, its stub or else the name of the file tells."""
    text = content.decode("utf-8", "replace")
    fields = {key: _texts(value) for key, value, *_ in reversed(_FIELD.findall(text))}
    known = _STUB.search(text) or _FILE.fullmatch(path)
    name, version = known.groups() if known else ("", "")
    name, version = (*fields.get("name", ()), name)[0], (*fields.get("version", ()), version)[0]
    if not name or not version:
        return ()
    return (
        Package(
            name=name,
            version=version,
            type=PackageType.GEM,
            purl=purl.gem(name, version),
            path=path,
            licenses=fields.get("licenses") or fields.get("license") or (),
        ),
    )


def _texts(value: str) -> tuple[str, ...]:
    """Return the literals of a value; one that Ruby has to put together is none."""
    literals = ("".join(groups) for groups in _TEXT.findall(value))
    return tuple(_ESCAPE.sub(lambda match: chr(int(match.group(1), 16)), each) for each in literals if "#{" not in each)


GEM = Cataloger("gem", r".*/specifications/(?:.*/)?[^/]*\.gemspec", (".gemspec",), parse)
