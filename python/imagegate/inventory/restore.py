"""Taking in what `export` wrote: into an empty inventory as it was, into another one beside what is there."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, Table, func, select

from imagegate.errors import InventoryError
from imagegate.inventory import tables
from imagegate.inventory.export import SCHEMA, Foot, Head, Row, binary, columns
from imagegate.inventory.hold import ALONE
from imagegate.inventory.merge import Merge
from imagegate.inventory.store import Inventory
from imagegate.inventory.tables import METADATA

_Value = TypeVar("_Value")
_CHUNK = 1000
_HINT = "Export it again, by the same version of imagegate."


class Restored(msgspec.Struct, frozen=True):
    """How many promotions came in, and how many were there."""

    came: int
    known: int


def restore(inventory: Inventory, document: Iterable[bytes], shown: str) -> Restored:
    """Take in a document, in one transaction: all of it or nothing.

    Into an empty inventory it comes as it was. Beside others, promotions that are there stay as they are, and the
    findings of packages that are new here are of the advisories' state that they were of there.
    shown: the document's name. Raises InventoryError for what is no such document, or is damaged.
    """
    reader = _Reader(document, shown, inventory.revision)
    with inventory.transaction() as connection:
        ALONE.take(connection)
        if _is_empty(connection):
            _copy(connection, reader)
            came = reader.rows["promotion"]
        else:
            merge = Merge(connection)
            for table, rows in reader.tables():
                merge.take(table, rows)
            came = merge.finish()
        reader.finish()
    return Restored(came, reader.rows["promotion"] - came)


def _is_empty(connection: Connection) -> bool:
    return connection.execute(select(tables.promotion.c.id).limit(1)).first() is None


def _copy(connection: Connection, reader: _Reader) -> None:
    for table in reversed(METADATA.sorted_tables):  # slots and states may be there, where a re-check found no package
        connection.execute(table.delete())
    for table, rows in reader.tables():
        while chunk := list(islice(rows, _CHUNK)):
            connection.execute(table.insert(), chunk)
    if connection.dialect.name == "postgresql":
        _go_on_counting(connection)


def _go_on_counting(connection: Connection) -> None:
    """Rows that came with their numbers have not moved PostgreSQL's sequences."""
    for table in METADATA.sorted_tables:
        if "id" not in table.c:
            continue
        last = connection.execute(select(func.max(table.c.id))).scalar()
        if last:
            sequence = func.pg_get_serial_sequence(table.name, "id")
            connection.execute(select(func.setval(sequence, last)))


class _Reader:
    """The document, checked line by line."""

    def __init__(self, document: Iterable[bytes], shown: str, revision: str) -> None:
        self._lines, self._shown = iter(document), shown
        self._foot: Foot | None = None
        self.rows = dict.fromkeys(METADATA.tables, 0)
        head = self._decode(next(self._lines, b""), Head)
        if head.schema != SCHEMA:
            raise InventoryError(f"{shown} is no export of an inventory", why=f"its schema is {head.schema[:60]!r}")
        if head.revision != revision:
            raise InventoryError(
                f"{shown} is of another imagegate",
                why=f"its tables are of revision {head.revision[:20]}, those here of {revision}",
                hint="Export and import with the same version, and let the newer one migrate the inventory.",
            )

    def tables(self) -> Iterator[tuple[Table, Iterator[Row]]]:
        """Yield tables with their rows, in the order that they refer to each other in."""
        for name, rows in groupby(self._rows(), key=lambda each: each[0]):
            if name not in METADATA.tables:
                raise InventoryError(f"{self._shown} has a table {name[:40]!r} that there is not", hint=_HINT)
            table = METADATA.tables[name]
            encoded, expected = binary(table), columns(table)
            yield table, (self._checked(row, encoded, expected, name) for _, row in rows)

    def finish(self) -> None:
        """Raise InventoryError unless all rows came."""
        if self._foot is None or self._foot.rows != self.rows:
            raise InventoryError(f"{self._shown} is not whole", why="it does not have as many rows as were written")

    def _rows(self) -> Iterator[tuple[str, Row]]:
        for line in self._lines:
            if line.startswith(b"{"):
                self._foot = self._decode(line, Foot)
                return
            yield self._decode(line, tuple[str, Row])

    def _checked(self, row: Row, encoded: tuple[str, ...], expected: frozenset[str], name: str) -> Row:
        if row.keys() != expected:
            raise InventoryError(f"{self._shown}: a row of {name} has other columns", hint=_HINT)
        self.rows[name] += 1
        try:
            for column in encoded:
                row[column] = base64.b64decode(row[column], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise InventoryError(f"{self._shown}: a row of {name} is damaged", hint=_HINT) from error
        return row

    def _decode(self, line: bytes, kind: type[_Value]) -> _Value:
        try:
            return msgspec.json.decode(line, type=kind)
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
            raise InventoryError(f"{self._shown} is no export of an inventory, or damaged", why=str(error)) from error
