"""The native catalogers. A new package format is a module here and a line in CATALOGERS or LOCK_FILES.

JAVA and GO read what is too large to be read whole: `probe` says of which files.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from imagegate.analysis.catalogers.apk import APK
from imagegate.analysis.catalogers.cataloger import Cataloger, FileCataloger, Found, Unreadable
from imagegate.analysis.catalogers.conda import CONDA
from imagegate.analysis.catalogers.dpkg import DPKG
from imagegate.analysis.catalogers.gem import GEM
from imagegate.analysis.catalogers.gemlock import GEM_LOCK
from imagegate.analysis.catalogers.golang import GO
from imagegate.analysis.catalogers.java import JAVA
from imagegate.analysis.catalogers.npm import NPM
from imagegate.analysis.catalogers.npmlock import NPM_LOCK
from imagegate.analysis.catalogers.python import PYTHON
from imagegate.analysis.catalogers.pythonlock import PYTHON_LOCK
from imagegate.analysis.catalogers.rpm import RPM

CATALOGERS: tuple[Cataloger, ...] = (DPKG, APK, RPM, PYTHON, NPM, GEM, CONDA)
LOCK_FILES: tuple[Cataloger, ...] = (NPM_LOCK, PYTHON_LOCK, GEM_LOCK)
"""What they state need not be installed: for who asks for it only."""


def _finder(catalogers: tuple[Cataloger, ...]) -> Callable[[str], Cataloger | None]:
    by_name = {cataloger.name: cataloger for cataloger in catalogers}
    pattern = re.compile("|".join(f"(?P<{cataloger.name}>{cataloger.pattern})" for cataloger in catalogers))
    marks = [each for cataloger in catalogers for each in cataloger.endings]
    endings, parts = tuple(each for each in marks if each[-1] != "/"), [each for each in marks if each[-1] == "/"]

    def find(path: str) -> Cataloger | None:
        if not path.endswith(endings) and not any(part in path for part in parts):
            return None
        match = pattern.fullmatch(path)
        return by_name[match.lastgroup] if match and match.lastgroup else None

    return find


cataloger_of = _finder(CATALOGERS)
"""Returns the cataloger that reads the file at a path. Called once for every file of every layer."""

cataloger_or_lock_of = _finder(CATALOGERS + LOCK_FILES)
"""The same, and those of lock files."""


def is_archive(path: str) -> bool:
    """Return whether the path is of a Java archive. Go programs are known by their content only."""
    return path.endswith(JAVA.endings)


__all__ = [
    "CATALOGERS", "GO", "JAVA", "LOCK_FILES", "Cataloger", "FileCataloger", "Found", "Unreadable", "cataloger_of",
    "cataloger_or_lock_of", "is_archive",
]  # fmt: skip
