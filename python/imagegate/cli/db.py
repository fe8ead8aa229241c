"""`imagegate db`: fill, update, move and inspect the advisory database."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagegate.cli.app import App, titled
from imagegate.cli.options import setting

if TYPE_CHECKING:
    from imagegate.vulnerability.importer import ImportReport
    from imagegate.vulnerability.update.update import UpdateReport


@click.group()
def db() -> None:
    """Fill, update, move and inspect the advisory database."""


@db.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE...]")
@click.option(
    "--from",
    "place",
    metavar="URL|DIR",
    help="Fetch from this mirror or directory. All SOURCEs are then of one publication.",
)
@click.pass_obj
def update(app: App, sources: tuple[str, ...], place: str | None) -> int:
    """Fetch what changed: of osv/PyPI (or pypi), osv (all exports), debian-tracker, alpine-secdb, wolfi-secdb,
    chainguard-secdb, kev, epss.

    Default: advisories.sources, else all. A source that fails keeps no other from being updated; the exit code is then
    2. Interrupted downloads are continued; readers keep the old state until all is merged.
    """
    from imagegate.errors import UsageError
    from imagegate.http.client import HttpClient
    from imagegate.vulnerability.update.catalogue import choose
    from imagegate.vulnerability.update.login import MirrorCredentials
    from imagegate.vulnerability.update.place import origins
    from imagegate.vulnerability.update.update import update as run

    if place:
        together = {source.publication for source in choose(sources)}
        if len(together) != 1:
            raise UsageError("--from is where one thing is published", hint="Name it, such as: osv, osv/PyPI, kev.")
        app.set_flags({f"advisories.urls.{together.pop()}": _absolute(place)})
    settings = app.settings
    chosen = choose(sources or settings.advisories.sources)
    http = HttpClient(settings.http, settings.hosts, MirrorCredentials())
    report = run(
        chosen,
        origins(settings.advisories, settings.hosts, http, app.progress),
        app.factory.database_file,
        app.factory.cache_directory / "advisories",
        now=datetime.now(UTC),
        progress=app.progress,
        waiting=lambda: app.say("waiting for another update"),
    )
    document = titled("update", {"sources": report.sources, "import": report.imported})
    if app.as_json:
        app.print_document(document)
    else:
        app.document = document
        _tell(app, report)
    return 2 if report.failed else 0


@db.command("import")
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="DIR|ZIP|FILE|SNAPSHOT..."
)
@click.option("--older", is_flag=True, help="Let a snapshot take the place of newer advisories.")
@click.pass_obj
def import_(app: App, paths: tuple[Path, ...], older: bool) -> None:
    """Import records, or a snapshot of `db export`, which replaces all.

    Records are OSV's, in directories, export archives, .json and .jsonl files, gzip or not, or a document of another
    source. They join those that are there; of two with one id the later modified wins. Readers keep the old state until
    the whole import is done.
    """
    from imagegate.errors import UsageError
    from imagegate.vulnerability.update.snapshot import is_snapshot

    if any(is_snapshot(path) for path in paths):
        if len(paths) > 1:
            raise UsageError("a snapshot replaces all, so it is imported alone")
        _take(app, paths[0], older)
        return
    from imagegate.vulnerability.importer import import_files

    now = datetime.now(UTC)
    report = import_files(paths, app.factory.database_file, now=now, progress=app.progress)
    _warn_of_old(app, report, now)
    if app.as_json:
        app.print_json("import", {"import": report})
        return
    click.echo(f"imported {report.imported} records into {app.factory.database_file}, skipped {report.skipped}")
    for reason in report.reasons[:10]:
        app.say(f"  skipped {reason}")


@db.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@setting("--key", key="advisories.signing_key", metavar="FILE", help="Ed25519 key (PEM) to sign with.")
@click.option("--unsigned", is_flag=True, help="Do not sign.")
@click.pass_obj
def export(app: App, file: Path, unsigned: bool) -> None:
    """Write the database into one signed file, a snapshot, for sites without network.

    The passphrase of the key is in IMAGEGATE_SNAPSHOT_PASSPHRASE, or in a file that IMAGEGATE_SNAPSHOT_PASSPHRASE_FILE
    names.
    """
    from imagegate.errors import UsageError
    from imagegate.vulnerability.update.signature import SigningKey
    from imagegate.vulnerability.update.snapshot_export import export as run

    named = app.settings.advisories.signing_key
    if not named and not unsigned:
        raise UsageError("there is no key to sign the snapshot with", hint="Name one by --key, or say --unsigned.")
    key = None if unsigned else SigningKey(Path(named).expanduser(), os.environ)
    manifest = run(app.factory.database_file, file, key, now=datetime.now(UTC), progress=app.progress)
    if app.as_json:
        app.print_json("export", {"file": str(file), "manifest": manifest, "key": key.id if key else ""})
        return
    signed = f"signed by the key {key.id}" if key else "not signed"
    click.echo(f"{file}: {file.stat().st_size} bytes, of {manifest.database.size}, {signed}")


@db.command()
@click.pass_obj
def status(app: App) -> None:
    """Print for each source and ecosystem how many records there are, how new, and how old what is known of it is."""
    from imagegate.cli.db_status import document, text
    from imagegate.vulnerability.database import AdvisoryDatabase

    limit = app.settings.advisories.max_age_days
    with AdvisoryDatabase(app.factory.database_file) as database:
        sources, feeds = database.sources(), database.feeds()
    if app.as_json:
        app.print_json("database", document(app.factory.database_file, sources, feeds, limit))
        return
    for line in text(sources, feeds, limit, datetime.now(UTC)):
        click.echo(line)


@db.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.pass_obj
def forget(app: App, sources: tuple[str, ...]) -> None:
    """Drop what came of sources that are not updated any more, such as osv/npm or alpine-secdb.

    An ecosystem is as old as the oldest of its sources: one that nobody updates makes all decisions undecided one day.
    """
    from imagegate.vulnerability.importer import forget as run
    from imagegate.vulnerability.update.catalogue import choose

    chosen = {source.name: source.covers for source in choose(sources)}
    removed = run(chosen, app.factory.database_file, now=datetime.now(UTC))
    told = f"{', '.join(chosen)}: {removed} records dropped"
    app.answer(titled("forget", {"sources": list(chosen), "removed": removed}), lambda: told)


def _warn_of_old(app: App, report: ImportReport, now: datetime) -> None:
    """An age counts from the import: whether somebody's file is of today or of two years ago, only its records tell."""
    days = app.settings.advisories.max_age_days
    for feed in report.feeds if days else ():
        is_imported = abs((feed.synced_at - now).total_seconds()) < 1
        if is_imported and feed.newest and feed.newest < now - timedelta(days=days):
            app.say(
                f"warning: the newest record of {feed.ecosystem} is of {feed.newest:%Y-%m-%d}: "
                f"advisories.max_age_days, {days}, counts from this import, and does not notice that a file was old"
            )


def _tell(app: App, report: UpdateReport) -> None:
    for outcome in ("updated", "unchanged"):
        names = [each.name for each in report.sources if each.outcome == outcome]
        if names:
            click.echo(f"{outcome}: {', '.join(names)}")
    if report.imported:
        did = report.imported
        click.echo(f"{did.imported} records new or changed, {did.removed} removed, {did.skipped} skipped")
        for reason in did.reasons[:10]:
            app.say(f"  skipped {reason}")
    for each in report.failed:
        click.echo(f"failed: {each.name}, which stays as it was: {each.why}", err=True)


def _take(app: App, path: Path, older: bool) -> None:
    from imagegate.vulnerability.update.snapshot import day
    from imagegate.vulnerability.update.snapshot_import import take

    settings = app.settings.advisories
    taken = take(
        path,
        app.factory.database_file,
        keys=[Path(key).expanduser() for key in settings.snapshot_keys],
        unsigned=settings.unsigned_snapshots,
        older=older,
        now=datetime.now(UTC),
        progress=app.progress,
    )
    if app.as_json:
        app.print_json("import", {"snapshot": taken})
        return
    whose = f"signed by the key {taken.key}" if taken.key else "not signed"
    what = "imported the snapshot" if taken.replaced else "the database is this snapshot already"
    click.echo(f"{what}: advisories of {day(taken.manifest.as_of)}, {whose}")


def _absolute(place: str) -> str:
    return place if "://" in place else str(Path(place).expanduser().absolute())
