"""Writing a promotion into the inventory."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, delete, select, update

from imagegate.errors import InventoryError
from imagegate.inventory import tables
from imagegate.inventory.hold import TOGETHER
from imagegate.inventory.model import Component, Known, NotableFile, Promoted, Variant, component, subjects
from imagegate.inventory.store import Inventory, deadlocked
from imagegate.model import Package, Vulnerability

_BUCKETS = {True: 24, False: 8}
"""Into how many buckets packages of a base, and others, of one kind fall."""
_FILE_BUCKETS = 4
_CHUNK = 400
"""Values in one `IN`: SQLite takes no more than 32,766 in a statement, PostgreSQL plans shorter lists faster."""

_ATTEMPTS = 5
"""PostgreSQL ends one of two who wait for each other: those who add the same packages in another order."""

State = tuple[str, int]
"""Of an advisory database: its lineage, and the number of its state."""
NEVER: State = ("", 0)


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
    known: dict[Component, dict[str, Known]] = defaultdict(dict)
    for each in vulnerabilities:
        for distro in dict.fromkeys(variant.distro for variant in promoted.variants):
            known[component(each.package, distro)][each.id] = known_of(each)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with inventory.transaction() as connection:
                TOGETHER.take(connection)
                _Writer(connection, promoted, state, known).write()
            return
        except InventoryError as error:
            if attempt == _ATTEMPTS or not deadlocked(error):
                raise


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


def upsert(connection: Connection, table: Table) -> Any:
    """Return an INSERT that can say ON CONFLICT: SQLite's and PostgreSQL's have the same methods."""
    # Only the dialect in use is imported: PostgreSQL's alone takes 40 ms.
    return import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert(table)


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
        self._connection, self._promoted, self._advisories, self._known = connection, promoted, state, known

    def _upsert(self, table: Table) -> Any:
        return upsert(self._connection, table)

    def write(self) -> None:
        promoted = self._promoted
        number, newest = self._promotion()
        self.tags(number)
        if not newest:
            return
        old = select(tables.variant.c.id).where(tables.variant.c.promotion == number)
        self._connection.execute(delete(tables.variant_bucket).where(tables.variant_bucket.c.variant.in_(old)))
        self._connection.execute(delete(tables.variant).where(tables.variant.c.promotion == number))
        for each in promoted.variants:
            self._variant(number, each)

    def _promotion(self) -> tuple[int, bool]:
        """Return the promotion's number, and whether none that is recorded of the image is later."""
        promoted = self._promoted
        digest = hashlib.sha256(promoted.policy.encode()).hexdigest() if promoted.policy else ""
        if promoted.policy:
            self._ignore(tables.policy, [{"hash": digest, "document": promoted.policy}])
        facts = {
            name: getattr(promoted, name)
            for name in ("verdict", "source", "base", "job", "commit", "advisories", "waivers", "signers")
        }
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
        statement = self._upsert(table).values(values)
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
        if not rows:
            return
        statement = self._upsert(tables.tag)
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
        inherited = self._inherited(variant, packages)
        contents: dict[tuple[bool, str, int], list[Component]] = defaultdict(list)
        for each in packages:
            own = each not in inherited
            place = int.from_bytes(hashlib.blake2b(each.name.encode(), digest_size=2).digest(), "big")
            contents[own, each.release or each.type, place % _BUCKETS[not own]].append(each)
        buckets = {_key(members): members for members in contents.values()}
        files = self._file_buckets(variant)
        keys = [*buckets, *(_key(members) for members in files.values())]
        ids = self._ids(tables.bucket, keys)
        self._make({key: members for key, members in buckets.items() if key not in ids}, packages, variant)
        self._make_files([members for members in files.values() if _key(members) not in ids])
        ids = self._ids(tables.bucket, keys)
        placed = [(own, _key(members)) for (own, _, _), members in contents.items()]
        placed += [(own, _key(members)) for (own, _), members in files.items()]
        rows = [{"bucket": ids[key], "variant": identity, "inherited": not own} for own, key in placed]
        if rows:
            self._connection.execute(tables.variant_bucket.insert(), rows)

    def _file_buckets(self, variant: Variant) -> Mapping[tuple[bool, int], list[NotableFile]]:
        """Files by whether they are the image's own and by a hash of their paths; a base's layers tell what is its."""
        below = set(variant.base_layers)
        known = self._of_base(variant, tables.file, tables.bucket_file)
        contents: dict[tuple[bool, int], list[NotableFile]] = defaultdict(list)
        for each in set(variant.files):
            own = each.key not in known if known is not None else each.layer not in below
            place = int.from_bytes(hashlib.blake2b(each.path.encode(), digest_size=2).digest(), "big")
            contents[own, place % _FILE_BUCKETS].append(each)
        return contents

    def _make_files(self, groups: list[list[NotableFile]]) -> None:
        if not groups:
            return
        members = sorted({each for group in groups for each in group})
        self._ignore(
            tables.file,
            [{"key": each.key, "sha256": bytes.fromhex(each.sha256), "path": each.path} for each in members],
        )
        known = self._ids(tables.file, [each.key for each in members])
        self._ignore(tables.bucket, [{"key": key} for key in sorted(map(_key, groups))])
        ids = self._ids(tables.bucket, [_key(group) for group in groups])
        self._ignore(
            tables.bucket_file,
            [{"file": known[each.key], "bucket": ids[_key(group)]} for group in groups for each in group],
        )

    def _inherited(self, variant: Variant, packages: Mapping[Component, Package]) -> Collection[Component]:
        """What the base has too: by the base's own promotion where it is known, else by the layers."""
        base = self._of_base(variant, tables.component, tables.bucket_component)
        if base is not None:
            return {each for each in packages if each.key in base}
        layers = set(variant.base_layers)
        return {each for each, package in packages.items() if package.layer and str(package.layer) in layers}

    def _of_base(self, variant: Variant, kind: Table, link: Table) -> frozenset[bytes] | None:
        """Keys of the components or files of the base's newest promotion, None where it is not in the inventory."""
        if not self._promoted.base_digest:
            return None
        found = self._connection.execute(
            select(tables.variant.c.id)
            .join(tables.promotion, tables.promotion.c.id == tables.variant.c.promotion)
            .where(
                (tables.promotion.c.digest == self._promoted.base_digest)
                | (tables.variant.c.digest == self._promoted.base_digest),
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

    def _make(
        self, buckets: Mapping[bytes, list[Component]], packages: Mapping[Component, Package], variant: Variant
    ) -> None:
        if not buckets:
            return
        members = sorted({each for group in buckets.values() for each in group})
        keys = {each: each.key for each in members}
        known = self._ids(tables.component, list(keys.values()))
        fresh = [each for each in members if keys[each] not in known]
        if fresh:
            self._components(fresh, packages, variant)
            known = self._ids(tables.component, list(keys.values()))
        self._ignore(tables.bucket, [{"key": key} for key in sorted(buckets)])
        ids = self._ids(tables.bucket, list(buckets))
        self._ignore(
            tables.bucket_component,
            [
                {"component": known[keys[each]], "bucket": ids[key]}
                for key, group in sorted(buckets.items())
                for each in group
            ],
        )

    def _components(self, fresh: list[Component], packages: Mapping[Component, Package], variant: Variant) -> None:
        """New components, what advisories can be about them, and what the advisories that were asked say of them."""
        state = self._state()
        self._ignore(
            tables.component,
            [{**msgspec.structs.asdict(each), "key": each.key, "slot": each.slot, "state": state} for each in fresh],
        )
        ids = self._ids(tables.component, [each.key for each in fresh])
        questions = [
            {
                "ecosystem": query.ecosystem,
                "name": query.name,
                "component": ids[each.key],
                "position": position,
                "version": query.version,
            }
            for each in fresh
            for position, query in enumerate(subjects(packages[each], variant.distro))
        ]
        if questions:
            self._ignore(tables.subject, questions)
        at = self._promoted.promoted_at.timestamp()
        findings = [
            finding_row(ids[each.key], known, at) for each in fresh for known in self._known.get(each, {}).values()
        ]
        if findings:
            self._ignore(tables.finding, findings)

    def _state(self) -> int:
        lineage, number = self._advisories
        self._ignore(tables.state, [{"lineage": lineage, "number": number}])
        found = self._connection.execute(
            select(tables.state.c.id).where(tables.state.c.lineage == lineage, tables.state.c.number == number)
        )
        return int(found.scalar_one())

    def _ids(self, table: Table, keys: list[bytes]) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            rows = self._connection.execute(select(table.c.key, table.c.id).where(table.c.key.in_(chunk)))
            found.update((bytes(key), identity) for key, identity in rows)
        return found

    def _ignore(self, table: Table, rows: list[dict[str, Any]]) -> None:
        """Insert what is not there: another writer may have been first, in PostgreSQL at this moment."""
        self._connection.execute(self._upsert(table).on_conflict_do_nothing(), rows)


def finding_row(number: int, known: Known, since: float) -> dict[str, Any]:
    """Return the row of what is known of a component."""
    return {
        "vulnerability": known.id,
        "component": number,
        "severity": known.severity.value,
        "fix": known.fix,
        "exploited": known.exploited,
        "since": since,
        "facts": msgspec.json.encode(known).decode(),
    }


def _key(members: Iterable[Component | NotableFile]) -> bytes:
    return hashlib.blake2b(b"".join(sorted(each.key for each in members)), digest_size=16).digest()


def retire(connection: Connection, numbers: Collection[int], at: float) -> None:
    """Note that promotions have left. at: seconds since the epoch."""
    for start in range(0, len(numbers), _CHUNK):
        chunk = list(numbers)[start : start + _CHUNK]
        connection.execute(update(tables.promotion).where(tables.promotion.c.id.in_(chunk)).values(retired_at=at))
