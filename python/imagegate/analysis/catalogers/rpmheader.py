"""The header of one rpm package, as rpm's databases keep it. (RPM reference manual, "RPM V4 Package format", "Header".)

Two numbers, of index entries and of bytes of data; the entries, each tag, type, offset and count; the data. All numbers
are big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from imagegate.analysis.catalogers.cataloger import Unreadable

_ENTRY = 16
_MAX_ENTRIES = 0xFFFF
_INT32 = 4
_TEXTS = (6, 8, 9)
"""Types: one text, several, several translations."""


class Header:
    """The values of some tags. Raises Unreadable for what is no whole header, or has a value outside of it."""

    def __init__(self, blob: bytes, tags: Iterable[int]) -> None:
        entries, size = struct.unpack_from(">II", blob) if len(blob) > _ENTRY else (0, 0)
        start = 8 + _ENTRY * entries
        if not 0 < entries <= _MAX_ENTRIES or start + size != len(blob):
            raise Unreadable("the header of a package is cut, or is none")
        wanted = frozenset(tags)
        # Entries that were added after the package was built come last, and replace its own.
        self._entries = {
            tag: (kind, offset, count)
            for tag, kind, offset, count in struct.iter_unpack(">IIII", blob[8:start])
            if tag in wanted
        }
        self._data = blob[start:]

    def text(self, tag: int) -> str:
        """Return a text, the first of several, or "" when the package has none."""
        return next(iter(self.texts(tag, 1)), b"").decode("utf-8", "replace")

    def texts(self, tag: int, most: int = 0) -> list[bytes]:
        """Return all texts of a tag, or as many as asked for."""
        kind, offset, count = self._entries.get(tag, (_TEXTS[0], 0, 0))
        found = self._data[offset:].split(b"\0", most or count)[:-1] if count else []
        if kind not in _TEXTS or len(found) < min(count, most or count):
            raise _damaged(tag)
        return found

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return the 32 bit numbers of a tag."""
        kind, offset, count = self._entries.get(tag, (_INT32, 0, 0))
        if kind != _INT32 or offset + 4 * count > len(self._data):
            raise _damaged(tag)
        return struct.unpack_from(f">{count}I", self._data, offset)

    def number(self, tag: int) -> int | None:
        """Return the first number of a tag, or None when the package has none."""
        return next(iter(self.numbers(tag)), None)


def _damaged(tag: int) -> Unreadable:
    return Unreadable(f"the header of a package is damaged at its tag {tag}")
