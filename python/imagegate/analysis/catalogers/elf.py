"""As much of ELF as tells where data lies: sections by name, and what is loaded where.

System V ABI, gABI 4.1, "Object Files" and "Program Loading". Files are untrusted: what does not fit is Damaged.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from imagegate.analysis.catalogers.cataloger import Seekable

MAGIC = b"\x7fELF"
MACHINES = {
    2: "sparc", 3: "386", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390", 40: "arm", 62: "x86_64", 183: "aarch64",
    243: "riscv", 258: "loongarch",
}  # fmt: skip
"""Names of e_machine, as Go's debug/elf has them, for those that Go builds for."""
_LOAD, _NO_BITS = 1, 8
_WRITE, _EXECUTE = 2, 1
_LONGEST_NAME = 64


class Damaged(Exception):
    """It begins as ELF does, but headers are missing or lead nowhere."""


@dataclass(frozen=True)
class Span:
    """A run of bytes. address: where they are loaded; offset, size: where they are in the file."""

    address: int
    offset: int
    size: int


class Elf:
    """Reads headers only. Raises Damaged."""

    def __init__(self, file: Seekable) -> None:
        self._file = file
        self._length = file.seek(0, io.SEEK_END)
        ident = self._at(0, 16)
        if ident[:4] != MAGIC or ident[4] not in (1, 2) or ident[5] not in (1, 2):
            raise Damaged("its identification is not one of ELF")
        self.wide, self.big = ident[4] == 2, ident[5] == 2
        fields = self._unpack("HHLQQQLHHHHHH" if self.wide else "HHLLLLLHHHHHH", 16)
        self.machine = MACHINES.get(fields[1], "")
        self._programs, self._sections = (fields[4], fields[8], fields[9]), (fields[5], fields[10], fields[11])
        self._names = fields[12]
        self._loaded = tuple(self._segments())

    def section(self, wanted: str) -> Span | None:
        """Return the section of that name, None where there is none."""
        at, length, count = self._sections
        if not at or not count:
            return None
        self._check("LLQQQQ" if self.wide else "LLLLLL", *self._sections)
        names = self._section(at + length * self._names)[1]
        for index in range(count):
            (name, kind), span = self._section(at + length * index)
            if name < names.size and kind != _NO_BITS:
                raw = self._some(names.offset + name, min(_LONGEST_NAME, names.size - name))
                if raw.partition(b"\0")[0].decode("latin-1") == wanted:
                    return span
        return None

    def writable(self) -> Span | None:
        """Return the first segment that is loaded to be written to."""
        return next((span for span, flags in self._loaded if flags & (_WRITE | _EXECUTE) == _WRITE), None)

    def read(self, address: int, size: int) -> bytes:
        """Return up to size bytes from an address on, not beyond the end of its segment; nothing where none is."""
        for span, _ in self._loaded:
            if span.address <= address < span.address + span.size:
                within = address - span.address
                return self._some(span.offset + within, min(size, span.size - within))
        return b""

    def _segments(self) -> Iterator[tuple[Span, int]]:
        """Yield what is loaded, with its flags."""
        at, length, count = self._programs
        if at and count:
            self._check("LLQQQQ" if self.wide else "LLLLLLL", at, length, count)
        for index in range(count if at else 0):
            if self.wide:
                kind, flags, offset, address, _, size = self._unpack("LLQQQQ", at + length * index)
            else:
                kind, offset, address, _, size, _, flags = self._unpack("LLLLLLL", at + length * index)
            if kind == _LOAD:
                yield Span(address, offset, size), flags

    def _section(self, at: int) -> tuple[tuple[int, int], Span]:
        name, kind, _, address, offset, size = self._unpack("LLQQQQ" if self.wide else "LLLLLL", at)
        return (name, kind), Span(address, offset, size)

    def _check(self, fields: str, at: int, length: int, count: int) -> None:
        """A table takes no less room in the file than its headers: what is read is in proportion to the file."""
        if length < struct.calcsize("<" + fields) or at + length * count > self._length:
            raise Damaged("its table of headers is not where its header says")

    def _unpack(self, fields: str, at: int) -> tuple[int, ...]:
        layout = struct.Struct((">" if self.big else "<") + fields)
        return layout.unpack(self._at(at, layout.size))

    def _at(self, offset: int, size: int) -> bytes:
        raw = self._some(offset, size)
        if len(raw) != size:
            raise Damaged("it is cut")
        return raw

    def _some(self, offset: int, size: int) -> bytes:
        if offset >= self._length or size <= 0:
            return b""
        self._file.seek(offset)
        return self._file.read(min(size, self._length - offset))
