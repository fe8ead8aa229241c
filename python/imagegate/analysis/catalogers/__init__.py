"""The native catalogers. A new package format is a module here and a line in CATALOGERS."""

from __future__ import annotations

import re

from imagegate.analysis.catalogers.cataloger import Cataloger
from imagegate.analysis.catalogers.dpkg import DPKG
from imagegate.analysis.catalogers.npm import NPM
from imagegate.analysis.catalogers.python import PYTHON

CATALOGERS: tuple[Cataloger, ...] = (DPKG, PYTHON, NPM)

_BY_NAME = {cataloger.name: cataloger for cataloger in CATALOGERS}
_PATTERN = re.compile("|".join(f"(?P<{cataloger.name}>{cataloger.pattern})" for cataloger in CATALOGERS))


def cataloger_of(path: str) -> Cataloger | None:
    """Return the cataloger that reads the file at this path. Called once for every file of every layer."""
    match = _PATTERN.fullmatch(path)
    return _BY_NAME[match.lastgroup] if match and match.lastgroup else None


__all__ = ["CATALOGERS", "Cataloger", "cataloger_of"]
