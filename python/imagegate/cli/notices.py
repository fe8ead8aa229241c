"""Telling the teams what a re-check found: news into notices, notices out by their channels."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click
import msgspec

from imagegate.cli.app import App
from imagegate.cli.console import printable
from imagegate.errors import ConfigError, ImagegateError

if TYPE_CHECKING:
    from imagegate.inventory.look import Look
    from imagegate.inventory.outbox import Notice
    from imagegate.inventory.store import Inventory
    from imagegate.model.news import Message, News
    from imagegate.notify.sender import Sender

_EVERY = {"immediate": 0.0, "daily": 23 * 3600.0, "weekly": 7 * 86400 - 3600.0}
"""Seconds between notices at least; an hour less than it says, for a schedule that is not run to the second."""


class Telling(msgspec.Struct, frozen=True):
    """What became of the notices. failures: a line each. given_up: those that are not tried any more."""

    sent: int
    failures: tuple[str, ...] = ()
    given_up: int = 0


def tell_teams(app: App, inventory: Inventory, look: Look, *, again: bool = False) -> Telling:
    """Write notices of what no notice tells of, then send all that wait. again: those that were given up as well."""
    from imagegate.inventory import outbox

    settings = app.settings
    senders: dict[str, Sender] = {name: app.factory.sender(name) for name in settings.notify.channels}
    with inventory.transaction() as connection:
        batch = outbox.take(connection, look.now, _EVERY[settings.notify.digest])
        if batch is not None and senders:
            news, _ = look(connection, outbox.of_batch(batch))
            outbox.write(connection, batch, messages(app, news), look.now)
    if again:
        outbox.revive(inventory, look.now)
    return _send(app, inventory, senders)


def _send(app: App, inventory: Inventory, senders: dict[str, Sender]) -> Telling:
    from imagegate.inventory import outbox

    tried: set[int] = set()
    sent, failures = 0, []
    while notice := outbox.next_notice(inventory, time.time(), lease(app), tried):
        tried.add(notice.number)
        try:
            _sender(senders, notice).send(notice.message, notice.key)
        except ImagegateError as error:
            outbox.not_sent(inventory, notice, time.time(), str(error))
            failures.append(f"team {notice.message.team or '(none)'} is not told: {printable(str(error))}")
        else:
            outbox.sent(inventory, notice, time.time())
            sent += 1
    with inventory.reading() as connection:
        return Telling(sent, tuple(failures), outbox.given_up(connection))


def _sender(senders: dict[str, Sender], notice: Notice) -> Sender:
    if notice.channel not in senders:
        raise ConfigError(f"there is no channel {notice.channel} any more", hint="It is in notify.channels no longer.")
    return senders[notice.channel]


def lease(app: App) -> float:
    """Return seconds after which who took a notice cannot be sending it any more."""
    return 3 * app.settings.http.budget


def messages(app: App, news: News) -> Iterator[tuple[str, Message]]:
    """Yield a message for each team and channel, of what is at or above notify.threshold."""
    from imagegate.inventory.upgrades import with_upgrades
    from imagegate.model.news import Message, part, threshold
    from imagegate.report.news import render, subject

    settings = app.settings.notify
    reaches = threshold(settings.threshold)
    for team in sorted({image.team for image in news.images}):
        channels = [
            name for name, each in settings.channels.items() if any(fnmatchcase(team, glob) for glob in each.teams)
        ]
        mine = with_upgrades(part(news, reaches, team)) if channels else None
        if mine is None or not mine.images:
            continue
        message = Message(
            team,
            subject(mine, team),
            render("markdown", mine, reaches),
            render("html", mine, reaches),
            msgspec.json.encode({"team": team, "news": mine}).decode(),
        )
        for name in channels:
            yield name, message


def preview(app: App, inventory: Inventory, look: Look) -> int:
    """Print what would be sent, and change nothing."""
    from imagegate.inventory import outbox

    with inventory.reading() as connection:
        news, _ = look(connection, outbox.unnoticed())
        old = outbox.waiting(connection, look.now, lease(app))
    found = [*((each.channel, each.message) for each in old), *messages(app, news)]
    if app.as_json:
        told = [{"channel": channel, "team": each.team, "subject": each.subject} for channel, each in found]
        app.print_json("notify", {"waiting": told})
        return 0
    for channel, message in found:
        click.echo(printable(f"--- {channel}: {message.team or '(none)'}\n{message.subject}\n\n{message.markdown}"))
    click.echo(f"{len(found)} would be sent")
    return 0
