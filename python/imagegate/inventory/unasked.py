"""Packages that came in without anybody having asked the advisories about them."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from imagegate.inventory import tables
from imagegate.inventory.buckets import NEVER, Advised, add, components_of, finding_row, state_number


def fill_in(connection: Connection, promotion: int, advised: Advised) -> None:
    """Write what a promotion's gate learnt of those of its packages that nobody had asked about before.

    Else the next re-check takes for known what was published since.
    """
    component, state = tables.component, tables.state
    never = select(state.c.id).where(state.c.lineage == NEVER[0], state.c.number == NEVER[1]).scalar_subquery()
    mine = (component.c.state == never) & component.c.id.in_(components_of([promotion]))
    rows = connection.execute(select(component.c.id, component.c.key).where(mine))
    numbers = {bytes(key): number for number, key in rows}
    if not numbers:
        return
    findings = [
        finding_row(numbers[key], known, advised.at)
        for each, learnt in advised.known.items()
        if (key := each.key) in numbers
        for known in learnt.values()
    ]
    add(connection, tables.finding, findings)
    connection.execute(update(component).where(mine).values(state=state_number(connection, advised.state)))
