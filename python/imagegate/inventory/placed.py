"""From components to the images that count and have them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import Connection, Integer, Select, String, cast, func, select

from imagegate.inventory import tables
from imagegate.inventory.changed import Changed, Where
from imagegate.inventory.verdicts import Subject
from imagegate.model import Distro

_DECODE_DISTRO = msgspec.json.Decoder(Distro | None)
ByComponent = Mapping[int, Sequence[int]]
"""Components, each with the places, in a list, of what they bring."""


class _Facts(msgspec.Struct):
    base: str = ""
    base_proved: bool = False


_DECODE_FACTS = msgspec.json.Decoder(_Facts)


class Placed(msgspec.Struct, frozen=True):
    """An image that is hit. hits: twice the place of a change, and one more where it is inherited."""

    subject: Subject
    team: str
    base: str
    hits: tuple[int, ...]


def holders(connection: Connection, by_component: ByComponent, components: Select[tuple[int]]) -> Iterator[Placed]:
    """Yield the images that have components. components: selects them."""
    by_variant, hits = _holding(connection, by_component, components)
    return _images(connection, hits, by_variant)


def placed(connection: Connection, found: Changed, where: Where) -> Iterator[Placed]:
    """Yield the images that have what changed. where: the changes, as they were read."""
    of_all = {
        (component, change.vulnerability)
        for component, promotion, change in zip(found.components, found.promotions, found.changes, strict=True)
        if promotion is None
    }
    by_component: dict[int, list[int]] = defaultdict(list)
    alone: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, (component, promotion) in enumerate(zip(found.components, found.promotions, strict=True)):
        if promotion is None:
            by_component[component].append(place)
        elif (component, found.changes[place].vulnerability) not in of_all:
            alone[promotion, component].append(place)
    delta = tables.delta
    shared = select(delta.c.component).where(where, delta.c.promotion.is_(None))
    by_variant, hits = _holding(connection, by_component, shared)
    if alone:
        _add_alone(connection, alone, where, by_variant, hits)
    return _images(connection, hits, by_variant)


def _holding(
    connection: Connection, by_component: ByComponent, components: Select[tuple[int]]
) -> tuple[dict[int, str], _Hits]:
    """Return what each variant holds, by names, and what these bring."""
    member, held = tables.bucket_component, tables.variant_bucket
    # One row a variant: to make a hundred thousand rows of what SQL can join takes a tenth of a second.
    numbered = cast(2 * member.c.component + cast(held.c.inherited, Integer), String)
    rows = connection.execute(
        select(held.c.variant, func.aggregate_strings(numbered, " "))
        .join(member, member.c.bucket == held.c.bucket)
        .where(member.c.component.in_(components))
        .group_by(held.c.variant)
    ).all()
    return {row[0]: row[1] for row in rows}, _Hits(by_component)


def _add_alone(
    connection: Connection,
    alone: Mapping[tuple[int, int], Sequence[int]],
    where: Where,
    by_variant: dict[int, str],
    hits: _Hits,
) -> None:
    """Add what is news of one image alone. alone: places of changes by promotion and component."""
    delta, variant = tables.delta, tables.variant
    held, member = tables.variant_bucket, tables.bucket_component
    rows = connection.execute(
        select(variant.c.id, variant.c.promotion, member.c.component, cast(held.c.inherited, Integer))
        .join(delta, delta.c.promotion == variant.c.promotion)
        .join(held, held.c.variant == variant.c.id)
        .join(member, (member.c.bucket == held.c.bucket) & (member.c.component == delta.c.component))
        .where(where)
        .distinct()
    )
    for number, promotion, component, inherited in rows:
        name = f"{promotion}/{component}/{inherited}"
        hits[name] = tuple(2 * place + inherited for place in alone[promotion, component])
        by_variant[number] = f"{by_variant.get(number, '')} {name}"


class _Hits(dict[str, tuple[int, ...]]):
    """What a component's number, doubled and one more where it is inherited, brings: the same of places of changes.

    Other names are given with what they bring.
    """

    def __init__(self, by_component: ByComponent) -> None:
        super().__init__()
        self._by_component = by_component

    def __missing__(self, numbered: str) -> tuple[int, ...]:
        component, inherited = divmod(int(numbered), 2)
        self[numbered] = found = tuple(2 * place + inherited for place in self._by_component.get(component, ()))
        return found


def _images(connection: Connection, hits: _Hits, by_variant: Mapping[int, str]) -> Iterator[Placed]:
    """Join variants into images. by_variant: the names of what they hold, as `hits` takes them."""
    holding: dict[int, str] = {}
    first: dict[int, Any] = {}
    for row in _promotions(connection, by_variant):
        if row.id in first:
            holding[row.id] += f" {by_variant[row.variant]}"
        else:
            first[row.id], holding[row.id] = row, by_variant[row.variant]
    distros: dict[str, Distro | None] = {}
    tags = _tags(connection, first)
    for number, row in first.items():
        mine = sorted(set(chain.from_iterable(map(hits.__getitem__, holding[number].split()))))
        if row.distro not in distros:
            distros[row.distro] = _DECODE_DISTRO.decode(row.distro)
        if mine:
            facts = _DECODE_FACTS.decode(row.facts)
            subject = Subject(
                row.repository, row.digest, tuple(tags[number]), row.policy, distros[row.distro], facts.base_proved
            )
            yield Placed(subject, row.team, facts.base, tuple(mine))


_ALL = 2000
"""From so many images on, all are read, which is faster than to name them."""


def _tags(connection: Connection, promotions: Collection[int]) -> dict[int, list[str]]:
    tag = tables.tag
    query = select(tag.c.promotion, tag.c.name).order_by(tag.c.name)
    if len(promotions) < _ALL:
        query = query.where(tag.c.promotion.in_(sorted(promotions)))
    found: dict[int, list[str]] = defaultdict(list)
    for number, name in connection.execute(query).all():
        found[number].append(name)
    return found


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
