"""Writing a promotion into the inventory."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection, Table, delete, select, update

from imagegate.inventory import tables
from imagegate.inventory.buckets import NEVER, Advised, Keys, State, add, store, store_files, upsert
from imagegate.inventory.deltas import delta_row
from imagegate.inventory.hold import TOGETHER
from imagegate.inventory.late import late
from imagegate.inventory.model import Component, Known, NotableFile, Promoted, Variant, component, storable_text
from imagegate.inventory.slots import share
from imagegate.inventory.store import Inventory, untangled
from imagegate.inventory.unasked import fill_in
from imagegate.model import Distro, Package, Vulnerability

_CHUNK = 400
_FACTS = ("verdict", "source", "base", "base_proved", "job", "commit", "advisories", "waivers", "signers")
_LABEL = 300
"""Bytes of what an image's labels say."""


def record(
    inventory: Inventory,
    promoted: Promoted,
    *,
    state: State = NEVER,
    vulnerabilities: Iterable[Vulnerability] = (),
) -> None:
    """Record a promotion, in one transaction: the same again, or a later one of the image, replaces what was there.

    One that is older than what is there, because it was kept for later, changes nothing of that.

    state: of the advisories that `vulnerabilities` are by; `NEVER` where nothing was asked, so that the first re-check
    takes what it finds for known. Raises InventoryError.
    """
    # What labels say is any text.
    team, base = (storable_text(text, _LABEL) for text in (promoted.team, promoted.base_digest))
    promoted = msgspec.structs.replace(promoted, team=team, base_digest=base)
    known: dict[Component, dict[str, Known]] = defaultdict(dict)
    for each in vulnerabilities:
        for distro in dict.fromkeys(variant.distro for variant in promoted.variants):
            known[component(each.package, distro)][each.id] = known_of(each)

    def write() -> None:
        with inventory.transaction() as connection:
            TOGETHER.take(connection)
            _Writer(connection, promoted, state, known).write()

    untangled(write)


def tag_again(inventory: Inventory, repository: str, digest: str, tags: Collection[str], now: datetime) -> bool:
    """Give tags to an image that is recorded already. False: it is not, or has left. Raises InventoryError."""
    table = tables.promotion
    there = (table.c.repository == repository) & (table.c.digest == digest) & table.c.retired_at.is_(None)
    with inventory.transaction() as connection:
        number = connection.execute(select(table.c.id).where(there)).scalar()
        if number is None:
            return False
        promoted = Promoted(repository, digest, tuple(tags), now, ())
        _Writer(connection, promoted, NEVER, {}).tags(number)
    return True


def add_packages(
    connection: Connection, variant: int, distro: Distro | None, packages: Iterable[Package], state: State
) -> None:
    """Give a variant packages that its record lacks, as its own. state: of the advisories that new ones are of."""
    listed = {component(each, distro): each for each in packages}
    keys = {each: each.key for each in listed}
    held = store(connection, listed, keys, listed, distro, Advised(state, {}, 0.0))
    rows = [{"bucket": bucket, "variant": variant, "inherited": below} for bucket, below in held]
    add(connection, tables.variant_bucket, rows)


def known_of(vulnerability: Vulnerability) -> Known:
    """Return what the inventory keeps of a vulnerability."""
    return Known(
        vulnerability.id,
        vulnerability.severity,
        vulnerability.fix,
        vulnerability.exploited,
        vulnerability.will_not_fix,
        vulnerability.aliases,
        vulnerability.url,
        vulnerability.reason,
    )


class _Writer:
    """Writes one promotion."""

    def __init__(
        self,
        connection: Connection,
        promoted: Promoted,
        state: State,
        known: Mapping[Component, Mapping[str, Known]],
    ) -> None:
        self._connection, self._promoted = connection, promoted
        self._advised = Advised(state, known, promoted.promoted_at.timestamp())

    def write(self) -> None:
        promoted = self._promoted
        counted = self._counted()
        number, newest = self._promotion()
        self.tags(number)
        if not newest:
            return
        old = select(tables.variant.c.id).where(tables.variant.c.promotion == number)
        self._connection.execute(delete(tables.variant_bucket).where(tables.variant_bucket.c.variant.in_(old)))
        self._connection.execute(delete(tables.variant).where(tables.variant.c.promotion == number))
        for each in promoted.variants:
            self._variant(number, each)
        if self._advised.state != NEVER:
            share(self._connection, number)
            fill_in(self._connection, number, self._advised)
            if not counted:
                self._late(number)

    def _counted(self) -> bool:
        """Whether the image was in the inventory before: then all that is known of it was told."""
        table = tables.promotion
        there = (table.c.repository == self._promoted.repository) & (table.c.digest == self._promoted.digest)
        return bool(self._connection.execute(select(table.c.id).where(there, table.c.retired_at.is_(None))).first())

    def _late(self, number: int) -> None:
        found = late(self._connection, number, self._advised.state, self._advised.known)
        if found:
            # A record that was kept for later is news now, not when the image was promoted.
            now = datetime.now(UTC).timestamp()
            rows = [delta_row(each, now, number) for each in found]
            self._connection.execute(tables.delta.insert(), rows)

    def _promotion(self) -> tuple[int, bool]:
        """Return the promotion's number, and whether none that is recorded of the image is later."""
        promoted = self._promoted
        digest = hashlib.sha256(promoted.policy.encode()).hexdigest() if promoted.policy else ""
        if promoted.policy:
            add(self._connection, tables.policy, [{"hash": digest, "document": promoted.policy}])
        facts = {name: getattr(promoted, name) for name in _FACTS}
        values = {
            "repository": promoted.repository,
            "digest": promoted.digest,
            "promoted_at": promoted.promoted_at.timestamp(),
            "retired_at": None,
            "team": promoted.team,
            "base_digest": promoted.base_digest,
            "policy": digest,
            "facts": msgspec.json.encode(facts).decode(),
        }
        table = tables.promotion
        statement = upsert(self._connection, table).values(values)
        fresh = {name: statement.excluded[name] for name in values if name not in ("repository", "digest")}
        returned = self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["repository", "digest"],
                set_=fresh,
                where=table.c.promoted_at <= statement.excluded.promoted_at,
            ).returning(table.c.id)
        ).scalar()
        if returned is not None:
            return int(returned), True
        there = (table.c.repository == promoted.repository) & (table.c.digest == promoted.digest)
        return int(self._connection.execute(select(table.c.id).where(there)).scalar_one()), False

    def tags(self, number: int) -> None:
        """Give the tags to a promotion, from others that had them before."""
        at = self._promoted.promoted_at.timestamp()
        rows = [
            {"repository": self._promoted.repository, "name": name, "promotion": number, "since": at}
            for name in self._promoted.tags
        ]
        if rows:
            statement = upsert(self._connection, tables.tag)
            moved = {"promotion": statement.excluded.promotion, "since": statement.excluded.since}
            self._connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["repository", "name"],
                    set_=moved,
                    where=(tables.tag.c.promotion != statement.excluded.promotion)
                    & (tables.tag.c.since <= statement.excluded.since),
                ),
                rows,
            )
        promotion, tag = tables.promotion, tables.tag
        mine = promotion.c.repository == self._promoted.repository
        is_tagged = promotion.c.id.in_(select(tag.c.promotion).where(tag.c.repository == self._promoted.repository))
        lost = mine & promotion.c.untagged_at.is_(None) & ~is_tagged
        again = mine & promotion.c.untagged_at.is_not(None) & is_tagged
        self._connection.execute(update(promotion).where(lost).values(untagged_at=at))
        self._connection.execute(update(promotion).where(again).values(untagged_at=None))

    def _variant(self, number: int, variant: Variant) -> None:
        returned = self._connection.execute(
            tables.variant.insert()
            .values(
                promotion=number,
                platform=variant.platform,
                digest=variant.digest,
                distro=msgspec.json.encode(variant.distro).decode(),
            )
            .returning(tables.variant.c.id)
        )
        identity = returned.scalar_one()
        packages = {component(each, variant.distro): each for each in variant.packages}
        keys = {each: each.key for each in packages}
        inherited = self._inherited(variant, packages, keys)
        own = (each for each in packages if each not in inherited)
        held = store(self._connection, packages, keys, own, variant.distro, self._advised)
        held |= store_files(self._connection, self._files(variant))
        if held:
            rows = [{"bucket": bucket, "variant": identity, "inherited": below} for bucket, below in held]
            self._connection.execute(tables.variant_bucket.insert(), rows)

    def _files(self, variant: Variant) -> Mapping[NotableFile, bool]:
        """Files, and whether they are the image's own; where the base is not known, its layers tell."""
        below = set(variant.base_layers)
        known = self._of_base(variant, tables.file, tables.bucket_file)
        return {
            each: each.key not in known if known is not None else each.layer not in below for each in set(variant.files)
        }

    def _inherited(self, variant: Variant, packages: Mapping[Component, Package], keys: Keys) -> Collection[Component]:
        """What the base has too: by the base's own promotion where it is known, else by the layers."""
        base = self._of_base(variant, tables.component, tables.bucket_component)
        if base is not None:
            return {each for each in packages if keys[each] in base}
        layers = set(variant.base_layers)
        return {each for each, package in packages.items() if package.layer and str(package.layer) in layers}

    def _of_base(self, variant: Variant, kind: Table, link: Table) -> frozenset[bytes] | None:
        """Keys of the components or files of the base's newest promotion, None where it is not in the inventory."""
        if not self._promoted.base_digest:
            return None
        digest, promotion = self._promoted.base_digest, tables.promotion
        by_index = select(promotion.c.id).where(promotion.c.digest == digest)
        found = self._connection.execute(
            select(tables.variant.c.id)
            .where(
                tables.variant.c.promotion.in_(by_index) | (tables.variant.c.digest == digest),
                tables.variant.c.platform == variant.platform,
            )
            .order_by(tables.variant.c.id.desc())
            .limit(1)
        ).scalar()
        if found is None:
            return None
        keys = (
            select(kind.c.key)
            .join(link, link.c[kind.name] == kind.c.id)
            .join(tables.variant_bucket, tables.variant_bucket.c.bucket == link.c.bucket)
            .where(tables.variant_bucket.c.variant == found)
        )
        return frozenset(self._connection.execute(keys).scalars())


def retire(connection: Connection, numbers: Collection[int], at: float) -> None:
    """Note that promotions have left. at: seconds since the epoch."""
    for start in range(0, len(numbers), _CHUNK):
        chunk = list(numbers)[start : start + _CHUNK]
        connection.execute(update(tables.promotion).where(tables.promotion.c.id.in_(chunk)).values(retired_at=at))
