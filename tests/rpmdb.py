"""Writes rpm's databases: headers as rpm exports them, and what SQLite and NDB have around them."""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

Value = int | str | list[str] | list[int]

_BLOCK, _PAGE = 16, 4096


def header(values: dict[int, Value]) -> bytes:
    """The header of a package by tag, after the region that rpm begins each with. (rpm, `headerExport`.)"""
    index, data = struct.pack(">IIiI", 63, 7, 0, 16), bytes(16)
    for tag, value in values.items():
        kind, raw = _encoded(value)
        data += bytes(-len(data) % 4) if kind == 4 else b""
        index += struct.pack(">IIII", tag, kind, len(data), len(value) if isinstance(value, list) else 1)
        data += raw
    return struct.pack(">II", len(index) // 16, len(data)) + index + data


def _encoded(value: Value) -> tuple[int, bytes]:
    match value:
        case int():
            return 4, struct.pack(">I", value)
        case str():
            return 6, value.encode() + b"\0"
    if all(isinstance(each, int) for each in value):
        return 4, struct.pack(f">{len(value)}I", *value)
    return 8, b"".join(str(each).encode() + b"\0" for each in value)


def write_sqlite(place: Path, headers: Sequence[bytes | str], create: str = "") -> bytes:
    """A database as rpm makes one. create: the statement that makes `Packages`, where it is to be another."""
    path = place / "rpmdb.sqlite"
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(create or "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
    database.executemany("INSERT INTO Packages (blob) VALUES (?)", [(each,) for each in headers])
    database.commit()
    database.close()
    return path.read_bytes()


def ndb(headers: Sequence[bytes]) -> bytes:
    """A database of one page of slots. (rpm, `lib/backend/ndb/rpmpkg.c`.)"""
    slots, blobs = b"", b""
    for number, each in enumerate(headers, 1):
        size = 16 + len(each) + 12
        blocks = -(-size // _BLOCK)
        slots += struct.pack("<4sIII", b"Slot", number, (_PAGE + len(blobs)) // _BLOCK, blocks)
        blob = struct.pack("<4sIII", b"BlbS", number, 1, len(each)) + each + bytes(blocks * _BLOCK - size)
        blobs += blob + struct.pack("<II4s", zlib.adler32(blob), len(each), b"BlbE")
    free = struct.pack("<4sIII", b"Slot", 0, 0, 0) * ((_PAGE - 32 - len(slots)) // 16)
    return struct.pack("<4sIII16x", b"RpmP", 0, 1, 1) + slots + free + blobs
