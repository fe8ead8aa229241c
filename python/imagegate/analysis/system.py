"""What an image says about itself: distribution and users. Pure."""

from __future__ import annotations

import shlex

from imagegate.model import Distro, PasswdEntry

PASSWD = "/etc/passwd"  # noqa: S105 - a path
OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
"""In the order of preference. (os-release(5).)"""

_PASSWD_FIELDS = 7


def parse_os_release(content: bytes) -> Distro | None:
    """Return the distribution, or None when the file names none. (os-release(5).)"""
    fields = {}
    for line in content.decode("utf-8", "replace").splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            fields[key] = _unquote(value)
    if not fields.get("ID"):
        return None
    return Distro(
        id=fields["ID"],
        version=fields.get("VERSION_ID", ""),
        like=tuple(fields.get("ID_LIKE", "").split()),
        name=fields.get("NAME", ""),
        codename=fields.get("VERSION_CODENAME", ""),
    )


def _unquote(value: str) -> str:
    try:
        return "".join(shlex.split(value)) if value[:1] not in "\"'" else " ".join(shlex.split(value))
    except ValueError:
        return value


def parse_passwd(content: bytes) -> tuple[PasswdEntry, ...]:
    """Return the entries; missing fields are empty, so that a malformed line is still seen. (passwd(5).)"""
    entries = []
    for line in content.decode("utf-8", "replace").splitlines():
        if line.strip() and not line.startswith("#"):
            fields = line.split(":", _PASSWD_FIELDS - 1)
            entries.append(PasswdEntry(*fields, *[""] * (_PASSWD_FIELDS - len(fields))))
    return tuple(entries)
