"""Reading what re-checks have found to be different."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from imagegate.inventory import tables
from imagegate.inventory.model import Known
from imagegate.inventory.rematch import package_of
from imagegate.model import Vulnerability
from imagegate.model.news import Change, Kind
from imagegate.vulnerability.ecosystems import of_language

Where = ColumnElement[bool]
"""Which rows of the table `delta`."""


class Changed(msgspec.Struct, frozen=True):
    """Changes, in order, with the rows of `delta` that they are, the components, and all that is known of each.

    promotions: of whose image alone a change is news, None: of all that have the component.
    """

    numbers: tuple[int, ...]
    components: tuple[int, ...]
    promotions: tuple[int | None, ...]
    changes: tuple[Change, ...]
    found: tuple[Vulnerability | None, ...]


def changed(connection: Connection, where: Where) -> Changed:
    """Read changes."""
    delta, component = tables.delta, tables.component
    rows = connection.execute(
        select(
            delta.c.id, delta.c.at, delta.c.kind, delta.c.before, delta.c.after, delta.c.found, delta.c.component,
            delta.c.promotion,
            component.c.name, component.c.version, component.c.type, component.c.release, component.c.source,
            component.c.source_version, component.c.purl,
        )
        .join(component, component.c.id == delta.c.component)
        .where(where)
        .order_by(delta.c.id)
    ).all()  # fmt: skip
    return Changed(
        tuple(row.id for row in rows),
        tuple(row.component for row in rows),
        tuple(row.promotion for row in rows),
        tuple(_change(row) for row in rows),
        tuple(msgspec.json.decode(row.found, type=Vulnerability) if row.found else None for row in rows),
    )


def _change(row: Any) -> Change:
    before, after = (msgspec.json.decode(text, type=Known) if text else None for text in (row.before, row.after))
    known = after or before
    assert known
    return Change(
        at=row.at,
        kind=Kind(row.kind),
        vulnerability=known.id,
        severity=known.severity,
        package=row.name,
        version=row.version,
        type=row.type,
        release=row.release,
        source=row.source,
        fix=known.fix,
        before=before.severity if before else None,
        exploited=known.exploited,
        aliases=known.aliases,
        url=known.url,
        ecosystem=row.release or of_language(package_of(row)),
    )
