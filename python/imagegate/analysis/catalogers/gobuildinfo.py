"""The build information that Go's linker leaves in a program. (Go, debug/buildinfo: "Read" and the blob's layout.)

A header of 32 bytes, aligned to 16: a magic, the size of a pointer, flags. Since Go 1.18 two strings follow, each
behind its length as a varint: the version of Go, and the modules, as text between two marks of 16 bytes. Before, two
pointers to Go strings.
"""

from __future__ import annotations

from typing import Literal

from imagegate.analysis.catalogers.elf import Elf

MAGIC = b"\xff Go buildinf:"
_HEADER, _ALIGN = 32, 16
_INLINE, _BIG = 2, 1
_CHUNK = 1024 * 1024
_MOST_TEXT = 64 * 1024**2
"""Bytes of a string; the largest that is known of has some hundred KiB."""
_FRAME = 16
_LONGEST_VARINT = 10
_Order = Literal["big", "little"]


def read(elf: Elf) -> tuple[str, str] | None:
    """Return the version of Go, and the text of the modules; None where the program holds no such thing.

    The text is empty for a program that was built without modules. Raises elf.Damaged.
    """
    span = elf.section(".go.buildinfo") or elf.writable()
    if not span:
        return None
    address = _find(elf, span.address, span.size)
    if address is None:
        return None
    header = elf.read(address, _HEADER)
    if header[15] & _INLINE:
        version, after = _inline(elf, address + _HEADER)
        text = _inline(elf, after)[0] if after else b""
    else:
        width, order = header[14], _order(header[15])
        if width not in (4, 8):
            return None
        version, text = (
            _pointed(elf, int.from_bytes(header[at : at + width], order), width, order) for at in (16, 16 + width)
        )
    if not version:
        return None
    framed = len(text) > 2 * _FRAME and text[-_FRAME - 1 : -_FRAME] == b"\n"
    return version.decode("utf-8", "replace"), text[_FRAME:-_FRAME].decode("utf-8", "replace") if framed else ""


def _find(elf: Elf, start: int, size: int) -> int | None:
    """Return the address of the first header in a range of addresses."""
    end = start + size
    start += -start % _ALIGN
    while start < end:
        data = elf.read(start, min(_CHUNK, end - start))
        at = data.find(MAGIC)
        while at >= 0 and at % _ALIGN:
            at = data.find(MAGIC, at + 1)
        if at >= 0:
            return start + at if len(elf.read(start + at, _HEADER)) == _HEADER else None
        if not data:
            return None
        start += _CHUNK
    return None


def _inline(elf: Elf, address: int) -> tuple[bytes, int]:
    """Return the string at an address and what is the address after it; 0 where there is none."""
    length = 0
    for index, byte in enumerate(elf.read(address, _LONGEST_VARINT)):
        length |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            start = address + index + 1
            text = elf.read(start, length) if length <= _MOST_TEXT else b""
            return (text, start + length) if len(text) == length else (b"", 0)
    return b"", 0


def _order(flags: int) -> _Order:
    return "big" if flags & _BIG else "little"


def _pointed(elf: Elf, address: int, width: int, order: _Order) -> bytes:
    """Return the Go string at an address: a pointer and a length."""
    raw = elf.read(address, 2 * width)
    if len(raw) != 2 * width:
        return b""
    start, length = (int.from_bytes(raw[at : at + width], order) for at in (0, width))
    text = elf.read(start, length) if length <= _MOST_TEXT else b""
    return text if len(text) == length else b""
