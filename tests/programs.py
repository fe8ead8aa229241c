"""Builds programs in memory: as much of ELF as is needed to have Go's build information in it."""

from __future__ import annotations

import struct
from typing import Literal

MAGIC = b"\xff Go buildinf:"
NOTE = b"\x04\0\0\0\x08\0\0\0\x04\0\0\0Go\0\0buildid\0"
FRAME = bytes(range(16))
_BASE = 0x400000
_DATA = 0x2000
_SECTION = b"\0.shstrtab\0.go.buildinfo\0"


def modules(*lines: str) -> bytes:
    """The text of the modules, as the linker frames it. lines: with tabs between the columns."""
    return FRAME + "".join(f"{each}\n" for each in lines).encode() + FRAME


def inline(go: str, text: bytes) -> bytes:
    """Build information as of Go 1.18."""
    return MAGIC + b"\x08\x02" + bytes(16) + _varint(len(go)) + go.encode() + _varint(len(text)) + text


def pointers(go: str, text: bytes, *, wide: bool = True, order: Literal["big", "little"] = "little") -> bytes:
    """Build information as before: pointers to Go strings, that are behind it here."""
    width = 8 if wide else 4
    at = _BASE + _DATA + 32
    header = MAGIC + bytes([width, order == "big"])
    header += b"".join((at + index * 2 * width).to_bytes(width, order) for index in range(2))
    strings = at + 4 * width
    places = (strings, len(go)), (strings + len(go), len(text))
    pointed = b"".join(each.to_bytes(width, order) for place in places for each in place)
    return header.ljust(32, b"\0") + pointed + go.encode() + text


def elf(
    data: bytes, *, wide: bool = True, big: bool = False, note: bool = True, section: bool = False, machine: int = 62
) -> bytes:
    """A program whose data segment is this. note: of Go, in the first page; section: `.go.buildinfo` for the data."""
    order = ">" if big else "<"
    names = _DATA + len(data)
    table = names + len(_SECTION)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 2 if big else 1, 1]) + bytes(9)
    start, program, header = (64, 56, 64) if wide else (52, 32, 40)
    count = 3 if section else 0
    fields = (
        2,
        machine,
        1,
        0,
        start,
        table if section else 0,
        0,
        start,
        program,
        2,
        header,
        count,
        1 if section else 0,
    )
    raw = ident + struct.pack(order + ("HHLQQQLHHHHHH" if wide else "HHLLLLLHHHHHH"), *fields)
    for flags, offset, size in ((5, 0, _DATA), (6, _DATA, len(data))):
        values = (1, flags, offset, _BASE + offset, 0, size, size, 0x1000)
        if wide:
            raw += struct.pack(order + "LLQQQQQQ", *values)
        else:
            raw += struct.pack(order + "LLLLLLLL", 1, offset, _BASE + offset, 0, size, size, flags, 0x1000)
    raw = (raw + (NOTE if note else b"")).ljust(_DATA, b"\0") + data
    if section:
        raw += _SECTION
        for name, kind, address, offset, size in (
            (0, 0, 0, 0, 0), (1, 3, 0, names, len(_SECTION)), (11, 1, _BASE + _DATA, _DATA, len(data)),
        ):  # fmt: skip
            values = (name, kind, 3, address, offset, size, 0, 0, 16, 0)
            raw += struct.pack(order + ("LLQQQQLLQQ" if wide else "10L"), *values)
    return raw


def _varint(number: int) -> bytes:
    raw = bytearray()
    while number > 0x7F:
        raw.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*raw, number])
