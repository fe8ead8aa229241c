"""From changes of components to the images that they hit, whose they are, and what clears them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Integer, String, cast, func, select

from imagegate.inventory import tables
from imagegate.inventory.model import Known
from imagegate.inventory.verdicts import Subject, Verdicts
from imagegate.model import Distro, Vulnerability
from imagegate.model.news import Change, Hit, HitImage, Kind

_DECODE_DISTRO = msgspec.json.Decoder(Distro | None)
Where = ColumnElement[bool]
"""Which rows of the table `delta`."""


class _Facts(msgspec.Struct):
    base: str = ""


_DECODE_FACTS = msgspec.json.Decoder(_Facts)


class Changed(msgspec.Struct, frozen=True):
    """Changes, in order, with the rows of `delta` that they are, the components, and all that is known of each."""

    numbers: tuple[int, ...]
    components: tuple[int, ...]
    changes: tuple[Change, ...]
    found: tuple[Vulnerability | None, ...]


class Placed(msgspec.Struct, frozen=True):
    """An image that is hit. hits: twice the place of a change, and one more where it is inherited."""

    subject: Subject
    team: str
    base: str
    hits: tuple[int, ...]


def changed(connection: Connection, where: Where) -> Changed:
    """Read changes."""
    delta, component = tables.delta, tables.component
    rows = connection.execute(
        select(
            delta.c.id, delta.c.at, delta.c.kind, delta.c.before, delta.c.after, delta.c.found, delta.c.component,
            component.c.name, component.c.version, component.c.type, component.c.release, component.c.source,
        )
        .join(component, component.c.id == delta.c.component)
        .where(where)
        .order_by(delta.c.id)
    ).all()  # fmt: skip
    return Changed(
        tuple(row.id for row in rows),
        tuple(row.component for row in rows),
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
    )


def placed(connection: Connection, found: Changed, where: Where) -> tuple[Placed, ...]:
    """Return the images that count and have what changed. where: the changes, as they were read."""
    by_component: dict[int, list[int]] = defaultdict(list)
    for place, number in enumerate(found.components):
        by_component[number].append(place)
    member, held = tables.bucket_component, tables.variant_bucket
    hit = member.c.component.in_(select(tables.delta.c.component).where(where))
    by_bucket: dict[int, list[int]] = defaultdict(list)
    for number, bucket in connection.execute(select(member.c.component, member.c.bucket).where(hit)).all():
        by_bucket[bucket] += by_component.get(number, ())
    buckets = select(member.c.bucket).where(hit)
    # One row a variant: to make a hundred thousand rows of what SQL can join takes a tenth of a second.
    numbered = cast(2 * held.c.bucket + cast(held.c.inherited, Integer), String)
    holding = select(held.c.variant, func.aggregate_strings(numbered, " "))
    rows = connection.execute(holding.where(held.c.bucket.in_(buckets)).group_by(held.c.variant)).all()
    return _images(connection, by_bucket, {variant: text for variant, text in rows})


class _Hits(dict[str, tuple[int, ...]]):
    """What a bucket's number, doubled and one more where it is inherited, brings: the same of places of changes."""

    def __init__(self, by_bucket: Mapping[int, Sequence[int]]) -> None:
        super().__init__()
        self._by_bucket = by_bucket

    def __missing__(self, numbered: str) -> tuple[int, ...]:
        bucket, inherited = divmod(int(numbered), 2)
        self[numbered] = found = tuple(2 * place + inherited for place in self._by_bucket.get(bucket, ()))
        return found


def _images(
    connection: Connection, by_bucket: Mapping[int, Sequence[int]], by_variant: Mapping[int, str]
) -> tuple[Placed, ...]:
    """Join variants into images. by_variant: the numbers of what they hold, as `_Hits` takes them."""
    tags: dict[int, list[str]] = defaultdict(list)
    tag = tables.tag
    for number, name in connection.execute(select(tag.c.promotion, tag.c.name).order_by(tag.c.name)).all():
        tags[number].append(name)
    holding: dict[int, str] = {}
    first: dict[int, Any] = {}
    for row in _promotions(connection, by_variant):
        if row.id in first:
            holding[row.id] += f" {by_variant[row.variant]}"
        else:
            first[row.id], holding[row.id] = row, by_variant[row.variant]
    images = []
    hits = _Hits(by_bucket)
    distros: dict[str, Distro | None] = {}
    for number, row in first.items():
        mine = sorted(set(chain.from_iterable(map(hits.__getitem__, holding[number].split()))))
        if row.distro not in distros:
            distros[row.distro] = _DECODE_DISTRO.decode(row.distro)
        subject = Subject(row.repository, row.digest, tuple(tags[number]), row.policy, distros[row.distro])
        if mine:
            images.append(Placed(subject, row.team, _DECODE_FACTS.decode(row.facts).base, tuple(mine)))
    return tuple(images)


_ALL = 2000
"""From so many images on, all are read, which is faster than to name them."""


def _promotions(connection: Connection, variants: Iterable[int]) -> Sequence[Any]:
    variant, promotion = tables.variant, tables.promotion
    wanted = set(variants)
    query = (
        select(
            variant.c.id.label("variant"), variant.c.distro, promotion.c.id, promotion.c.repository, promotion.c.digest,
            promotion.c.team, promotion.c.policy, promotion.c.facts,
        )
        .join(promotion, promotion.c.id == variant.c.promotion)
        .where(promotion.c.retired_at.is_(None))
        .order_by(promotion.c.id, variant.c.id)
    )  # fmt: skip
    if len(wanted) < _ALL:
        query = query.where(variant.c.id.in_(sorted(wanted)))
    return [row for row in connection.execute(query).all() if row.variant in wanted]


def judged(images: Iterable[Placed], verdicts: Verdicts) -> tuple[HitImage, ...]:
    """Return the images with what their policies make of each hit."""
    shared: dict[tuple[object, ...], tuple[Hit, ...]] = {}
    hits: dict[tuple[object, ...], dict[int, Hit]] = defaultdict(dict)
    found = []
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
        found.append(HitImage(subject.repository, subject.digest, subject.tags, image.team, image.base, shared[key]))
    return tuple(found)


def policies(connection: Connection) -> dict[str, str]:
    """Return the recorded documents by their keys."""
    rows = connection.execute(select(tables.policy.c.hash, tables.policy.c.document))
    return {row.hash: row.document for row in rows}


def lacking(connection: Connection, known: Iterable[str]) -> tuple[str, ...]:
    """Return the ecosystems that images have packages of and that are not among the known, which have advisories."""
    subject, member, held = tables.subject, tables.bucket_component, tables.variant_bucket
    variant, promotion = tables.variant, tables.promotion
    there, missing = set(known), []
    name = connection.execute(select(subject.c.ecosystem).order_by(subject.c.ecosystem).limit(1)).scalar()
    while name is not None:
        live = (
            select(subject.c.component)
            .join(member, member.c.component == subject.c.component)
            .join(held, held.c.bucket == member.c.bucket)
            .join(variant, variant.c.id == held.c.variant)
            .join(promotion, promotion.c.id == variant.c.promotion)
            .where(subject.c.ecosystem == name, subject.c.position == 0, promotion.c.retired_at.is_(None))
            .limit(1)
        )
        if name not in there and connection.execute(live).first():
            missing.append(name)
        after = select(subject.c.ecosystem).where(subject.c.ecosystem > name).order_by(subject.c.ecosystem).limit(1)
        name = connection.execute(after).scalar()
    return tuple(missing)
