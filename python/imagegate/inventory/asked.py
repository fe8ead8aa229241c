"""The images that count, and when an Anchore server was asked about each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec
from sqlalchemy import Connection, delete, func, select, update

from imagegate.inventory import tables
from imagegate.inventory.buckets import upsert
from imagegate.model import Distro

_CHUNK = 400
LONGEST = 7 * 86400.0
"""Seconds after which an image is asked about whatever events say: one may have been lost, or be gone by now."""
_DECODE_DISTRO = msgspec.json.Decoder(Distro | None)


class LiveImage(msgspec.Struct, frozen=True):
    """An image for one platform that promotions have which count. names: `registry/repo:tag`, may be none.

    shown: its name for messages.
    """

    digest: str
    names: tuple[str, ...]
    shown: str
    distro: Distro | None = None


class Asked(msgspec.Struct, frozen=True):
    """at: when its answer was asked for. heard: until when events were heeded. Both in seconds since the epoch."""

    at: float
    heard: float

    def is_old(self, now: float) -> bool:
        """Whether no events can tell any more that nothing changed."""
        return now - self.at > LONGEST or now - self.heard > LONGEST


def live(connection: Connection) -> dict[str, LiveImage]:
    """Return the images that count, by digest."""
    tags: dict[int, list[str]] = defaultdict(list)
    for number, name in connection.execute(select(tables.tag.c.promotion, tables.tag.c.name)):
        tags[number].append(name)
    variant, promotion = tables.variant, tables.promotion
    rows = connection.execute(
        select(variant.c.digest, variant.c.distro, promotion.c.id, promotion.c.repository)
        .join(promotion, promotion.c.id == variant.c.promotion)
        .where(promotion.c.retired_at.is_(None))
        .order_by(variant.c.digest, promotion.c.id)
    )
    names: dict[str, list[str]] = defaultdict(list)
    places: dict[str, tuple[str, Distro | None]] = {}
    for digest, distro, number, repository in rows:
        names[digest] += (f"{repository}:{tag}" for tag in sorted(tags[number]))
        places.setdefault(digest, (repository, _DECODE_DISTRO.decode(distro)))
    return {
        digest: LiveImage(
            digest, tuple(names[digest]), names[digest][0] if names[digest] else f"{repository}@{digest}", distro
        )
        for digest, (repository, distro) in places.items()
    }


def asked(connection: Connection, server: str) -> dict[str, Asked]:
    """Return when a server was asked about which images.

    What was asked before the advisory database was last gone by is forgotten: the findings are no longer the server's.
    """
    table = tables.asked
    matched = connection.execute(select(func.max(tables.slot.c.at))).scalar() or 0.0
    rows = connection.execute(
        select(table.c.digest, table.c.at, table.c.heard).where(table.c.server == server, table.c.at > matched)
    )
    return {digest: Asked(at, heard) for digest, at, heard in rows}


def note(connection: Connection, server: str, answers: Mapping[str, float]) -> None:
    """Note when images' answers were asked for. A later time that is there stays."""
    table = tables.asked
    rows = [{"server": server, "digest": digest, "at": at, "heard": at} for digest, at in sorted(answers.items())]
    if rows:
        statement = upsert(connection, table)
        fresh = {name: statement.excluded[name] for name in ("at", "heard")}
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["server", "digest"], set_=fresh, where=table.c.at <= statement.excluded.at
            ),
            rows,
        )


def heed(connection: Connection, server: str, digests: Iterable[str], until: float) -> None:
    """Note that events say until then that nothing about these images changed."""
    table = tables.asked
    for chunk in _chunks(sorted(digests)):
        mine = (table.c.server == server) & table.c.digest.in_(chunk) & (table.c.heard < until)
        connection.execute(update(table).where(mine).values(heard=until))


def forget(connection: Connection) -> None:
    """Drop what is noted of images that no promotion has any more."""
    connection.execute(delete(tables.asked).where(tables.asked.c.digest.not_in(select(tables.variant.c.digest))))


def _chunks(values: Collection[str]) -> Iterator[list[str]]:
    listed = list(values)
    for start in range(0, len(listed), _CHUNK):
        yield listed[start : start + _CHUNK]
