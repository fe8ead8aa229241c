"""The whole inventory as one document of JSON lines: table by table, a row a line. docs/inventory.md describes it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, LargeBinary, Table, select

from imagegate.inventory.tables import METADATA

SCHEMA = "imagegate/inventory/1"


class Head(msgspec.Struct, frozen=True):
    """The first line. revision: of the tables, which only an imagegate that has the same can take in."""

    schema: str
    revision: str
    exported_at: datetime


class Foot(msgspec.Struct, frozen=True):
    """The last line: how many rows each table has. A document without it was cut."""

    rows: dict[str, int]


def lines(connection: Connection, revision: str, now: datetime) -> Iterator[bytes]:
    """Yield the document's lines."""
    encoder = msgspec.json.Encoder()
    yield encoder.encode(Head(SCHEMA, revision, now)) + b"\n"
    rows: dict[str, int] = {}
    for table in METADATA.sorted_tables:
        name, names, number = str(table.name), [str(column.name) for column in table.columns], 0
        query = select(table).order_by(*table.primary_key.columns)
        for row in connection.execution_options(yield_per=2000).execute(query):
            number += 1
            yield encoder.encode((name, dict(zip(names, row, strict=True)))) + b"\n"
        rows[name] = number
    yield encoder.encode(Foot(rows)) + b"\n"


def binary(table: Table) -> tuple[str, ...]:
    """Return the columns of a table that a line has as base64."""
    return tuple(column.name for column in table.columns if isinstance(column.type, LargeBinary))


def columns(table: Table) -> frozenset[str]:
    """Return the names of a row's values."""
    return frozenset(column.name for column in table.columns)


Row = dict[str, Any]
