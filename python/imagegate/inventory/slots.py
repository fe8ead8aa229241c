"""Keeping other re-checks away: who writes findings of a slot's components holds the slot."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from imagegate.inventory import tables
from imagegate.inventory.buckets import upsert


def lock(connection: Connection, slots: Sequence[int]) -> dict[int, tuple[str, int]]:
    """Keep other runs from these slots until the end of the transaction, and return their states."""
    table = tables.slot
    held = {"lineage": "", "number": 0, "at": 0.0}
    connection.execute(upsert(connection, table).on_conflict_do_nothing(), [{"slot": each, **held} for each in slots])
    rows = connection.execute(
        select(table.c.slot, table.c.lineage, table.c.number)
        .where(table.c.slot.in_(slots))
        .order_by(table.c.slot)
        .with_for_update()
    )
    return {slot: (lineage, number) for slot, lineage, number in rows}
