"""Which promotions a name stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, or_, select, true

from imagegate.errors import InvalidReference, UsageError
from imagegate.image.reference import DEFAULT_REGISTRY, FORMS, parse, parse_repository
from imagegate.inventory import tables
from imagegate.model import RegistryRef

_CHUNK = 5000
"""Values in one `IN`: SQLite takes no more than 32,766 in a statement."""
_REGISTRY_FORMS = "Write registry/repo, registry/repo:tag or registry/repo@sha256:..."


class Whose(msgspec.Struct, frozen=True):
    """Whose images are meant: a team's, or everybody's where none is named.

    owners: teams by repository, for images whose record names no team.
    """

    team: str = ""
    owners: Mapping[str, str] = {}

    def of(self, repository: str, recorded: str) -> str:
        """Return the team of an image. recorded: what its record names, which goes first."""
        return recorded or self.owners.get(repository, "")

    def condition(self) -> ColumnElement[bool]:
        """Return what holds for the promotions that are meant."""
        if not self.team:
            return true()
        promotion = tables.promotion
        own = sorted(repository for repository, team in self.owners.items() if team == self.team)
        return or_(promotion.c.team == self.team, (promotion.c.team == "") & promotion.c.repository.in_(own))


ANYBODY = Whose()


class Listed(msgspec.Struct, frozen=True):
    """A promotion as it is shown. retired_at: when it left, None while it counts; times in seconds since the epoch."""

    number: int
    repository: str
    digest: str
    tags: tuple[str, ...]
    team: str
    promoted_at: float
    retired_at: float | None
    base: str
    base_digest: str
    policy: str
    facts: dict[str, Any]


def named(text: str, registry: str = "") -> RegistryRef:
    """Return what `registry/repo`, `registry/repo:tag` or `registry/repo@digest` names; without a tag, all of it.

    registry: of a text that names none. Raises InvalidReference, and UsageError for what is in no registry.
    """
    try:
        return RegistryRef(parse_repository(text, registry or DEFAULT_REGISTRY))
    except InvalidReference:
        try:
            reference = parse(text, registry or DEFAULT_REGISTRY)
        except InvalidReference as error:
            raise _in_no_registry(error) from error
    if not isinstance(reference, RegistryRef):
        raise UsageError(f"{text} is in no registry", hint=_REGISTRY_FORMS)
    return reference


def _in_no_registry(error: InvalidReference) -> InvalidReference:
    """Return the error with a hint that names only what is in a registry."""
    kind, _, rest = error.hint.removeprefix("Write ").partition(":")
    hint = _REGISTRY_FORMS if rest and kind in ("oci", "docker-archive") else error.hint.replace(FORMS, _REGISTRY_FORMS)
    return InvalidReference(error.what, why=error.why, hint=hint)


def numbers(connection: Connection, reference: RegistryRef, *, retired: bool = False) -> tuple[int, ...]:
    """Return the promotions that the reference names, by the image's digest or one of its platforms'.

    retired: those that left as well, which no tag names any more.
    """
    promotion, variant, tag = tables.promotion, tables.variant, tables.tag
    wanted = [promotion.c.repository == str(reference.repository)]
    if not retired:
        wanted.append(promotion.c.retired_at.is_(None))
    if reference.digest:
        of_platform = select(variant.c.promotion).where(variant.c.digest == reference.digest)
        wanted.append(or_(promotion.c.digest == reference.digest, promotion.c.id.in_(of_platform)))
    elif reference.tag:
        tagged = (tag.c.repository == str(reference.repository)) & (tag.c.name == reference.tag)
        wanted.append(promotion.c.id.in_(select(tag.c.promotion).where(tagged)))
    rows = connection.execute(select(promotion.c.id).where(*wanted).order_by(promotion.c.id))
    return tuple(rows.scalars())


def promotions(
    connection: Connection, chosen: Sequence[int] | None = None, *, whose: Whose = ANYBODY, retired: bool = False
) -> Iterator[Listed]:
    """Yield promotions by repository and time. chosen: their numbers, None: all; retired: those that left as well."""
    promotion = tables.promotion
    conditions = [whose.condition()]
    if not retired:
        conditions.append(promotion.c.retired_at.is_(None))
    found: list[Listed] = []
    for part in _parts(chosen, promotion.c.id):
        tags = tags_of(connection, part)
        for row in connection.execute(select(promotion).where(*conditions, *part)):
            facts = msgspec.json.decode(row.facts)
            found.append(
                Listed(
                    row.id,
                    row.repository,
                    row.digest,
                    tags.get(row.id, ()),
                    whose.of(row.repository, row.team),
                    row.promoted_at,
                    row.retired_at,
                    facts.get("base", ""),
                    row.base_digest,
                    row.policy,
                    facts,
                )
            )
    yield from sorted(found, key=lambda each: (each.repository, each.promoted_at, each.number))


def has_any(connection: Connection, whose: Whose) -> bool:
    """Say whether an image is, or ever was, the team's."""
    return connection.execute(select(tables.promotion.c.id).where(whose.condition()).limit(1)).first() is not None


def tags_of(connection: Connection, part: Sequence[ColumnElement[bool]]) -> Mapping[int, tuple[str, ...]]:
    """Return the tags of promotions by number. part: a condition on `promotion`."""
    promotion, tag = tables.promotion, tables.tag
    query = select(tag.c.promotion, tag.c.name).join(promotion, promotion.c.id == tag.c.promotion).where(*part)
    found: dict[int, tuple[str, ...]] = {}
    for number, name in connection.execute(query.order_by(tag.c.name)):
        found[number] = (*found.get(number, ()), name)
    return found


def _parts(chosen: Sequence[int] | None, column: ColumnElement[int]) -> Iterator[list[ColumnElement[bool]]]:
    if chosen is None:
        yield []
        return
    for start in range(0, len(chosen), _CHUNK):
        yield [column.in_(chosen[start : start + _CHUNK])]
