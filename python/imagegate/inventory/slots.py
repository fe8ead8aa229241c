"""Keeping other re-checks away: who writes findings of a slot's components holds the slot."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from imagegate.inventory import tables
from imagegate.inventory.buckets import upsert


def hold(connection: Connection, promotion: int) -> None:
    """Keep re-checks from the slots of a promotion's components until the end of the transaction.

    What a re-check finds meanwhile is told of the images that it sees, and it does not see this one yet.
    """
    variant, held, member = tables.variant, tables.variant_bucket, tables.bucket_component
    component, slot = tables.component, tables.slot
    mine = (
        select(component.c.slot)
        .join(member, member.c.component == component.c.id)
        .join(held, held.c.bucket == member.c.bucket)
        .join(variant, variant.c.id == held.c.variant)
        .where(variant.c.promotion == promotion)
        .distinct()
    )
    if connection.dialect.name == "postgresql":  # In SQLite a writer is alone.
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
