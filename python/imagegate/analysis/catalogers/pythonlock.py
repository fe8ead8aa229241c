"""Python packages that a lock file asks for: poetry's, uv's and pdm's in TOML, Pipenv's in JSON, pip's pinned ones.

(poetry docs, "poetry.lock"; uv docs, "Locking"; Pipenv docs, "Pipfile.lock"; pip docs, "Requirements File Format".)
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

import msgspec

from imagegate.analysis import purl
from imagegate.analysis.catalogers.cataloger import Cataloger, Unreadable
from imagegate.model import Package, PackageType

_PINNED = re.compile(
    r"^[ \t]*([A-Za-z0-9][\w.-]*)[ \t]*(?:\[[^\]\n]*\][ \t]*)?={2,3}[ \t]*([^\s;,#*<>!=~]+)[ \t]*(?:$|[;#]|--)",
    re.MULTILINE,
)
_CONTINUED = re.compile(r"\\\r?\n")


class _Entry(msgspec.Struct):
    name: str = ""
    version: str = ""


class _Lock(msgspec.Struct):
    package: list[_Entry] = []


class _Pipfile(msgspec.Struct):
    default: dict[str, _Entry] = {}


def parse(path: str, content: bytes) -> tuple[Package, ...]:
    """Return the packages that have a version; of Pipenv's, not those to develop with only. Raises Unreadable."""
    try:
        text = content.decode("utf-8")
        if path.endswith(".txt"):
            found = set(_PINNED.findall(_CONTINUED.sub(" ", text)))
        elif path.endswith("/Pipfile.lock"):
            found = set(_pipenv(content))
        else:
            lock = msgspec.convert(tomllib.loads(text), _Lock)
            found = {(entry.name, entry.version) for entry in lock.package}
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise Unreadable(f"it is no lock file: {error}") from error
    return tuple(
        Package(name, version, PackageType.PYTHON, purl.pypi(name, version), path=path)
        for name, version in sorted(found)
        if name and version
    )


def _pipenv(content: bytes) -> Iterator[tuple[str, str]]:
    for name, entry in msgspec.json.decode(content, type=_Pipfile).default.items():
        yield name, entry.version.removeprefix("==").removeprefix("=")


PYTHON_LOCK = Cataloger(
    "python_lock",
    r".*/(?:(?:poetry|uv|pdm|Pipfile)\.lock|[^/]*requirements[^/]*\.txt)",
    ("/poetry.lock", "/uv.lock", "/pdm.lock", "/Pipfile.lock", ".txt"),
    parse,
)
