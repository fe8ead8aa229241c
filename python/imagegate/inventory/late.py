"""What is known of a promoted image that its gate did not know: its advisories were older than those of the re-check.

The re-check has told of it already, of other images with the same packages, and will not tell again. So it is news of
this one promotion, found when that is recorded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from imagegate.inventory import tables
from imagegate.inventory.buckets import State, components_of
from imagegate.inventory.model import OF_SERVER, Component, Delta, Known, compare
from imagegate.inventory.rematch import package_of, vulnerability_of
from imagegate.model import Vulnerability

_Asked = Mapping[Component, Mapping[str, Known]]


def late(connection: Connection, promotion: int, state: State, asked: _Asked) -> tuple[Delta, ...]:
    """Return what the inventory knows of a promotion's packages, and the gate did not.

    state: of the advisories that the gate went by, and what they said of each package. What they know better, because
    they are later, is none; what they do not know is, for of two copies the one with the greater number need not know
    more. Findings that only they have are not here: the next re-check decides about those.
    """
    by_key = {component.key: known for component, known in asked.items()}
    found: list[Delta] = []
    rows = defaultdict[int, list[Any]](list)
    for row in _known(connection, promotion):
        if not _says_the_same(state, row.lineage, row.number):
            rows[row.id].append(row)
    for number, mine in rows.items():
        is_later = _is_of(state, mine[0].lineage) and state[1] > mine[0].number
        before = by_key.get(bytes(mine[0].key), {})
        after = {row.vulnerability: msgspec.json.decode(row.facts, type=Known) for row in mine}
        names = {name for each in before.values() for name in (each.id, *each.aliases)}
        for each in compare(number, before.values(), after.values()):
            # Other advisories may know it by another of its names; later ones know better what they both know.
            is_unknown = each.before is None and each.after and names.isdisjoint((each.after.id, *each.after.aliases))
            if each.after and (is_unknown or (each.before and not is_later)):
                row = next(row for row in mine if row.vulnerability == each.after.id)
                found.append(msgspec.structs.replace(each, found=_found(connection, row, each.after)))
    return tuple(found)


def _known(connection: Connection, promotion: int) -> Iterator[Any]:
    """The findings of a promotion's packages, with the state of the advisories that they are of."""
    component, finding, state, slot = tables.component, tables.finding, tables.state, tables.slot
    yield from connection.execute(
        select(
            component, finding.c.vulnerability, finding.c.facts,
            func.coalesce(state.c.lineage, slot.c.lineage, "").label("lineage"),
            func.coalesce(state.c.number, slot.c.number, 0).label("number"),
        )
        .join(finding, finding.c.component == component.c.id)
        .outerjoin(state, state.c.id == component.c.state)
        .outerjoin(slot, slot.c.slot == component.c.slot)
        .where(component.c.id.in_(components_of([promotion])))
    )  # fmt: skip


def _is_of(state: State, lineage: str) -> bool:
    """Whether a gate's advisories are of the origin that the inventory's knowledge is of."""
    # A slot's lineage has more behind that of the database.
    return lineage.partition(" ")[0] == state[0]


def _says_the_same(state: State, lineage: str, number: int) -> bool:
    """Whether nothing that the inventory knows can be news to a gate: it went by the same, or by another scanner.

    A server and the advisories here never say the same of everything.
    """
    if _is_of(state, lineage):
        return state[1] == number
    return lineage.startswith(OF_SERVER) or state[0].startswith(OF_SERVER)


def _found(connection: Connection, row: Any, known: Known) -> Vulnerability:
    """Return all that the advisories say: as the re-check found it, as far as it is kept, else what is known."""
    delta = tables.delta
    text = connection.execute(
        select(delta.c.found)
        .where(
            delta.c.component == row.id,
            delta.c.vulnerability == row.vulnerability,
            delta.c.found.is_not(None),
        )
        .order_by(delta.c.id.desc())
        .limit(1)
    ).scalar()
    if text:
        return msgspec.json.decode(text, type=Vulnerability)
    return vulnerability_of(package_of(row), known)
