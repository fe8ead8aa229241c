"""From changes of components to the images that they hit, whose they are, and what clears them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from imagegate.inventory import tables
from imagegate.inventory.model import Known
from imagegate.inventory.placed import Placed, Where
from imagegate.inventory.rematch import package_of
from imagegate.inventory.verdicts import Verdicts
from imagegate.model import Vulnerability
from imagegate.model.news import Change, Hit, HitImage, Kind
from imagegate.vulnerability.ecosystems import of_language


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


def judged(images: Iterable[Placed], verdicts: Verdicts) -> Iterator[HitImage]:
    """Yield the images with what their policies make of each hit."""
    shared: dict[tuple[object, ...], tuple[Hit, ...]] = {}
    hits: dict[tuple[object, ...], dict[int, Hit]] = defaultdict(dict)
    for image in images:
        kind = verdicts.kind(image.subject)
        key = (kind, image.hits)
        if key not in shared:
            mine = hits[kind]
            for each in image.hits:
                if each not in mine:
                    place, inherited = each >> 1, bool(each & 1)
                    mine[each] = Hit(place, inherited, *verdicts.answer(image.subject, place, inherited))
            shared[key] = tuple([mine[each] for each in image.hits])
        subject = image.subject
        yield HitImage(subject.repository, subject.digest, subject.tags, image.team, image.base, shared[key])


def policies(connection: Connection) -> dict[str, str]:
    """Return the recorded documents by their keys."""
    rows = connection.execute(select(tables.policy.c.hash, tables.policy.c.document))
    return {row.hash: row.document for row in rows}
