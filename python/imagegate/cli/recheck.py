"""`imagegate recheck`: which promoted images a new or changed vulnerability hits, whose they are, and what fixes it."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagegate.cli.app import App, titled
from imagegate.errors import UsageError

if TYPE_CHECKING:
    from imagegate.cli.recheck_source import Done, Source
    from imagegate.inventory.changed import Where
    from imagegate.inventory.look import Look
    from imagegate.inventory.store import Inventory

MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])
"""A day or a time, in UTC."""
_SINCE = click.option("--since", type=MOMENT, help="Tell all that was found since then (UTC), told before or not.")
_OUTPUT = click.option(
    "--output",
    "-o",
    "outputs",
    multiple=True,
    metavar="FORMAT=FILE",
    help="Write a report: html, json, junit, markdown or text. May repeat.",
)


@click.group(invoke_without_command=True)
@click.option(
    "--full",
    is_flag=True,
    help="Match every package again, or ask the Anchore server about every image; and evaluate every image.",
)
@click.option("--shard", metavar="I/N", help="Do part I of N only, and tell nothing: `recheck report` tells all.")
@_SINCE
@_OUTPUT
@click.pass_context
def recheck(
    ctx: click.Context, full: bool, shard: str | None, since: datetime | None, outputs: tuple[str, ...]
) -> int | None:
    """Say which promoted images new and changed advisories hit, whose they are, and what fixes it.

    Exit codes: 0 nothing new at or above recheck.threshold, 1 something, 2 could not decide: advisories are missing or
    older than advisories.max_age_days, the Anchore server says nothing of an image, a policy cannot be evaluated, or
    somebody could not be told.
    """
    if ctx.invoked_subcommand:
        if full or shard or since or outputs:
            raise UsageError(f"give the options of `recheck {ctx.invoked_subcommand}` after it")
        return None
    app: App = ctx.obj
    reports = _reports(outputs)
    if shard and (reports or since):
        raise UsageError("a shard tells nothing", hint="Run `imagegate recheck report` when all shards are done.")
    part = _shard(shard) if shard else None
    from imagegate.cli.notices import tell_teams
    from imagegate.cli.reading import tell_if_empty
    from imagegate.cli.recheck_source import open_source

    # A run makes very many values that stay to its end: to look for cycles among them takes a tenth of it.
    gc.disable()
    ctx.call_on_close(gc.enable)
    now = time.time()
    with open_source(app) as source, app.factory.keeper.open() as inventory:
        tell_if_empty(app, inventory)
        done = source.recheck(inventory, part, full=full, now=now)
        problems = (*done.problems, *source.undecided(inventory, now))
        if shard:
            return _tell_shard(app, shard, done, problems)
        look = make_look(app, now)
        code = _report(app, inventory, look, problems, since, reports, source if full else None)
        told = tell_teams(app, inventory, look)
    for each in told.failures:
        click.echo(f"imagegate: {each}", err=True)
    return 2 if told.failures else code


@recheck.command()
@click.option("--full", is_flag=True, help="Evaluate every image as well, and tell how all of them stand.")
@_SINCE
@_OUTPUT
@click.pass_obj
def report(app: App, full: bool, since: datetime | None, outputs: tuple[str, ...]) -> int:
    """Tell what runs and shards have found that no report has told yet, or all since a time."""
    reports = _reports(outputs)
    from imagegate.cli.recheck_source import open_source

    now = time.time()
    with open_source(app) as source, app.factory.keeper.open() as inventory:
        problems = tuple(dict.fromkeys((*app.problems, *source.undecided(inventory, now))))
        return _report(app, inventory, make_look(app, now), problems, since, reports, source if full else None)


@recheck.command()
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send and note nothing.")
@click.option("--again", is_flag=True, help="Also what was given up, after a dozen attempts.")
@click.pass_obj
def notify(app: App, dry_run: bool, again: bool) -> int:
    """Send what the teams have not been told yet: one message a team and channel."""
    from imagegate.cli.notices import preview, tell_teams

    now = time.time()
    with app.factory.keeper.open() as inventory:
        if dry_run:
            return preview(app, inventory, make_look(app, now))
        told = tell_teams(app, inventory, make_look(app, now), again=again)
    fields: dict[str, Any] = {"sent": told.sent, "failures": told.failures, "given_up": told.given_up}
    told_so = f"{told.sent} sent, {len(told.failures)} failed, {told.given_up} given up"
    app.answer(titled("notify", fields), lambda: told_so)
    for each in () if app.as_json else told.failures:
        click.echo(f"imagegate: {each}", err=True)
    return 2 if told.failures else 0


def make_look(app: App, now: float) -> Look:
    """Return how news is looked at by the settings in force."""
    from imagegate.inventory.look import Look
    from imagegate.model.news import threshold
    from imagegate.policy.document import parse_bundle

    settings = app.settings
    old = settings.policy.allow_deprecated
    return Look(
        parse=lambda text, name: parse_bundle(text.encode(), name, allow_deprecated=old),
        usual=lambda: app.factory.usual_bundle,
        settings=settings.policy,
        reaches=threshold(settings.recheck.threshold),
        now=now,
        waivers=app.factory.waivers(),
        vex=app.factory.vex(),
        team_of=lambda: app.factory.owners.team_of,
    )


def _shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count) <= 256):
        raise UsageError(f"--shard {text!r} is not I/N", hint="Such as 1/4: the first of four, of 256 at most.")
    return int(index), int(count)


def _tell_shard(app: App, shard: str, done: Done, problems: Sequence[str]) -> int:
    fields = {"shard": shard, "changes": done.changes, "packages": done.packages, "problems": problems}
    lines = [f"shard {shard}: {done.packages} packages matched again, {done.changes} changes"]
    app.answer(
        titled("shard", fields), lambda: "\n".join([*lines, *(f"  could not decide: {each}" for each in problems)])
    )
    return 2 if problems else 0


def _report(
    app: App,
    inventory: Inventory,
    look: Look,
    problems: Sequence[str],
    since: datetime | None,
    reports: Sequence[tuple[str, Path]],
    source: Source | None,
) -> int:
    """Write the reports, print the news, and only then note that it was told: who dies before tells it again.

    source: who says what packages have, where all images are to be evaluated.
    """
    from imagegate.inventory.outbox import between, reported, unreported
    from imagegate.report import write_atomically
    from imagegate.report.news import render

    where: Where = between(since.replace(tzinfo=UTC).timestamp(), look.now) if since else unreported()
    with inventory.reading() as connection:
        news, numbers = look(connection, where, problems)
        if source:
            news = look.standing(connection, news, source.known(), source.silent(connection))
    for name, path in reports:
        write_atomically(path, render(name, news, look.reaches))
    app.answer(news, lambda: render("text", news, look.reaches).rstrip("\n"))
    sys.stdout.flush()
    if not since:
        reported(inventory, numbers, look.now)
    return 2 if news.problems else 1 if news.above else 0


def _reports(outputs: tuple[str, ...]) -> tuple[tuple[str, Path], ...]:
    """Return FORMAT=FILE pairs. Raises UsageError before any work is done."""
    from imagegate.report.news import FORMATS

    found = []
    for text in outputs:
        name, _, file = text.partition("=")
        if not file or name not in FORMATS:
            raise UsageError(f"--output {text!r} is not FORMAT=FILE", hint=f"Formats: {', '.join(FORMATS)}.")
        found.append((name, Path(file)))
    return tuple(found)
