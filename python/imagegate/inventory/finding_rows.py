"""The table `finding`: what is known of components before a run, and what is different after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, select

from imagegate.inventory import tables
from imagegate.inventory.buckets import finding_row
from imagegate.inventory.model import Known

_CHUNK = 400
Before = dict[str, tuple[Known, float]]
"""What is known of a component, by id, each since when."""


class Rows:
    """Changes of the table `finding`, written together."""

    def __init__(self) -> None:
        self._gone: list[dict[str, Any]] = []
        self._fresh: list[dict[str, Any]] = []
        self.components: set[int] = set()

    def change(self, number: int, before: Before, after: Mapping[str, Known], now: float) -> None:
        """Have a component's rows say what is known after, in place of what was before."""
        for name, (old, since) in before.items():
            if after.get(name) != old:
                self._gone.append({"v": name, "c": number})
                if name in after:
                    self._fresh.append(finding_row(number, after[name], since))
        self._fresh += (finding_row(number, each, now) for name, each in after.items() if name not in before)
        if after != {name: old for name, (old, _) in before.items()}:
            self.components.add(number)

    def write(self, connection: Connection) -> None:
        finding = tables.finding
        if self._gone:
            lost = (finding.c.vulnerability == bindparam("v")) & (finding.c.component == bindparam("c"))
            connection.execute(delete(finding).where(lost), self._gone)
        if self._fresh:
            connection.execute(finding.insert(), self._fresh)


def before(connection: Connection, numbers: Sequence[int]) -> dict[int, Before]:
    """Return what is known of components."""
    finding = tables.finding
    found: dict[int, Before] = {number: {} for number in numbers}
    for chunk in chunks(numbers):
        for number, facts, since in connection.execute(
            select(finding.c.component, finding.c.facts, finding.c.since).where(finding.c.component.in_(chunk))
        ):
            known = msgspec.json.decode(facts, type=Known)
            found[number][known.id] = known, since
    return found


def lineages(connection: Connection, numbers: Sequence[int]) -> dict[int, str]:
    """Return whose findings components have, where that is not their slot's."""
    component, state = tables.component, tables.state
    found: dict[int, str] = {}
    for chunk in chunks(numbers):
        rows = select(component.c.id, state.c.lineage).join(state, state.c.id == component.c.state)
        found.update((number, lineage) for number, lineage in connection.execute(rows.where(component.c.id.in_(chunk))))
    return found


def chunks(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield numbers, as many at once as one `IN` takes."""
    for start in range(0, len(numbers), _CHUNK):
        yield numbers[start : start + _CHUNK]
