"""Which packages there are advisories of at all: of others, silence says nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from sqlalchemy import Connection, Select, select

from imagegate.inventory import tables
from imagegate.inventory.buckets import components_of


def ecosystems(connection: Connection) -> Iterator[str]:
    """Yield the ecosystems that packages are of, each by one look into the index."""
    subject = tables.subject
    query = select(subject.c.ecosystem).order_by(subject.c.ecosystem).limit(1)
    name = connection.execute(query).scalar()
    while name is not None:
        yield name
        name = connection.execute(query.where(subject.c.ecosystem > name)).scalar()


def uncovered(connection: Connection, feeds: Collection[str]) -> tuple[str, ...]:
    """Return the ecosystems that packages are of, and no feed is."""
    return tuple(name for name in ecosystems(connection) if name not in feeds)


def lacking(connection: Connection, known: Iterable[str]) -> tuple[str, ...]:
    """Return the ecosystems that images have packages of and that are not among the known, which have advisories."""
    subject, member, held = tables.subject, tables.bucket_component, tables.variant_bucket
    variant, promotion = tables.variant, tables.promotion

    def is_held(name: str) -> bool:
        live = (
            select(subject.c.component)
            .join(member, member.c.component == subject.c.component)
            .join(held, held.c.bucket == member.c.bucket)
            .join(variant, variant.c.id == held.c.variant)
            .join(promotion, promotion.c.id == variant.c.promotion)
            .where(subject.c.ecosystem == name, subject.c.position == 0, promotion.c.retired_at.is_(None))
            .limit(1)
        )
        return connection.execute(live).first() is not None

    return tuple(name for name in uncovered(connection, set(known)) if is_held(name))


def lacking_in(connection: Connection, promotions: Sequence[int], known: Iterable[str]) -> tuple[str, ...]:
    """Return what `lacking` does, of some promotions."""
    subject = tables.subject
    mine = subject.c.component.in_(components_of(promotions))
    found = connection.execute(select(subject.c.ecosystem).where(subject.c.position == 0, mine).distinct()).scalars()
    return tuple(sorted({*found}.difference(known)))


def packages_of(names: Collection[str]) -> Select[tuple[int]]:
    """Select the components that are of ecosystems: by their first question, which is about their own."""
    subject = tables.subject
    return select(subject.c.component).where(subject.c.position == 0, subject.c.ecosystem.in_(names))


def images_of(connection: Connection, names: Collection[str]) -> frozenset[tuple[str, str]]:
    """Return repository and digest of the images that count and have packages of ecosystems."""
    member, held = tables.bucket_component, tables.variant_bucket
    variant, promotion = tables.variant, tables.promotion
    if not names:
        return frozenset()
    buckets = select(member.c.bucket).where(member.c.component.in_(packages_of(names)))
    rows = connection.execute(
        select(promotion.c.repository, promotion.c.digest)
        .join(variant, variant.c.promotion == promotion.c.id)
        .join(held, held.c.variant == variant.c.id)
        .where(promotion.c.retired_at.is_(None), held.c.bucket.in_(buckets))
        .distinct()
    )
    return frozenset((repository, digest) for repository, digest in rows)
