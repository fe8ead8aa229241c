"""What leaves the inventory: by rules, or because somebody names it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, select

from imagegate.inventory import tables
from imagegate.inventory.hold import ALONE
from imagegate.inventory.outbox import State
from imagegate.inventory.recording import retire
from imagegate.inventory.selection import Listed, promotions
from imagegate.inventory.store import Inventory

_CHUNK = 400


def overdue(connection: Connection, *, keep: int, untagged_days: int, now: float) -> tuple[Listed, ...]:
    """Return what rules let go.

    keep: the newest so many of a repository stay, 0: all. untagged_days: what lost its last tag so long ago leaves, 0:
    never. now: seconds since the epoch.
    """
    promotion = tables.promotion
    query = select(promotion.c.id, promotion.c.untagged_at).where(promotion.c.untagged_at.is_not(None))
    lost: dict[int, float] = {row[0]: row[1] for row in connection.execute(query)}
    later: Counter[str] = Counter()
    found: list[Listed] = []
    for each in sorted(promotions(connection), key=lambda each: -each.promoted_at):
        later[each.repository] += 1
        since = lost.get(each.number, each.promoted_at)
        old = bool(untagged_days) and now - since > untagged_days * 86400
        if (keep and later[each.repository] > keep) or (old and not each.tags):
            found.append(each)
    return tuple(found)


def let_go(
    inventory: Inventory,
    numbers: Sequence[int],
    now: float,
    still: Callable[[Connection], Collection[int]] | None = None,
) -> None:
    """Retire promotions, and drop what then no image has. Who was promoted, and when it left, stays.

    still: returns those that a rule lets go, asked again when nobody else can write: one may have been promoted anew.
    """
    with inventory.transaction() as connection:
        ALONE.take(connection)
        if still:
            numbers = sorted({*numbers} & {*still(connection)})
        retire(connection, numbers, now)
        for chunk in _chunks(numbers):
            variants = select(tables.variant.c.id).where(tables.variant.c.promotion.in_(chunk))
            connection.execute(delete(tables.variant_bucket).where(tables.variant_bucket.c.variant.in_(variants)))
            connection.execute(delete(tables.variant).where(tables.variant.c.promotion.in_(chunk)))
            connection.execute(delete(tables.tag).where(tables.tag.c.promotion.in_(chunk)))
        _sweep(connection)


def forget(inventory: Inventory, before: float) -> None:
    """Drop the changes and notices of a time that is over, in seconds since the epoch; what is not told yet stays."""
    delta, notice, batch = tables.delta, tables.notice, tables.batch
    over = (State.SENT.value, State.FAILED.value)
    with inventory.transaction() as connection:
        ALONE.take(connection)
        told = delta.c.reported_at.is_not(None) & delta.c.batch.is_not(None)
        connection.execute(delete(delta).where(delta.c.at < before, told))
        connection.execute(delete(notice).where(notice.c.at < before, notice.c.state.in_(over)))
        used = exists().where(delta.c.batch == batch.c.id) | exists().where(notice.c.batch == batch.c.id)
        connection.execute(delete(batch).where(batch.c.at < before, ~used))
        _sweep(connection)


def _sweep(connection: Connection) -> None:
    """Delete buckets of no image, then packages and files of no bucket; of what was told, the package stays."""
    component, file, bucket = tables.component, tables.file, tables.bucket
    held, members, files = tables.variant_bucket, tables.bucket_component, tables.bucket_file
    unheld = select(bucket.c.id).where(~exists().where(held.c.bucket == bucket.c.id))
    for link in (members, files):
        connection.execute(delete(link).where(link.c.bucket.in_(unheld)))
    connection.execute(delete(bucket).where(bucket.c.id.in_(unheld)))
    connection.execute(delete(file).where(_unused(file, files)))
    # Slots are locked by who re-checks, in this order: it is not in the midst of these packages.
    connection.execute(select(tables.slot.c.slot).order_by(tables.slot.c.slot).with_for_update()).all()
    gone = select(component.c.id).where(
        _unused(component, members), ~exists().where(tables.delta.c.component == component.c.id)
    )
    for table in (tables.subject, tables.finding):
        connection.execute(delete(table).where(table.c.component.in_(gone)))
    connection.execute(delete(component).where(component.c.id.in_(gone)))


def _unused(table: Table, link: Table) -> ColumnElement[bool]:
    return ~exists().where(link.c[table.name] == table.c.id)


def _chunks(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), _CHUNK):
        yield numbers[start : start + _CHUNK]
