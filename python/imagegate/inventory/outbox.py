"""What was told, and what is still to be sent.

News is turned into notices in one transaction, an outbox: from then on none is lost, and none is written twice. A
notice is taken for sending, sent, and noted as sent. Who dies between the last two leaves it as `sending`; it is sent
again once nobody can be at it any more, under the same key, by which the receiver can tell.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, update

from imagegate.inventory import tables
from imagegate.inventory.store import Inventory
from imagegate.model.news import Message

_CHUNK = 400
MOST = 12
"""Attempts, each with its retries, after which a notice waits for somebody to look."""


class State(StrEnum):
    """How far a notice is."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


class Notice(msgspec.Struct, frozen=True):
    """A message for a channel. key: the same with every sending. attempts: how many there were."""

    number: int
    key: str
    channel: str
    message: Message
    attempts: int = 0


def unreported() -> ColumnElement[bool]:
    """Changes that no report told of."""
    return tables.delta.c.reported_at.is_(None)


def unnoticed() -> ColumnElement[bool]:
    """Changes that no notice tells of."""
    return tables.delta.c.batch.is_(None)


def between(since: float, until: float) -> ColumnElement[bool]:
    """Changes that were found in a span of time, in seconds since the epoch."""
    return (tables.delta.c.at >= since) & (tables.delta.c.at <= until)


def of_batch(batch: int) -> ColumnElement[bool]:
    """Changes that were taken together."""
    return tables.delta.c.batch == batch


def reported(inventory: Inventory, numbers: Sequence[int], now: float) -> None:
    """Note that a report told of changes."""
    delta = tables.delta
    with inventory.transaction() as connection:
        for chunk in _chunks(numbers):
            mine = delta.c.id.in_(chunk) & delta.c.reported_at.is_(None)
            connection.execute(update(delta).where(mine).values(reported_at=now))


def take(connection: Connection, now: float, every: float = 0.0) -> int | None:
    """Take the changes that no notice tells of, for this transaction to write notices of. None: there are none, or the
    last were taken less than `every` seconds ago. Who takes at the same time takes others.
    """
    delta, batch = tables.delta, tables.batch
    if not is_due(connection, now, every):
        return None
    numbers = connection.execute(
        select(delta.c.id).where(unnoticed()).order_by(delta.c.id).with_for_update(skip_locked=True)
    ).scalars()
    mine = list(numbers)
    if not mine:
        return None
    number = connection.execute(batch.insert().values(at=now).returning(batch.c.id)).scalar_one()
    for chunk in _chunks(mine):
        connection.execute(update(delta).where(delta.c.id.in_(chunk)).values(batch=number))
    return int(number)


def is_due(connection: Connection, now: float, every: float) -> bool:
    """Whether the last changes were taken at least `every` seconds ago."""
    # One of a clock that was ahead says nothing.
    last = connection.execute(select(func.max(tables.batch.c.at)).where(tables.batch.c.at <= now)).scalar()
    return last is None or now - last >= every


def drop(inventory: Inventory, channels: Collection[str], now: float) -> dict[str, int]:
    """Give up the notices of channels that there are no more, and return how many of each channel."""
    notice = tables.notice
    gone = notice.c.state.in_((State.PENDING.value, State.SENDING.value)) & notice.c.channel.not_in(list(channels))
    with inventory.transaction() as connection:
        rows = connection.execute(select(notice.c.channel, func.count()).where(gone).group_by(notice.c.channel)).all()
        if rows:
            fresh = {"state": State.FAILED.value, "state_at": now, "error": "there is no such channel any more"}
            connection.execute(update(notice).where(gone).values(**fresh))
    return {row[0]: int(row[1]) for row in rows}


def write(connection: Connection, batch: int, messages: Iterable[tuple[str, Message]], now: float) -> None:
    """Write notices: channel and message of each."""
    rows = [
        {
            "key": secrets.token_hex(16),
            "batch": batch,
            "at": now,
            "team": message.team,
            "channel": channel,
            "message": msgspec.json.encode(message).decode(),
            "state": State.PENDING.value,
            "state_at": now,
            "attempts": 0,
            "error": "",
        }
        for channel, message in messages
    ]
    if rows:
        connection.execute(tables.notice.insert(), rows)


def waiting(connection: Connection, now: float, lease: float) -> tuple[Notice, ...]:
    """Return the notices that would be sent now, and change nothing."""
    rows = connection.execute(_columns().where(_due(now, lease)).order_by(tables.notice.c.id))
    return tuple(_notice(*row) for row in rows)


def next_notice(
    inventory: Inventory, now: float, lease: float, tried: Collection[int], channels: Collection[str]
) -> Notice | None:
    """Take the next notice of some channels for sending.

    lease: seconds after which who took one cannot be at it any more. tried: not these again.
    """
    notice = tables.notice
    with inventory.transaction() as connection:
        row = connection.execute(
            _columns()
            .where(_due(now, lease), notice.c.id.not_in(list(tried)), notice.c.channel.in_(list(channels)))
            .order_by(notice.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).first()
        if row is None:
            return None
        taken = _notice(*row)
        fresh = {"state": State.SENDING.value, "state_at": now, "attempts": taken.attempts + 1}
        connection.execute(update(notice).where(notice.c.id == taken.number).values(**fresh))
        return msgspec.structs.replace(taken, attempts=taken.attempts + 1)


def sent(inventory: Inventory, taken: Notice, now: float) -> None:
    """Note that a notice was sent."""
    _settle(inventory, taken, State.SENT, now, "")


def not_sent(inventory: Inventory, taken: Notice, now: float, error: str) -> None:
    """Note why a notice could not be sent; the next run tries again, up to `MOST` times."""
    _settle(inventory, taken, State.FAILED if taken.attempts >= MOST else State.PENDING, now, error)


def revive(inventory: Inventory, now: float) -> None:
    """Let the notices be sent again that were given up."""
    notice = tables.notice
    with inventory.transaction() as connection:
        fresh = {"state": State.PENDING.value, "state_at": now, "attempts": 0}
        connection.execute(update(notice).where(notice.c.state == State.FAILED.value).values(**fresh))


def given_up(connection: Connection) -> int:
    """Return how many notices were given up."""
    notice = tables.notice
    query = select(func.count()).select_from(notice).where(notice.c.state == State.FAILED.value)
    return int(connection.execute(query).scalar_one())


def _settle(inventory: Inventory, taken: Notice, state: State, now: float, error: str) -> None:
    notice = tables.notice
    with inventory.transaction() as connection:
        fresh = {"state": state.value, "state_at": now, "error": error[:1000]}
        # Somebody who was slower than the lease must not undo what another has noted since.
        mine = (notice.c.id == taken.number) & (notice.c.attempts == taken.attempts)
        connection.execute(update(notice).where(mine).values(**fresh))


def _due(now: float, lease: float) -> ColumnElement[bool]:
    notice = tables.notice
    lost = (notice.c.state == State.SENDING.value) & (notice.c.state_at < now - lease)
    return or_(notice.c.state == State.PENDING.value, lost)


def _columns() -> Select[Any]:
    notice = tables.notice
    return select(notice.c.id, notice.c.key, notice.c.channel, notice.c.message, notice.c.attempts)


def _notice(number: int, key: str, channel: str, message: str, attempts: int) -> Notice:
    return Notice(number, key, channel, msgspec.json.decode(message, type=Message), attempts)


def _chunks(numbers: Sequence[int]) -> Iterable[Sequence[int]]:
    for start in range(0, len(numbers), _CHUNK):
        yield numbers[start : start + _CHUNK]
