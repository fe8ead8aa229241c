"""Which files a distro package brought: the package then stands for what they state, which is not counted twice.

dpkg's `<package>.md5sums` (deb-md5sums(5)) in its `info` directory, or in `status.d` where there is no dpkg; apk and
rpm list files in their databases. The checksum tells whether a file is still the distro's: one that was overwritten
since, by pip say, counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from imagegate.analysis.catalogers import cataloger_or_lock_of, is_archive
from imagegate.analysis.foreign import is_foreign

_MD5SUMS = re.compile(r".*/lib/dpkg/(?:info|status\.d)/([^/:]+)(?::[^/]+)?\.md5sums")
_LINE = re.compile(rb"^([0-9a-f]{32})  (.+)$", re.MULTILINE)


def owner_of(path: str) -> str:
    """Return the package whose files the file at this path lists, or ""."""
    if not path.endswith(".md5sums"):
        return ""
    match = _MD5SUMS.fullmatch(path)
    return match.group(1) if match else ""


def owned_files(content: bytes) -> dict[str, str]:
    """Return the files of a `md5sums` that state packages: absolute path to MD5."""
    lines = ((name.decode("utf-8", "replace"), md5.decode()) for md5, name in _LINE.findall(content))
    return listed_files(("/" + name.removeprefix("./").lstrip("/"), md5) for name, md5 in lines)


def listed_files(files: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return those of the files that state packages. files: absolute path and checksum."""
    return {path: checksum for path, checksum in files if checksum and _states_packages(path)}


def _states_packages(path: str) -> bool:
    return cataloger_or_lock_of(path) is not None or is_archive(path) or is_foreign(path)


def unmerged(path: str) -> str:
    """Return the path without `/usr`, which half of Debian's packages still leave out. (Debian, "UsrMerge".)"""
    return path.removeprefix("/usr")
