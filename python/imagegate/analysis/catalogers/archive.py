"""Reading a ZIP archive that nobody vouches for: only the directory, and the few entries that are asked for.

APPNOTE.TXT - .ZIP File Format Specification 6.3: 4.3.12 "Central directory structure", 4.3.14 and 4.3.15 (Zip64),
4.3.16 "End of central directory record". `zipfile` makes an object of every entry, of which a large jar has a hundred
thousand, and takes nobody's word for where an archive starts.

What an archive costs is bounded by a Budget, shared by all that are nested in it.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from imagegate.analysis.catalogers.cataloger import Seekable, Unreadable

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_LONGEST_COMMENT = 0xFFFF
_ENCRYPTED, _STORED, _DEFLATED = 1, 0, 8
_CHUNK = 256 * 1024


class _Writable(Protocol):
    def write(self, data: bytes, /) -> int: ...


class NoArchive(Exception):
    """There is no end record: the file is no ZIP archive, whatever its name says."""


class Damaged(Exception):
    """A ZIP archive, or an entry of one, that does not hold what its directory says."""


@dataclass
class Budget:
    """What may yet be spent on one file of an image. Each is far above what archives are found to have."""

    entries: int = 2_000_000
    bytes: int = 4 * 1024**3
    """Of contents that are read, and of what they are inflated to."""
    archives: int = 20_000
    files: int = 100_000
    """Of metadata, which are read whole."""
    metadata: int = 256 * 1024**2
    """Of bytes of them."""

    def spend(self, **amounts: int) -> None:
        """Raises Unreadable when it is used up: what else the file holds is then not known."""
        for what, amount in amounts.items():
            left = getattr(self, what) - amount
            setattr(self, what, left)
            if left < 0:
                raise Unreadable(f"as an archive it has more {what}, with those nested in it, than are looked at")


@dataclass(frozen=True)
class Entry:
    """An entry of the directory. offset: of its local header."""

    name: str
    flags: int
    method: int
    packed: int
    size: int
    offset: int


class Archive:
    """An archive in a file that can be sought. entries: by name, those that were wanted; the last one of a name counts.

    wanted: says of a raw name whether its entry is of interest. Raises NoArchive, Damaged, Unreadable.
    """

    def __init__(self, file: Seekable, budget: Budget, wanted: Callable[[bytes], bool]) -> None:
        self._file, self._budget = file, budget
        self._size = file.seek(0, io.SEEK_END)
        count, size, start, self._base = self._end()
        self.entries: dict[str, Entry] = {}
        for entry in self._directory(count, size, start + self._base, wanted):
            self.entries[entry.name] = entry

    def read(self, entry: Entry, most: int) -> bytes:
        """Return the content of an entry. Raises Unreadable if it is larger than `most`, Damaged."""
        content = io.BytesIO()
        self.extract(entry, content, most)
        self._budget.spend(files=1, metadata=content.tell())
        return content.getvalue()

    def extract(self, entry: Entry, target: _Writable, most: int) -> None:
        """Write the content of an entry. Raises as `read` does. Its checksum is not looked at, as virtual machines."""
        left = most
        for chunk in self._content(entry):
            left -= len(chunk)
            self._budget.spend(bytes=len(chunk))
            if left < 0:
                raise Unreadable(f"{entry.name[:200]} in it is larger than {most} bytes")
            target.write(chunk)

    def stored(self, entry: Entry) -> tuple[int, int] | None:
        """Return where the content is in the file, start and size, when it is not compressed. Raises Damaged."""
        return (self._start(entry), entry.packed) if entry.method == _STORED else None

    def _content(self, entry: Entry) -> Iterator[bytes]:
        start, left = self._start(entry), entry.packed
        inflate = zlib.decompressobj(-zlib.MAX_WBITS) if entry.method == _DEFLATED else None
        self._file.seek(start)
        while left and not (inflate and inflate.eof):
            data = self._file.read(min(left, _CHUNK))
            if not data:
                raise Damaged(f"{entry.name[:200]} in it is cut")
            left -= len(data)
            self._budget.spend(bytes=len(data))
            if inflate is None:
                yield data
                continue
            try:
                while data and not inflate.eof:
                    yield inflate.decompress(data, _CHUNK)
                    data = inflate.unconsumed_tail
            except zlib.error as error:
                raise Damaged(f"{entry.name[:200]} in it cannot be inflated: {error}") from error
        if inflate and not inflate.eof:
            raise Damaged(f"{entry.name[:200]} in it is cut")

    def _start(self, entry: Entry) -> int:
        """Return where the content starts: after the local header, which may have other fields than the directory's."""
        if entry.flags & _ENCRYPTED or entry.method not in (_STORED, _DEFLATED):
            raise Damaged(f"{entry.name[:200]} in it is encrypted, or packed in a way that Java does not read")
        raw = self._at(self._base + entry.offset, _LOCAL.size)
        signature, *_, name, extra = _LOCAL.unpack(raw)
        start = int(self._base + entry.offset + _LOCAL.size + name + extra)
        if signature != b"PK\x03\x04" or start + entry.packed > self._size:
            raise Damaged(f"{entry.name[:200]} in it is not where its directory says")
        return start

    def _end(self) -> tuple[int, int, int, int]:
        """Return number of entries, size and start of the directory, and how many bytes lie before the archive."""
        tail = min(self._size, _END.size + _LONGEST_COMMENT)
        raw = self._at(self._size - tail, tail)
        at = len(raw) - _END.size
        while (at := raw.rfind(b"PK\x05\x06", 0, at + 4) if at >= 0 else -1) >= 0:
            _, _, _, _, count, size, start, comment = _END.unpack_from(raw, at)
            if at + _END.size + comment <= len(raw):
                break
            at -= 1
        else:
            raise NoArchive
        end = self._size - tail + at
        if count == 0xFFFF or size == 0xFFFFFFFF or start == 0xFFFFFFFF:
            count, size, start, end = self._end64(end) or (count, size, start, end)
        base = end - size - start
        if base < 0 or size > self._size or start > self._size or count * _ENTRY.size > size:
            raise Damaged("its directory is not where its end says")
        return count, size, start, base

    def _end64(self, end: int) -> tuple[int, int, int, int] | None:
        if end < _END64_LOCATOR.size:
            return None
        signature, disk, at, disks = _END64_LOCATOR.unpack(self._at(end - _END64_LOCATOR.size, _END64_LOCATOR.size))
        if signature != b"PK\x06\x07" or disk or disks != 1:
            return None
        signature, *_, count, size, start = _END64.unpack(self._at(at, _END64.size))
        if signature != b"PK\x06\x06":
            raise Damaged("its Zip64 end record is not where its locator says")
        return count, size, start, at

    def _directory(self, count: int, size: int, at: int, wanted: Callable[[bytes], bool]) -> Iterator[Entry]:
        self._budget.spend(entries=count, bytes=size)
        end, buffer, position = at + size, b"", 0
        while count and at < end:
            known = len(buffer) - position
            if known < min(_ENTRY.size + 3 * 0xFFFF, end - at):
                buffer, position = buffer[position:] + self._at(at + known, min(_CHUNK, end - at - known)), 0
            if len(buffer) - position < _ENTRY.size:
                break
            fields = _ENTRY.unpack_from(buffer, position)
            signature, flags, method = fields[0], fields[3], fields[4]
            name, extra, comment = fields[10:13]
            length = _ENTRY.size + name + extra + comment
            if signature != b"PK\x01\x02" or len(buffer) - position < length:
                break
            position += _ENTRY.size
            raw = buffer[position : position + name]
            if wanted(raw):
                places = fields[9], fields[8], fields[16]
                if 0xFFFFFFFF in places:
                    places = _zip64(places, buffer[position + name : position + name + extra])
                yield Entry(raw.decode("utf-8", "replace"), flags, method, places[1], places[0], places[2])
            position += length - _ENTRY.size
            at += length
            count -= 1
        if count:
            raise Damaged("its directory is cut")

    def _at(self, offset: int, size: int) -> bytes:
        if offset < 0 or offset > self._size:
            raise Damaged("it is cut")
        self._file.seek(offset)
        raw = self._file.read(size)
        if len(raw) != size:
            raise Damaged("it is cut")
        return raw


def _zip64(places: tuple[int, int, int], extra: bytes) -> tuple[int, int, int]:
    """Return size, packed size and offset, each from the Zip64 extra field where the entry has no room (4.5.3)."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            wide = iter(struct.unpack_from(f"<{min(length, len(extra) - at - 4) // 8}Q", extra, at + 4))
            size, packed, offset = (next(wide, -1) if each == 0xFFFFFFFF else each for each in places)
            if min(size, packed, offset) >= 0:
                return size, packed, offset
            break
        at += 4 + length
    raise Damaged("its directory has an entry without its size")
