"""The packages of images that count, by digest, and the images that have packages. A bucket's are read once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, select

from imagegate.inventory import tables
from imagegate.inventory.buckets import Advised, State, add, store
from imagegate.inventory.model import component
from imagegate.inventory.rematch import package_of
from imagegate.model import Distro, Package

_Value = TypeVar("_Value")
_CHUNK = 400
_DECODE_DISTRO = msgspec.json.Decoder(Distro | None)


class Part(msgspec.Struct, frozen=True):
    """A component of an image. lineage: whose its findings were when it was read, empty: its slot's or nobody's."""

    number: int
    package: Package
    lineage: str = ""


class Holdings:
    """What images have. Buckets are read once for those that are asked about together: numbers may be used again."""

    def __init__(self) -> None:
        self._buckets: dict[int, tuple[Part, ...]] = {}

    def parts(self, connection: Connection, digests: Collection[str]) -> dict[str, tuple[Part, ...]]:
        """Return the components of each image: those of all its promotions, which different programs may have read."""
        self._buckets.clear()
        variants = self._variants(connection, digests)
        held, of_variant = tables.variant_bucket, defaultdict[int, list[int]](list)
        for chunk in _chunks([number for numbers in variants.values() for number, _ in numbers]):
            query = select(held.c.variant, held.c.bucket).where(held.c.variant.in_(chunk))
            for variant, bucket in connection.execute(query):
                of_variant[variant].append(bucket)
        self._load(connection, {bucket for buckets in of_variant.values() for bucket in buckets})
        found: dict[str, tuple[Part, ...]] = {}
        for digest in digests:
            buckets = {bucket for number, _ in variants.get(digest, ()) for bucket in of_variant[number]}
            found[digest] = tuple({part.number: part for each in buckets for part in self._buckets[each]}.values())
        return found

    def add(self, connection: Connection, digest: str, packages: Collection[Package], state: State) -> None:
        """Give an image packages that its records lack. state: of the advisories that new ones are of."""
        for number, distro in self._variants(connection, [digest]).get(digest, ()):
            members = {component(each, distro): each for each in packages}
            keys = {each: each.key for each in members}
            held = store(connection, members, keys, members, distro, Advised(state, {}, 0.0))
            rows = [{"bucket": bucket, "variant": number, "inherited": inherited} for bucket, inherited in held]
            add(connection, tables.variant_bucket, rows)

    def holders(self, connection: Connection, components: Collection[int]) -> set[str]:
        """Return the images that count and have one of the components."""
        member, held = tables.bucket_component, tables.variant_bucket
        variant, promotion = tables.variant, tables.promotion
        found: set[str] = set()
        for chunk in _chunks(sorted(components)):
            buckets = select(member.c.bucket).where(member.c.component.in_(chunk))
            query = (
                select(variant.c.digest)
                .join(promotion, promotion.c.id == variant.c.promotion)
                .join(held, held.c.variant == variant.c.id)
                .where(promotion.c.retired_at.is_(None), held.c.bucket.in_(buckets))
            )
            found.update(connection.execute(query).scalars())
        return found

    def _variants(self, connection: Connection, digests: Collection[str]) -> dict[str, list[tuple[int, Distro | None]]]:
        variant, promotion = tables.variant, tables.promotion
        found: dict[str, list[tuple[int, Distro | None]]] = defaultdict(list)
        for chunk in _chunks(sorted(digests)):
            query = (
                select(variant.c.digest, variant.c.id, variant.c.distro)
                .join(promotion, promotion.c.id == variant.c.promotion)
                .where(promotion.c.retired_at.is_(None), variant.c.digest.in_(chunk))
            )
            for digest, number, distro in connection.execute(query):
                found[digest].append((number, _DECODE_DISTRO.decode(distro)))
        return found

    def _load(self, connection: Connection, buckets: Collection[int]) -> None:
        member, component, state = tables.bucket_component, tables.component, tables.state
        wanted = sorted(buckets - self._buckets.keys())
        read: dict[int, list[Part]] = {number: [] for number in wanted}
        for chunk in _chunks(wanted):
            rows = connection.execute(
                select(member.c.bucket, component, state.c.lineage)
                .join(component, component.c.id == member.c.component)
                .outerjoin(state, state.c.id == component.c.state)
                .where(member.c.bucket.in_(chunk))
            )
            for row in rows:
                read[row.bucket].append(Part(row.id, package_of(row), row.lineage or ""))
        self._buckets.update((number, tuple(each)) for number, each in read.items())


def _chunks(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
