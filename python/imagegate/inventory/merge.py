"""An exported inventory beside one that has promotions already: its rows get numbers of their own here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, Table, select, tuple_

from imagegate.inventory import tables
from imagegate.inventory.buckets import upsert
from imagegate.inventory.export import Row

_CHUNK = 400
_NATURAL: Mapping[str, tuple[str, ...]] = {
    "promotion": ("repository", "digest"),
    "bucket": ("key",),
    "state": ("lineage", "number"),
    "component": ("key",),
    "file": ("key",),
}
"""What rows that have a number are known by, in any inventory."""
_REFERENCES: Mapping[str, Mapping[str, str]] = {
    "tag": {"promotion": "promotion"},
    "variant": {"promotion": "promotion"},
    "variant_bucket": {"bucket": "bucket", "variant": "variant"},
    "component": {"state": "state"},
    "bucket_component": {"component": "component", "bucket": "bucket"},
    "bucket_file": {"file": "file", "bucket": "bucket"},
    "subject": {"component": "component"},
    "finding": {"component": "component"},
}
_ONLY_NEW: Mapping[str, tuple[str, str]] = {
    "variant": ("promotion", "promotion"),
    "variant_bucket": ("variant", "variant"),
    "subject": ("component", "component"),
    "finding": ("component", "component"),
}
"""Rows that are of one that was there already stay away: of a promotion, or a package, what is here counts."""
_ORDER = (
    "policy",
    "promotion",
    "tag",
    "variant",
    "bucket",
    "variant_bucket",
    "state",
    "component",
    "bucket_component",
    "file",
    "bucket_file",
    "subject",
    "finding",
)


class Merge:
    """Rows of an export are collected, and written when the last has come. News and notices do not come along."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: dict[str, list[Row]] = defaultdict(list)
        self._here: dict[str, dict[int, int]] = defaultdict(dict)
        """Table to number there to number here."""
        self._new: dict[str, set[int]] = defaultdict(set)
        """Table to numbers there of what is new here."""

    def take(self, table: Table, rows: Iterator[Row]) -> None:
        """Keep a table's rows until `finish`."""
        if table.name in _ORDER or table.name == "slot":
            self._rows[table.name] += rows
        else:
            for _ in rows:
                pass

    def finish(self) -> int:
        """Write everything, and return how many promotions came in."""
        self._state_by_component()
        for name in _ORDER:
            self._write(tables.METADATA.tables[name])
        return len(self._new["promotion"])

    def _state_by_component(self) -> None:
        """Slots here are of other states: a package says itself which one its findings are of."""
        states = {(row["lineage"], row["number"]): row["id"] for row in self._rows["state"]}
        of_slot: dict[int, int] = {}
        for row in self._rows["slot"]:
            known = (row["lineage"], row["number"])
            if known not in states:
                states[known] = max(states.values(), default=0) + 1
                self._rows["state"].append({"id": states[known], "lineage": known[0], "number": known[1]})
            of_slot[row["slot"]] = states[known]
        for row in self._rows["component"]:
            if row["state"] is None:
                row["state"] = of_slot[row["slot"]]

    def _write(self, table: Table) -> None:
        name = table.name
        rows = [self._moved(name, row) for row in self._rows[name] if self._is_wanted(name, row)]
        there = [row.pop("id") for row in rows] if "id" in table.c else []
        if name == "variant":
            self._number(rows, there)
            return
        keys = _NATURAL.get(name, ())
        known = self._known(table, keys, rows) if keys else {}
        for start in range(0, len(rows), _CHUNK):
            self._connection.execute(
                upsert(self._connection, table).on_conflict_do_nothing(), rows[start : start + _CHUNK]
            )
        if keys:
            after = self._known(table, keys, rows)
            for number, row in zip(there, rows, strict=True):
                natural = tuple(row[key] for key in keys)
                self._here[name][number] = after[natural]
                if natural not in known:
                    self._new[name].add(number)

    def _number(self, rows: Sequence[Row], there: Sequence[int]) -> None:
        for number, row in zip(there, rows, strict=True):
            statement = tables.variant.insert().values(row).returning(tables.variant.c.id)
            self._here["variant"][number] = self._connection.execute(statement).scalar_one()
            self._new["variant"].add(number)

    def _is_wanted(self, name: str, row: Row) -> bool:
        column, table = _ONLY_NEW.get(name, ("", ""))
        return not column or row[column] in self._new[table]

    def _moved(self, name: str, row: Row) -> Row:
        """Return a row with the numbers that what it refers to has here."""
        references = _REFERENCES.get(name, {})
        return {
            column: self._here[references[column]][value] if column in references and value is not None else value
            for column, value in row.items()
        }

    def _known(self, table: Table, keys: Sequence[str], rows: Sequence[Row]) -> dict[tuple[object, ...], int]:
        columns = [table.c[key] for key in keys]
        found: dict[tuple[object, ...], int] = {}
        for start in range(0, len(rows), _CHUNK):
            wanted = [tuple(row[key] for key in keys) for row in rows[start : start + _CHUNK]]
            query = select(table.c.id, *columns).where(tuple_(*columns).in_(wanted))
            for number, *natural in self._connection.execute(query):
                found[tuple(bytes(each) if isinstance(each, memoryview) else each for each in natural)] = number
        return found
