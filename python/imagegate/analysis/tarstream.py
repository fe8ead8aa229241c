"""Reading a layer's tar once, start to end, in constant memory and with nothing written to disk.

Layers have tens of thousands of entries, so that what is spent on an entry counts: `tarfile` takes twice as long.
What layers are made of is small: ustar headers, GNU long names, and PAX records. (POSIX.1-2017, pax, "ustar Interchange
Format" and "pax Header Block"; GNU tar manual, "Basic Tar Format"; OCI image-spec, layer.md.)
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from imagegate.errors import ImagegateError, InvalidImage, LimitExceeded
from imagegate.model import FileType
from imagegate.settings import Limits

BLOCK = 512
_CHUNK = 1024 * 1024
_ZERO = bytes(BLOCK)
_MAX_RECORDS = 1024 * 1024
"""Bytes of extended headers of one entry."""

_TYPES = {
    b"0": FileType.FILE,
    b"\0": FileType.FILE,
    b"7": FileType.FILE,
    b"1": FileType.HARDLINK,
    b"2": FileType.SYMLINK,
    b"3": FileType.CHARACTER,
    b"4": FileType.BLOCK,
    b"5": FileType.DIRECTORY,
    b"6": FileType.FIFO,
}
_LINKS = (FileType.HARDLINK, FileType.SYMLINK)
_IRREGULAR = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|\ufffd|\0")
"""Paths that need more than a slash in front: empty, `.` and `..` components, and what stands for undecodable bytes."""


class Member(NamedTuple):
    """One entry. path: absolute and normalised; link: a hard link's absolute path, a symbolic link's text as it is."""

    path: str
    type: FileType
    mode: int
    uid: int
    gid: int
    size: int
    link: str


def _escape(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(f"\ufffd{byte:02X}" for byte in error.object[error.start : error.end]), error.end


codecs.register_error("imagegate.escape", _escape)


def text(raw: bytes) -> str:
    """Decode a name. Each byte that is no UTF-8 becomes U+FFFD and two hex digits, and so does U+FFFD itself.

    Two names never become one, so that no file can hide another, and the result can be written as JSON.
    """
    if b"\xef\xbf\xbd" in raw:
        return "\ufffdEF\ufffdBF\ufffdBD".join(text(part) for part in raw.split(b"\xef\xbf\xbd"))
    return raw.decode("utf-8", "imagegate.escape")


def normalise(path: str) -> str:
    """Return an entry's path as an absolute one, as engines do that unpack it below a root; the root is `/`.

    Raises InvalidImage for `..`, which no builder writes, and for NUL.
    """
    path = path.strip("/").removeprefix("./")
    if _IRREGULAR.search(path):
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in parts or "\0" in path:
            raise InvalidImage(f"a layer holds the path {path[:200]!r}", why="it leaves the image's root")
        path = "/".join(parts)
    return "/" + path


class TarStream:
    """The entries of a tar. Iterate, and `read` the present entry's content; what is not read is skipped.

    left: bytes of the present entry's content that were not read yet.
    """

    def __init__(self, stream: BinaryIO, limits: Limits, name: str = "layer") -> None:
        self._stream, self._limits, self._name = stream, limits, name
        self.left = self._padding = 0
        self._numbers: dict[bytes, int] = {}
        self._strings: dict[bytes, str] = {}

    def __iter__(self) -> Iterator[Member]:
        """Yield every entry, then read the stream to its verified end. Raises InvalidImage, LimitExceeded."""
        count = 0
        while (header := self._next_header()) is not None:
            count += 1
            if count > self._limits.layer_entries:
                raise LimitExceeded(
                    f"{self._name} has more than {self._limits.layer_entries} entries",
                    hint="Raise limits.layer_entries if the image is meant to have that many files.",
                )
            yield self._member(header)
        while self._stream.read(_CHUNK):
            # Only at the end of the stream are its digests known to be right.
            pass

    def read(self, size: int) -> bytes:
        """Read up to size bytes of the present entry's content; b"" at its end."""
        wanted = min(size, self.left)
        if not wanted:
            return b""
        data = self._stream.read(wanted)
        if len(data) != wanted:
            raise self._broken("it ends within a file")
        self.left -= wanted
        return data

    def _next_header(self) -> bytes | None:
        while self.read(_CHUNK):
            pass
        if self._padding and len(self._stream.read(self._padding)) != self._padding:
            raise self._broken("it ends within a file")
        self._padding = 0
        header = self._stream.read(BLOCK)
        if not header or header == _ZERO:
            return None
        if len(header) != BLOCK:
            raise self._broken("it ends within a header")
        self._check(header)
        return header

    def _check(self, header: bytes) -> None:
        """Compare the checksum. Adler-32's low half is a sum of bytes, modulo 65521, in one call each."""
        stated = self._number(header[148:156])
        summed = zlib.adler32(header[156:], zlib.adler32(header[:148])) & 0xFFFF
        if (stated - 255) % 65521 == summed:
            return
        signed = 256 + sum(byte - 256 if byte > 127 else byte for byte in header[:148] + header[156:])
        if stated != signed:
            raise self._broken("the checksum of a header is wrong")

    def _member(self, header: bytes) -> Member:
        path = link = ""
        records: dict[bytes, bytes] = {}
        while (kind := header[156:157]) in b"LKxgV" and kind:
            content = self._extension(header)
            if kind == b"L":
                path = text(content.split(b"\0", 1)[0])
            elif kind == b"K":
                link = text(content.split(b"\0", 1)[0])
            elif kind == b"x":
                records |= self._records(content)
            following = self._next_header()
            if following is None:
                raise self._broken("it ends within an entry")
            header = following
        return self._finish(header, path, link, records)

    def _finish(self, header: bytes, path: str, link: str, records: dict[bytes, bytes]) -> Member:
        kind = _TYPES.get(header[156:157])
        if kind is None or any(key.startswith(b"GNU.sparse.") for key in records):
            what = "a sparse file" if kind or header[156:157] == b"S" else f"an entry of type {header[156:157]!r}"
            raise InvalidImage(f"{self._name} holds {what}", why="no specification of image layers has such entries")
        if records:
            path = text(records[b"path"]) if b"path" in records else path
            link = text(records[b"linkpath"]) if b"linkpath" in records else link
        path = path or self._path(header)
        if kind is FileType.FILE and path.endswith("/"):
            kind = FileType.DIRECTORY  # V7 tar has no type for directories.
        if kind in _LINKS:
            link = link or text(header[157:257].split(b"\0", 1)[0])
            link = normalise(link) if kind is FileType.HARDLINK else link
        path = normalise(path)
        if len(path) > self._limits.path_length or len(link) > self._limits.path_length:
            raise self._too_long()
        size = self._number(header[124:136])
        uid, gid = self._number(header[108:116]), self._number(header[116:124])
        if records:
            size, uid, gid = (
                self._decimal(records[key]) if key in records else value
                for key, value in ((b"size", size), (b"uid", uid), (b"gid", gid))
            )
        if kind is not FileType.FILE:
            size = 0
        self._begin(size)
        return Member(path, kind, self._number(header[100:108]) & 0o7777, uid, gid, size, link)

    def _begin(self, size: int) -> None:
        if size < 0:
            raise self._broken("a file's size is negative")
        self.left, self._padding = size, -size % BLOCK

    def _path(self, header: bytes) -> str:
        name = header[:100].split(b"\0", 1)[0]
        if header[345] and header[257:263] == b"ustar\0":
            prefix = header[345:500].split(b"\0", 1)[0]
            found = self._strings.get(prefix)
            if found is None:
                found = self._strings[prefix] = text(prefix)
            return f"{found}/{text(name)}"
        return text(name)

    def _extension(self, header: bytes) -> bytes:
        size = self._number(header[124:136])
        if not 0 <= size <= _MAX_RECORDS:
            raise self._too_long()
        self._begin(size)
        return self.read(size)

    def _records(self, content: bytes) -> dict[bytes, bytes]:
        """Parse `length key=value\\n` records. Extended attributes are not part of the analysis."""
        records = {}
        start = 0
        while start < len(content):
            space = content.find(b" ", start, start + 20)
            end = start + self._decimal(content[start:space]) if space > start else 0
            key, equals, value = content[space + 1 : end - 1].partition(b"=")
            if end <= space + 1 or content[end - 1 : end] != b"\n" or not equals:
                raise self._broken("an extended header is malformed")
            records[key] = value
            start = end
        return records

    def _number(self, field: bytes) -> int:
        """Octal text, or big-endian base 256 where the first bit is set (GNU)."""
        found = self._numbers.get(field)
        if found is not None:
            return found
        try:
            if field[0] & 0x80:
                value = int.from_bytes(field, "big", signed=True) if field[0] == 0xFF else _base256(field)
            else:
                digits = field.split(b"\0", 1)[0].strip()
                value = int(digits, 8) if digits else 0
        except ValueError:
            raise self._broken("a number in a header is malformed") from None
        if len(self._numbers) < 100_000:
            self._numbers[field] = value
        return value

    def _decimal(self, digits: bytes) -> int:
        if not digits.isdigit() or len(digits) > 20:
            raise self._broken("a number in an extended header is malformed")
        return int(digits)

    def _broken(self, why: str) -> ImagegateError:
        return InvalidImage(f"{self._name} is no valid tar", why=why)

    def _too_long(self) -> ImagegateError:
        return LimitExceeded(
            f"{self._name} holds a path of more than {self._limits.path_length} characters",
            hint="Raise limits.path_length if the image is meant to have such paths.",
        )


def _base256(field: bytes) -> int:
    return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
