"""What an image holds, as it is stored: components and files in buckets, each written once for all images."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from importlib import import_module
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, Table, select

from imagegate.inventory import tables
from imagegate.inventory.model import Component, Known, NotableFile, subjects
from imagegate.model import Distro, Package

BUCKETS = {True: 8, False: 24}
"""Into how many buckets an image's own packages of one kind, and those of a base, fall."""
FILE_BUCKETS = 4
_CHUNK = 400
"""Values in one `IN`: SQLite takes no more than 32,766 in a statement, PostgreSQL plans shorter lists faster."""

State = tuple[str, int]
"""Of an advisory database: its lineage, and the number of its state."""
NEVER: State = ("", 0)
"""The state of what nobody has asked about: the first re-check takes what it finds for known."""
Keys = Mapping[Component, bytes]
"""Components with their keys, which take a while to make."""
Held = tuple[int, bool]
"""A bucket that an image has, and whether its base brought what is in it."""


class Advised(msgspec.Struct, frozen=True):
    """What the advisories said of components: their state, and what they know of each. at: seconds since the epoch."""

    state: State
    known: Mapping[Component, Mapping[str, Known]]
    at: float


def upsert(connection: Connection, table: Table) -> Any:
    """Return an INSERT that can say ON CONFLICT: SQLite's and PostgreSQL's have the same methods."""
    # Only the dialect in use is imported: PostgreSQL's alone takes 40 ms.
    return import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert(table)


def add(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert what is not there: another writer may have been first, in PostgreSQL at this moment."""
    if rows:
        connection.execute(upsert(connection, table).on_conflict_do_nothing(), rows)


def numbers(connection: Connection, table: Table, keys: Iterable[bytes]) -> dict[bytes, int]:
    """Return the numbers of rows by their keys, of those that there are."""
    found: dict[bytes, int] = {}
    wanted = list(keys)
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        rows = connection.execute(select(table.c.key, table.c.id).where(table.c.key.in_(chunk)))
        found.update((bytes(key), identity) for key, identity in rows)
    return found


def state_number(connection: Connection, state: State) -> int:
    """Return the number of a state of the advisories."""
    lineage, number = state
    table = tables.state
    add(connection, table, [{"lineage": lineage, "number": number}])
    found = connection.execute(select(table.c.id).where(table.c.lineage == lineage, table.c.number == number))
    return int(found.scalar_one())


def components_of(promotions: Collection[int]) -> Select[tuple[int]]:
    """Select the components that promotions have."""
    variant, held, member = tables.variant, tables.variant_bucket, tables.bucket_component
    return (
        select(member.c.component)
        .join(held, held.c.bucket == member.c.bucket)
        .join(variant, variant.c.id == held.c.variant)
        .where(variant.c.promotion.in_(promotions))
    )


def store(
    connection: Connection,
    packages: Mapping[Component, Package],
    keys: Keys,
    own: Iterable[Component],
    distro: Distro | None,
    advised: Advised,
) -> set[Held]:
    """Store an image's packages, and return what has them. own: the components that its base did not bring."""
    mine = frozenset(own)
    contents: dict[tuple[bool, str, int], list[Component]] = defaultdict(list)
    for each in packages:
        is_own = each in mine
        contents[is_own, each.release or each.type, _place(each.name) % BUCKETS[is_own]].append(each)
    buckets = [(_key(keys[each] for each in members), where[0], members) for where, members in contents.items()]
    there = numbers(connection, tables.bucket, (key for key, _, _ in buckets))
    fresh = {key: members for key, _, members in buckets if key not in there}
    if fresh:
        known = _components(connection, fresh.values(), packages, keys, distro, advised)
        add(connection, tables.bucket, [{"key": key} for key in sorted(fresh)])
        there |= numbers(connection, tables.bucket, fresh)
        links = [
            {"component": known[keys[each]], "bucket": there[key]}
            for key, members in sorted(fresh.items())
            for each in members
        ]
        add(connection, tables.bucket_component, links)
    return {(there[key], not is_own) for key, is_own, _ in buckets}


def store_files(connection: Connection, files: Mapping[NotableFile, bool]) -> set[Held]:
    """Store an image's files, each with whether it is the image's own, and return what has them."""
    contents: dict[tuple[bool, int], list[NotableFile]] = defaultdict(list)
    for each, is_own in files.items():
        contents[is_own, _place(each.path) % FILE_BUCKETS].append(each)
    buckets = [(_key(each.key for each in members), where[0], members) for where, members in contents.items()]
    there = numbers(connection, tables.bucket, (key for key, _, _ in buckets))
    fresh = {key: members for key, _, members in buckets if key not in there}
    if fresh:
        members = sorted({each for group in fresh.values() for each in group})
        rows = [{"key": each.key, "sha256": bytes.fromhex(each.sha256), "path": each.path} for each in members]
        add(connection, tables.file, rows)
        known = numbers(connection, tables.file, [each.key for each in members])
        add(connection, tables.bucket, [{"key": key} for key in sorted(fresh)])
        there |= numbers(connection, tables.bucket, fresh)
        links = [{"file": known[each.key], "bucket": there[key]} for key, group in fresh.items() for each in group]
        add(connection, tables.bucket_file, links)
    return {(there[key], not is_own) for key, is_own, _ in buckets}


def _components(
    connection: Connection,
    groups: Iterable[list[Component]],
    packages: Mapping[Component, Package],
    keys: Keys,
    distro: Distro | None,
    advised: Advised,
) -> dict[bytes, int]:
    """Return the numbers of components, having stored those that are new."""
    members = {each for group in groups for each in group}
    known = numbers(connection, tables.component, [keys[each] for each in members])
    # In one order for all writers, so that in PostgreSQL they seldom wait for each other in a circle.
    fresh = sorted((each for each in members if keys[each] not in known), key=keys.__getitem__)
    if fresh:
        known |= _new(connection, fresh, packages, keys, distro, advised)
    return known


def _new(
    connection: Connection,
    fresh: list[Component],
    packages: Mapping[Component, Package],
    keys: Keys,
    distro: Distro | None,
    advised: Advised,
) -> dict[bytes, int]:
    """New components, what advisories can be about them, and what the advisories that were asked say of them."""
    state = state_number(connection, advised.state)
    add(
        connection,
        tables.component,
        [{**msgspec.structs.asdict(each), "key": keys[each], "slot": keys[each][0], "state": state} for each in fresh],
    )
    ids = numbers(connection, tables.component, [keys[each] for each in fresh])
    questions = [
        {
            "ecosystem": query.ecosystem,
            "name": query.name,
            "component": ids[keys[each]],
            "position": position,
            "version": query.version,
        }
        for each in fresh
        for position, query in enumerate(subjects(packages[each], distro))
    ]
    add(connection, tables.subject, questions)
    findings = [
        finding_row(ids[keys[each]], known, advised.at)
        for each in fresh
        for known in advised.known.get(each, {}).values()
    ]
    add(connection, tables.finding, findings)
    return ids


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


def _place(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=2).digest(), "big")


def _key(members: Iterable[bytes]) -> bytes:
    return hashlib.blake2b(b"".join(sorted(members)), digest_size=16).digest()
