"""`imagegate db`: fill and inspect the advisory database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from imagegate.cli.app import App


@click.group()
def db() -> None:
    """Fill and inspect the advisory database."""


@db.command("import")
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="DIR|ZIP|FILE..."
)
@click.pass_obj
def import_(app: App, paths: tuple[Path, ...]) -> None:
    """Import OSV records: directories, OSV export archives, .json and .jsonl files, gzip or not.

    Records join those that are there; of two with one id the later modified wins. Readers keep the old state until
    the whole import is done.
    """
    from imagegate.vulnerability.importer import import_files

    report = import_files(paths, app.factory.database_file, now=datetime.now(UTC), progress=app.progress)
    if app.as_json:
        app.print_json("import", {"import": report})
        return
    click.echo(f"imported {report.imported} records into {app.factory.database_file}, skipped {report.skipped}")
    for reason in report.reasons[:10]:
        app.say(f"  skipped {reason}")


@db.command()
@click.pass_obj
def status(app: App) -> None:
    """Print for each ecosystem how many records there are, and how old they are."""
    feeds = app.factory.feeds()
    if app.as_json:
        app.print_json("database", {"file": str(app.factory.database_file), "feeds": feeds})
        return
    width = max((len(feed.ecosystem) for feed in feeds), default=0)
    for feed in feeds:
        newest = f", newest record {feed.newest:%Y-%m-%d}" if feed.newest else ""
        click.echo(
            f"{feed.ecosystem:{width}}  {feed.records:>8} records, imported {feed.synced_at:%Y-%m-%d %H:%M}{newest}"
        )
