"""Which files of an image are asked for by their digest. Pure."""

from __future__ import annotations

from imagegate.inventory.model import NotableFile
from imagegate.model import Analysis, FileEntry, FileType

_ARCHIVES = (".jar", ".war", ".ear")
_DISTRIBUTION = ("/bin/", "/sbin/", "/lib", "/etc/", "/usr/bin/", "/usr/sbin/", "/usr/lib", "/usr/share/", "/var/lib/")
"""Where distributions' packages have their executables. What others bring lies in `/usr/local`, `/opt` or a directory
of its own. (FHS 3.0, 3.13 and 4.9; Debian Policy, 9.1.2.)"""
_OF_LANGUAGES = ("/node_modules/", "/site-packages/", "/dist-packages/", "/gems/")
"""Directories whose executables are of packages of a language."""


def notable(analysis: Analysis) -> tuple[NotableFile, ...]:
    """Return the archives of Java, and the executables that no package brought, as far as their place tells."""
    packaged = any(package.type.is_os for package in analysis.packages)
    return tuple(
        NotableFile(
            each.path.replace("\0", "\ufffd"),  # for which PostgreSQL has no place
            each.sha256,
            analysis.layers[each.layer].digest if 0 <= each.layer < len(analysis.layers) else "",
        )
        for each in analysis.files
        if each.type is FileType.FILE and each.sha256 and each.size and _is_notable(each, packaged)
    )


def _is_notable(entry: FileEntry, packaged: bool) -> bool:
    if entry.path.endswith(_ARCHIVES):
        return True
    if not entry.mode & 0o111 or any(part in entry.path for part in _OF_LANGUAGES):
        return False
    return not (packaged and entry.path.startswith(_DISTRIBUTION))
