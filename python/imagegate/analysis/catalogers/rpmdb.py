"""The packages' headers in rpm's two present databases: SQLite, and SUSE's NDB.

(rpm sources, `lib/backend/sqlite.c` and `lib/backend/ndb/rpmpkg.c`.) Berkeley DB, which rpm left in 4.16, is syft's.
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct
import zlib
from collections.abc import Iterator

from imagegate.analysis.catalogers.cataloger import Unreadable

_SQLITE = b"SQLite format 3\0"
_JOURNAL_MODE = slice(18, 20)
"""Where the database says that it has a write-ahead log. (SQLite, "Database File Format", 1.3.3.)"""

_NDB = b"RpmP"
_NDB_HEADER = struct.Struct("<4sIII16x")
_SLOT = struct.Struct("<4sIII")
_BLOB = struct.Struct("<4sIII")
_TAIL = struct.Struct("<II4s")
_PAGE = 4096
_BLOCK = 16


def headers(content: bytes) -> Iterator[bytes]:
    """Yield every package's header. Raises Unreadable for what is damaged, or no such database."""
    read = _sqlite if content.startswith(_SQLITE) else _ndb if content.startswith(_NDB) else None
    if read is None:
        raise Unreadable("it is cut, or no database of rpm")
    total = 0
    for header in read(content):
        # In a whole database, no header lies on another. One that was made to have them do would cost time and memory.
        total += len(header)
        if total > len(content):
            raise Unreadable("its packages are larger than itself")
        yield header


def _sqlite(content: bytes) -> Iterator[bytes]:
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        if not hasattr(database, "deserialize"):
            raise Unreadable("the SQLite of this Python opens no database in memory")
        raw = bytearray(content)
        raw[_JOURNAL_MODE] = b"\1\1"  # rpm leaves its log empty, and a database in memory can have none.
        try:
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, len(content))
            database.deserialize(raw)
            database.set_authorizer(_reads_packages)
            for (header,) in database.execute("SELECT blob FROM Packages"):
                if not isinstance(header, bytes):
                    raise Unreadable("the header of a package is none")
                yield header
        except sqlite3.Error as error:
            raise Unreadable(f"SQLite says: {error}") from error


def _reads_packages(action: int, table: str | None, *_: str | None) -> int:
    """Let a query do nothing but read the table: a database could have a view of its name that never ends."""
    if action == sqlite3.SQLITE_SELECT or (action == sqlite3.SQLITE_READ and table == "Packages"):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _ndb(content: bytes) -> Iterator[bytes]:
    try:
        _, version, _, pages = _NDB_HEADER.unpack_from(content)
        if version or not 0 < pages <= len(content) // _PAGE:
            raise Unreadable("it is cut, or of an unknown version of NDB")
        for start in range(_NDB_HEADER.size, pages * _PAGE, _SLOT.size):
            magic, package, block, blocks = _SLOT.unpack_from(content, start)
            if magic != b"Slot":
                raise Unreadable("its list of packages is damaged")
            if package:
                yield _blob(content, package, block * _BLOCK, blocks * _BLOCK)
    except struct.error as error:
        raise Unreadable("it is cut") from error


def _blob(content: bytes, package: int, start: int, size: int) -> bytes:
    magic, owner, _, length = _BLOB.unpack_from(content, start)
    body = start + _BLOB.size
    end = start + size - _TAIL.size
    checksum, repeated, closing = _TAIL.unpack_from(content, end) if end >= body + length else (0, 0, b"")
    whole = (magic, owner, closing, repeated) == (b"BlbS", package, b"BlbE", length)
    if not whole or zlib.adler32(memoryview(content)[start:end]) != checksum:
        raise Unreadable("the header of a package is damaged")
    return content[body : body + length]
