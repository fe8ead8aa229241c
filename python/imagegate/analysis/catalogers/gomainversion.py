"""The version of a Go program's main module, which Go itself calls `(devel)` when it is built from a checkout.

As syft tells it, so that advisories about the program are found: what the linker was told to set a variable to, else
what looks like a version among the strings, else a pseudo-version of the commit. (Go Modules Reference,
"Pseudo-versions".)
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from imagegate.analysis.catalogers.cataloger import Seekable

_NUMBER = r"v?\d+\.\d+\.\d+[-\w]*"
_VARIABLES = (
    r"\.[a-zA-Z0-9]*(?:[rR]elease)?(?:[gG]it)?(?:[bB]uild)?[vV]er(?:sion)?=",
    r"\.[a-zA-Z0-9]*[tT]ag=",
)
"""Names of variables that hold the program's version."""
_ASSIGNED = r"(?:\S+/)?(v?\d+.\d+.\d+[-\w]*)"
_LOOSE = r"[0-9]\.[0-9]+\.[0-9]+[-\w]*[+\w]*\x00"
"""What ends as a version and a NUL; what comes before it is looked at only then."""
_STRICT = re.compile(rf"[\0\ufffd\udc80-\udcff](?:.L)?({_NUMBER}[+\w]*)\0", re.ASCII)
"""A version between NULs, or after a byte that is not of any text."""
_CHUNK = 1024 * 1024
_OVERLAP = 1024
_BEFORE = 64
_MOST_CANDIDATES = 200_000
"""Strings that end as a version; real programs have some hundreds."""
_LONGEST_FLAGS = 1024 * 1024
_COMMIT = 12


def version(module: str, settings: Mapping[str, str], file: Seekable) -> str:
    """Return the version, empty when nothing tells it. module: the main module's path; settings: of its build."""
    found = _of_linker(module, settings.get("-ldflags", "")) or _of_contents(file) or _of_commit(settings)
    return found if not found or found.startswith("v") else f"v{found}"


def _of_linker(module: str, flags: str) -> str:
    import re2  # Slow to import, and few programs are built from a checkout.

    if not flags or len(flags) > _LONGEST_FLAGS:
        return ""
    of_module = f"(?:main|{re2.escape(module)}/\\S*)"
    matches = (re2.search(of_module + name + _ASSIGNED, flags) for name in _VARIABLES)
    return next((match[1] for match in matches if match), "")


def _of_contents(file: Seekable) -> str:
    """Return the first string in the program that looks like a version."""
    file.seek(0, io.SEEK_SET)
    data, looked_at = b"", 0
    while chunk := file.read(_CHUNK):
        kept = len(data)
        data += chunk
        for match in _loose().finditer(data):
            looked_at += 1
            if looked_at > _MOST_CANDIDATES:
                return ""
            if match.end() > kept and (found := _told(data, match.start(), match.end())):
                return found
        data = data[-_OVERLAP:]
    return ""


def _told(data: bytes, start: int, end: int) -> str:
    window = data[max(0, start - _BEFORE) : end].decode("utf-8", "surrogateescape")
    return next((match[1] for match in _STRICT.finditer(window) if match.end() == len(window)), "")


@cache
def _loose() -> Any:
    import re2

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(_LOOSE.encode(), options)


def _of_commit(settings: Mapping[str, str]) -> str:
    commit, time = settings.get("vcs.revision"), settings.get("vcs.time")
    if commit is None or time is None:
        return ""
    try:
        stamp = datetime.fromisoformat(time).astimezone(UTC).strftime("%Y%m%d%H%M%S")
    except (ValueError, OverflowError):
        stamp = "00010101000000"
    return f"v0.0.0-{stamp}-{commit[:_COMMIT]}"
