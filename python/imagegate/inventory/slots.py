"""Slots as locks: who writes findings of a slot's components has it alone, who promotes images with them shares it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from imagegate.inventory import tables
from imagegate.inventory.buckets import components_of, upsert


def share(connection: Connection, promotion: int) -> None:
    """Keep re-checks from the slots of a promotion's components until the end of the transaction.

    What a re-check finds meanwhile is told of the images that it sees, and it does not see this one yet.
    """
    if connection.dialect.name != "postgresql":
        return  # A writer of SQLite is alone.
    component, slot = tables.component, tables.slot
    mine = select(component.c.slot).where(component.c.id.in_(components_of([promotion])))
    query = select(slot.c.slot).where(slot.c.slot.in_(mine)).order_by(slot.c.slot)
    connection.execute(query.with_for_update(read=True)).all()


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
