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
from imagegate.inventory.buckets import State
from imagegate.inventory.model import OF_SERVER, Component, Delta, Known, compare
from imagegate.inventory.rematch import package_of, vulnerability_of
from imagegate.model import Vulnerability

_Asked = Mapping[Component, Mapping[str, Known]]


def late(connection: Connection, promotion: int, state: State, asked: _Asked) -> tuple[Delta, ...]:
    """Return what the inventory knows of a promotion's packages, and the gate did not.

    state: of the advisories that the gate went by, and what they said of each package. What they know better, because
    they are newer, is none. Findings that only they have are not here: the next re-check decides about those.
    """
    by_key = {component.key: known for component, known in asked.items()}
    found: list[Delta] = []
    rows = defaultdict[int, list[Any]](list)
    for row in _known(connection, promotion):
        if not _is_newer(state, row.lineage, row.number):
            rows[row.component].append(row)
    for number, mine in rows.items():
        before = by_key.get(bytes(mine[0].key), {})
        after = {row.vulnerability: msgspec.json.decode(row.facts, type=Known) for row in mine}
        names = {name for each in before.values() for name in (each.id, *each.aliases)}
        for each in compare(number, before.values(), after.values()):
            # Older advisories may know it by another of its names.
            if each.after and (each.before or names.isdisjoint((each.after.id, *each.after.aliases))):
                row = next(row for row in mine if row.vulnerability == each.after.id)
                found.append(msgspec.structs.replace(each, found=_found(connection, row, each.after)))
    return tuple(found)


def _known(connection: Connection, promotion: int) -> Iterator[Any]:
    """The findings of a promotion's packages, with the state of the advisories that they are of."""
    variant, held, member = tables.variant, tables.variant_bucket, tables.bucket_component
    component, finding, state, slot = tables.component, tables.finding, tables.state, tables.slot
    yield from connection.execute(
        select(
            component, finding.c.component, finding.c.vulnerability, finding.c.facts,
            func.coalesce(state.c.lineage, slot.c.lineage).label("lineage"),
            func.coalesce(state.c.number, slot.c.number).label("number"),
        )
        .join(held, held.c.variant == variant.c.id)
        .join(member, member.c.bucket == held.c.bucket)
        .join(finding, finding.c.component == member.c.component)
        .join(component, component.c.id == member.c.component)
        .outerjoin(state, state.c.id == component.c.state)
        .outerjoin(slot, slot.c.slot == component.c.slot)
        .where(variant.c.promotion == promotion)
        .distinct()
    )  # fmt: skip


def _is_newer(state: State, lineage: str | None, number: int | None) -> bool:
    """Whether a gate's advisories are those that the inventory's knowledge is of, or newer ones of the same origin."""
    # A slot's lineage has the program's version behind that of the database.
    known = (lineage or "").partition(" ")[0]
    if known != state[0] and (known.startswith(OF_SERVER) or state[0].startswith(OF_SERVER)):
        return True  # A server and the advisories here never say the same: neither's knowledge is news to the other.
    return known == state[0] and state[1] >= (number or 0)


def _found(connection: Connection, row: Any, known: Known) -> Vulnerability:
    """Return all that the advisories say: as the re-check found it, as far as it is kept, else what is known."""
    delta = tables.delta
    text = connection.execute(
        select(delta.c.found)
        .where(
            delta.c.component == row.component,
            delta.c.vulnerability == row.vulnerability,
            delta.c.found.is_not(None),
        )
        .order_by(delta.c.id.desc())
        .limit(1)
    ).scalar()
    if text:
        return msgspec.json.decode(text, type=Vulnerability)
    return vulnerability_of(package_of(row), known)
