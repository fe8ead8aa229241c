"""Telling the teams what a re-check found: news into notices, notices out by their channels."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click
import msgspec

from imagegate.cli.app import App, titled
from imagegate.cli.console import printable
from imagegate.errors import ImagegateError
from imagegate.report.escape import line

if TYPE_CHECKING:
    from imagegate.inventory.look import Look
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
    senders, unusable = _senders(app)
    with inventory.transaction() as connection:
        batch = outbox.take(connection, look.now, _EVERY[settings.notify.digest])
        if batch is not None and settings.notify.channels:
            news, _ = look(connection, outbox.of_batch(batch))
            outbox.write(connection, batch, messages(app, news), look.now)
    if again:
        outbox.revive(inventory, look.now)
    for channel, count in outbox.drop(inventory, settings.notify.channels, look.now).items():
        app.say(f"note: {count} messages are given up, since there is no channel {channel} any more")
    return _send(app, inventory, senders, unusable)


def _senders(app: App) -> tuple[dict[str, Sender], list[str]]:
    """Return what sends, by channel, and what keeps other channels from it: their messages wait."""
    from imagegate.cli.senders import sender

    senders, unusable = {}, []
    for name in app.settings.notify.channels:
        try:
            senders[name] = sender(name, app.settings, app.factory.owners)
        except ImagegateError as error:
            unusable.append(printable(str(error)))
    return senders, unusable


def _send(app: App, inventory: Inventory, senders: dict[str, Sender], failures: list[str]) -> Telling:
    from imagegate.inventory import outbox

    tried: set[int] = set()
    sent = 0
    while notice := outbox.next_notice(inventory, time.time(), lease(app), tried, senders):
        tried.add(notice.number)
        try:
            senders[notice.channel].send(notice.message, notice.key)
        except ImagegateError as error:
            outbox.not_sent(inventory, notice, time.time(), str(error))
            team = line(notice.message.team) or "(none)"
            failures.append(f"team {team} is not told: {line(str(error))}")
        else:
            outbox.sent(inventory, notice, time.time())
            sent += 1
    with inventory.reading() as connection:
        return Telling(sent, tuple(failures), outbox.given_up(connection))


def lease(app: App) -> float:
    """Return seconds after which who took a notice cannot be sending it any more."""
    return 3 * app.settings.http.budget


def messages(app: App, news: News) -> Iterator[tuple[str, Message]]:
    """Yield a message for each team and channel, of what is at or above notify.threshold."""
    from msgspec.structs import replace

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
            # Only a webhook gets the document, which is long where many images are hit.
            yield name, message if settings.channels[name].kind == "webhook" else replace(message, document="")


def preview(app: App, inventory: Inventory, look: Look) -> int:
    """Print what would be sent, and change nothing."""
    from imagegate.inventory import outbox

    _, unusable = _senders(app)
    with inventory.reading() as connection:
        found = [(each.channel, each.message) for each in outbox.waiting(connection, look.now, lease(app))]
        if outbox.is_due(connection, look.now, _EVERY[app.settings.notify.digest]):
            found += messages(app, look(connection, outbox.unnoticed())[0])
    told = [{"channel": channel, "team": each.team, "subject": each.subject} for channel, each in found]
    shown = [
        printable(f"--- {channel}: {line(message.team) or '(none)'}\n{message.subject}\n\n{message.markdown}")
        for channel, message in found
    ]
    document = titled("notify-preview", {"waiting": told, "failures": unusable})
    app.answer(document, lambda: "\n".join([*shown, f"{len(found)} would be sent"]))
    for each in () if app.as_json else unusable:
        click.echo(f"imagegate: {each}", err=True)
    return 2 if unusable else 0
