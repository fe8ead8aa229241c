"""Which licence a text is: the few that nine of ten archives bring along, told by what they begin and end with.

A text is told when three quarters of it are licences that are known here, as syft has it; a licence's words are counted
from its first phrase to its last. SPDX License List for the names.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_FILE = re.compile(
    r"/(?:META-INF/)?(?:AL2\.0|LGPL2\.1|COPYING(?:\.md|\.markdown|\.txt)?|UNLICEN[CS]E"
    r"|LICEN[CS]E(?:\.(?:md|markdown|txt|rst|code|docs|mit)|-2\.0\.txt|-APACHE(?:-2\.0\.txt)?|-MIT)?"
    r"|MIT[-_]LICEN[CS]E(?:\.(?:md|markdown|txt))?)",
    re.IGNORECASE,
)
_WORD = re.compile(rb"[A-Za-z0-9]+")
_LARGEST = 512 * 1024
_LONGEST_WORD = 8
"""Characters, on an average that no licence passes."""
_COVERED = 0.75


class _Text(NamedTuple):
    """begin, ends: first and last words; longest: words between them. holds: what tells it from one that begins so."""

    name: str
    begin: str
    ends: tuple[str, ...]
    longest: int
    holds: str = ""


_TERMS = "end of terms and conditions"
_INSTEAD = "public license instead of this license"
_ADMISSION = "to constitute any admission of liability"
_TEXTS = (
    _Text(
        "Apache-2.0",
        "apache license version 2 0 january 2004",
        ("and limitations under the license", _TERMS),
        1800,
    ),
    _Text(
        "BSD-3-Clause",
        "redistribution and use in source and binary forms",
        ("if advised of the possibility of such damage", "of the possibility of such damage"),
        300,
        "neither the name",
    ),
    _Text(
        "BSD-2-Clause",
        "redistribution and use in source and binary forms",
        ("of the possibility of such damage",),
        200,
    ),
    _Text(
        "MIT",
        "permission is hereby granted free of charge to any person obtaining a copy",
        ("or other dealings in the software",),
        250,
    ),
    _Text("EPL-1.0", "eclipse public license v 1 0", ("jury trial in any resulting litigation",), 2200),
    _Text(
        "EPL-2.0",
        "eclipse public license v 2 0",
        ("additional accurate notices of copyright ownership", "jury trial in any resulting litigation"),
        2800,
    ),
    _Text("GPL-2.0", "gnu general public license version 2 june 1991", (_INSTEAD, _TERMS), 3400),
    _Text("GPL-3.0", "gnu general public license version 3 29 june 2007", ("licenses why not lgpl html", _TERMS), 6500),
    _Text("LGPL-2.1", "gnu lesser general public license version 2 1 february 1999", ("there is to it", _TERMS), 5000),
    _Text(
        "LGPL-3.0",
        "gnu lesser general public license version 3 29 june 2007",
        ("authorization for you to choose that version for the library",),
        1200,
    ),
    _Text("CDDL-1.0", "common development and distribution license cddl version 1 0", (_ADMISSION,), 3400),
    _Text("CDDL-1.1", "common development and distribution license cddl version 1 1", (_ADMISSION,), 3400),
    _Text("MPL-2.0", "mozilla public license version 2 0", ("by the mozilla public license v 2 0",), 3200),
)


_BEGIN = re.compile("|".join(dict.fromkeys(re.escape(each.begin) for each in _TEXTS)))


def is_license(name: str) -> bool:
    """Return whether an archive's entry is one that a licence is looked for in."""
    return _FILE.fullmatch("/" + name.removeprefix("/")) is not None


@lru_cache(maxsize=256)
def licenses(content: bytes) -> tuple[str, ...]:
    """Return the names of the licences that a text is made of, in their order; none where much of it is other text."""
    words = _WORD.findall(content[:_LARGEST].lower())
    text = b" ".join(words).decode()
    found = []
    covered = at = 0
    for begin in _BEGIN.finditer(text):
        if begin.start() >= at and (license_there := _at(text, begin)):
            name, at = license_there
            covered += text.count(" ", begin.start(), at) + 1
            found.append(name)
    return tuple(dict.fromkeys(found)) if found and covered >= _COVERED * len(words) else ()


def _at(text: str, begin: re.Match[str]) -> tuple[str, int] | None:
    """Return name and end of the licence that begins there."""
    start = begin.start()
    for each in _TEXTS:
        if each.begin != begin[0]:
            continue
        window = text[start : start + each.longest * _LONGEST_WORD]
        for last in each.ends:
            end = window.find(last)
            if end >= 0 and each.holds in window[:end] and window.count(" ", 0, end) <= each.longest:
                return each.name, start + end + len(last)
    return None
