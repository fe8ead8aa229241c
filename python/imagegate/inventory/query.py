"""Questions to the inventory: which images have this package, vulnerability or file; why; since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Table, func, or_, select

from imagegate.inventory import tables
from imagegate.inventory.constraint import Constraint
from imagegate.inventory.model import Known
from imagegate.inventory.selection import ANYBODY, Listed, Whose, promotions
from imagegate.vulnerability.ecosystems import stored_name

_CHUNK = 5000


class Hit(msgspec.Struct, frozen=True, omit_defaults=True):
    """An image that has what was asked for.

    image: the digest for this platform, digest: what was promoted, which for an index is another. inherited: it came
    with the base. since: when the image was promoted, or when the vulnerability was first seen where that is later.
    path: of a file; note: what is not certain.
    """

    repository: str
    digest: str
    tags: tuple[str, ...]
    platform: str
    image: str
    team: str
    base: str
    base_digest: str
    inherited: bool
    since: datetime
    package: str = ""
    version: str = ""
    type: str = ""
    purl: str = ""
    path: str = ""
    vulnerability: str = ""
    severity: str = ""
    fix: str = ""
    exploited: bool = False
    aliases: tuple[str, ...] = ()
    reason: str = ""
    note: str = ""


class Answer(msgspec.Struct, frozen=True, tag_field="schema", tag="imagegate/query/1"):
    """What the inventory says. images: how many promotions are hit. notes: what keeps it from being all."""

    question: str
    images: int
    hits: tuple[Hit, ...]
    notes: tuple[str, ...] = ()


class _Placed(msgspec.Struct, frozen=True):
    """A component or file of an image."""

    promotion: Listed
    platform: str
    image: str
    inherited: bool
    member: int


def of_package(connection: Connection, name: str, constraint: Constraint, whose: Whose = ANYBODY) -> Answer:
    """Which images have a package, by its name or that of its source package, in some versions."""
    chosen = dict(_components(connection, name, constraint))
    rows = _rows(connection, chosen)
    placed = _placed(connection, tables.bucket_component, list(chosen), whose)
    hits = [_package(each, rows[each.member], note=chosen[each.member]) for each in placed]
    told = "".join(f" {sign}{value}" for sign, value in constraint.parts)
    return _answer(f"package {name}{told}", hits)


def of_vulnerability(connection: Connection, name: str, whose: Whose = ANYBODY) -> Answer:
    """Which images have a vulnerability, by its id or an alias, as of the last re-check."""
    finding = tables.finding
    quoted = f'"{name}"'
    query = select(finding.c.component, finding.c.since, finding.c.facts).where(
        or_(func.lower(finding.c.vulnerability) == name.lower(), finding.c.facts.icontains(quoted, autoescape=True))
    )
    known: dict[int, list[tuple[Known, float]]] = {}
    for number, since, facts in connection.execute(query):
        found = msgspec.json.decode(facts, type=Known)
        if name.lower() in (each.lower() for each in (found.id, *found.aliases)):
            known.setdefault(number, []).append((found, since))
    rows = _rows(connection, known)
    hits = [
        _finding(each, rows[each.member], *found)
        for each in _placed(connection, tables.bucket_component, list(known), whose)
        for found in known[each.member]
    ]
    return _answer(name, hits, _unchecked(connection))


def of_file(connection: Connection, sha256: str, whose: Whose = ANYBODY) -> Answer:
    """Which images have a file with this digest, of the files that are kept: `files.notable`."""
    file = tables.file
    found = connection.execute(select(file.c.id, file.c.path).where(file.c.sha256 == bytes.fromhex(sha256)))
    paths = {row.id: row.path for row in found}
    placed = _placed(connection, tables.bucket_file, list(paths), whose)
    return _answer(f"file sha256:{sha256}", [_hit(each, path=paths[each.member]) for each in placed])


def of_image(connection: Connection, numbers: Sequence[int], name: str, whose: Whose = ANYBODY) -> Answer:
    """What promotions have: their packages, and a line for each finding of one."""
    link, variant, member = tables.variant_bucket, tables.variant, tables.bucket_component
    listed = {each.number: each for each in promotions(connection, numbers, whose=whose)}
    placed = [
        _Placed(listed[row.promotion], row.platform, row.digest, row.inherited, row.component)
        for row in connection.execute(
            select(variant.c.promotion, variant.c.platform, variant.c.digest, link.c.inherited, member.c.component)
            .join(link, link.c.variant == variant.c.id)
            .join(member, member.c.bucket == link.c.bucket)
            .where(variant.c.promotion.in_(list(listed)))
        )
    ]
    rows = _rows(connection, {each.member: None for each in placed})
    known = _known(connection, list(rows))
    hits: list[Hit] = []
    for each in placed:
        row = rows[each.member]
        hits += [_finding(each, row, *found) for found in known.get(each.member, ())] or [_package(each, row)]
    full = {each.promotion.number for each in placed}
    bare = tuple(
        f"{each.repository}@{each.digest} is in the inventory, and no packages of it are known"
        for each in listed.values()
        if each.number not in full
    )
    answer = _answer(f"image {name}", hits, (*bare, *_unchecked(connection)))
    return msgspec.structs.replace(answer, images=len({(each.repository, each.digest) for each in listed.values()}))


def _components(connection: Connection, name: str, constraint: Constraint) -> Iterator[tuple[int, str]]:
    """Yield the components that are meant, each with what is not certain of it."""
    component, subject = tables.component, tables.subject
    ecosystems = connection.execute(select(subject.c.ecosystem).distinct()).scalars().all()
    by_subject = or_(
        *((subject.c.ecosystem == each) & (subject.c.name == stored_name(each, name)) for each in ecosystems)
    )
    of_source = set(connection.execute(select(subject.c.component).where(by_subject)).scalars()) if ecosystems else ()
    own = set(connection.execute(select(component.c.id).where(component.c.name == name)).scalars())
    numbers = sorted(own.union(of_source))
    for chunk in _chunks(numbers):
        query = (
            select(component.c.id, component.c.type, component.c.version, subject.c.ecosystem, subject.c.version)
            .outerjoin(subject, (subject.c.component == component.c.id) & (subject.c.position == 0))
            .where(component.c.id.in_(chunk))
        )
        for number, kind, version, ecosystem, asked in connection.execute(query):
            compared = version if number in own else asked
            holds = constraint.holds(compared, ecosystem or "", kind)
            if holds is None:
                yield number, f"{compared} cannot be compared"
            elif holds:
                yield number, ""


def _placed(connection: Connection, link: Table, members: Sequence[int], whose: Whose) -> list[_Placed]:
    """Return where components or files are, in promotions that count."""
    held, variant, promotion = tables.variant_bucket, tables.variant, tables.promotion
    member = next(iter(link.primary_key.columns))
    rows: list[Row[Any]] = []
    for chunk in _chunks(members):
        query = (
            select(variant.c.promotion, variant.c.platform, variant.c.digest, held.c.inherited, member.label("member"))
            .select_from(link)
            .join(held, held.c.bucket == link.c.bucket)
            .join(variant, variant.c.id == held.c.variant)
            .join(promotion, promotion.c.id == variant.c.promotion)
            .where(member.in_(chunk), promotion.c.retired_at.is_(None), whose.condition())
        )
        rows += connection.execute(query)
    listed = {each.number: each for each in promotions(connection, sorted({row[0] for row in rows}), whose=whose)}
    return [
        _Placed(listed[row.promotion], row.platform, row.digest, row.inherited, row.member)
        for row in rows
        if row.promotion in listed
    ]


def _rows(connection: Connection, numbers: Mapping[int, object]) -> dict[int, Row[Any]]:
    component = tables.component
    found: dict[int, Row[Any]] = {}
    for chunk in _chunks(list(numbers)):
        for row in connection.execute(select(component).where(component.c.id.in_(chunk))):
            found[row.id] = row
    return found


def _known(connection: Connection, numbers: Sequence[int]) -> dict[int, list[tuple[Known, float]]]:
    finding = tables.finding
    found: dict[int, list[tuple[Known, float]]] = {}
    for chunk in _chunks(numbers):
        query = select(finding.c.component, finding.c.since, finding.c.facts).where(finding.c.component.in_(chunk))
        for number, since, facts in connection.execute(query.order_by(finding.c.vulnerability)):
            found.setdefault(number, []).append((msgspec.json.decode(facts, type=Known), since))
    return found


def _unchecked(connection: Connection) -> tuple[str, ...]:
    """Say how much has never been matched: no finding of it is no evidence of absence."""
    component, state = tables.component, tables.state
    query = select(func.count()).select_from(component).join(state, state.c.id == component.c.state)
    number = connection.execute(query.where(state.c.lineage == "")).scalar_one()
    told = f"{number} packages were never matched with advisories: `imagegate recheck` does it"
    return (told,) if number else ()


def _package(placed: _Placed, row: Row[Any], note: str = "") -> Hit:
    return _hit(placed, package=row.name, version=row.version, type=row.type, purl=row.purl, note=note)


def _finding(placed: _Placed, row: Row[Any], known: Known, since: float) -> Hit:
    return msgspec.structs.replace(
        _package(placed, row),
        since=_time(max(since, placed.promotion.promoted_at)),
        vulnerability=known.id,
        severity=known.severity.value,
        fix=known.fix,
        exploited=known.exploited,
        aliases=known.aliases,
        reason=known.reason,
    )


def _hit(placed: _Placed, **fields: Any) -> Hit:
    of = placed.promotion
    return Hit(
        of.repository,
        of.digest,
        of.tags,
        placed.platform,
        placed.image,
        of.team,
        of.base,
        of.base_digest,
        placed.inherited,
        _time(of.promoted_at),
        **fields,
    )


def _answer(question: str, hits: list[Hit], notes: tuple[str, ...] = ()) -> Answer:
    hits.sort(key=lambda each: (each.repository, each.digest, each.platform, each.package, each.version, each.path))
    return Answer(question, len({(each.repository, each.digest) for each in hits}), tuple(hits), notes)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _chunks(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), _CHUNK):
        yield numbers[start : start + _CHUNK]
