"""What policies make of the images that changes hit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, select

from imagegate.inventory import tables
from imagegate.inventory.placed import Placed
from imagegate.inventory.verdicts import Verdicts
from imagegate.model.news import Hit, HitImage


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
                    mine[each] = verdicts.hit(image.subject, each)
            shared[key] = tuple([mine[each] for each in image.hits])
        subject = image.subject
        yield HitImage(subject.repository, subject.digest, subject.tags, image.team, image.base, shared[key])


def policies(connection: Connection) -> dict[str, str]:
    """Return the recorded documents by their keys."""
    rows = connection.execute(select(tables.policy.c.hash, tables.policy.c.document))
    return {row.hash: row.document for row in rows}
