"""Packages that came in without anybody having asked the advisories, and that a gate has asked about since."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from imagegate.inventory import tables
from imagegate.inventory.buckets import Advised, State, add, finding_row, state_number


def judge(connection: Connection, promotion: int, advised: Advised, never: State) -> None:
    """Write what a promotion's gate knew of those of its packages that nobody had asked about.

    Else the next re-check takes what it finds for known, also what was published since. never: their state.
    """
    component, state = tables.component, tables.state
    variant, held, member = tables.variant, tables.variant_bucket, tables.bucket_component
    unknown = connection.execute(
        select(state.c.id).where(state.c.lineage == never[0], state.c.number == never[1])
    ).scalar()
    if unknown is None:
        return
    rows = connection.execute(
        select(component.c.id, component.c.key)
        .join(member, member.c.component == component.c.id)
        .join(held, held.c.bucket == member.c.bucket)
        .join(variant, variant.c.id == held.c.variant)
        .where(variant.c.promotion == promotion, component.c.state == unknown)
        .distinct()
    ).all()
    numbers = {bytes(key): number for number, key in rows}
    if not numbers:
        return
    by_key = {each.key: known for each, known in advised.known.items()}
    add(
        connection,
        tables.finding,
        [
            finding_row(number, known, advised.at)
            for key, number in numbers.items()
            for known in by_key.get(key, {}).values()
        ],
    )
    mine = state_number(connection, advised.state)
    for number in numbers.values():
        connection.execute(update(component).where(component.c.id == number).values(state=mine))
