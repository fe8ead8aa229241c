"""`imagegate inventory`: what was promoted, and what comes in and leaves otherwise."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import click

from imagegate.cli.app import App
from imagegate.cli.console import line
from imagegate.cli.options import setting
from imagegate.cli.reading import of_nobody, reading, tell_if_empty, whose
from imagegate.errors import InventoryError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from imagegate.inventory.restore import Restored
    from imagegate.inventory.selection import Listed
    from imagegate.model import RegistryRef, SbomRef

_EXPORT = "export:"


@click.group()
def inventory() -> None:
    """Keep the promoted images and their packages."""


@inventory.command("list")
@click.argument("name", required=False, metavar="[REGISTRY/REPO[:TAG|@DIGEST]]")
@click.option("--team", default="", help="Only this team's.")
@click.option("--retired", is_flag=True, help="Those that left as well.")
@click.pass_obj
def list_(app: App, name: str | None, team: str, retired: bool) -> None:
    """List promoted images."""
    from imagegate.inventory.selection import named, numbers, promotions

    reference = named(name, app.settings.trusted.registry) if name else None
    meant = whose(app, team)
    with reading(app) as connection:
        chosen = numbers(connection, reference, retired=retired) if reference else None
        found = tuple(promotions(connection, chosen, whose=meant, retired=retired))
        notes = of_nobody(app, connection, meant)
    if app.as_json:
        app.print_json("inventory-list", {"promotions": [_told(each) for each in found], "notes": notes})
        return
    for each in found:
        click.echo(_line(each))
    for note in notes:
        app.say(f"note: {line(note)}")


@inventory.command("import")
@click.argument("sources", nargs=-1, metavar="[SOURCE...]")
@click.option("--catalog", metavar="HOST", help="All repositories of a registry.")
@click.option(
    "--list", "listed", type=click.File("r"), metavar="FILE", help="Images, a line each; - is standard input."
)
@click.option("--anchore", is_flag=True, help="All images that the Anchore server has analysed.")
@click.option("--as", "name", default="", metavar="REGISTRY/REPO:TAG", help="Which image the SBOM is of.")
@setting(
    "--platform", key="platform", metavar="OS/ARCH[/VARIANT]", help="Only this platform of an index. Default: all."
)
@setting("--team", key="inventory.team", help="Whose the images are.")
@click.pass_obj
def import_(
    app: App, sources: tuple[str, ...], catalog: str | None, listed: IO[str] | None, anchore: bool, name: str
) -> int:
    """Bring in images that are there already.

    SOURCE is registry/repo (all its tags), registry/repo:tag, registry/repo@sha256:..., sbom:FILE, or export:FILE,
    which `inventory export` wrote. An SBOM is of the image that it names, whose tag is, where the name has none, the
    version of the component that it is about; a name without a registry is of trusted.registry, where that is set.

    What is recorded already is passed over: the same command again goes on where it was interrupted. Exits with 2 when
    an image could not be brought in.
    """
    from imagegate.cli.intake import Intake, read_list

    texts = [*sources, *(read_list(listed) if listed else ())]
    exports = [Path(text.removeprefix(_EXPORT)) for text in texts if text.startswith(_EXPORT)]
    images, sboms = _parsed([text for text in texts if not text.startswith(_EXPORT)])
    if not (texts or catalog or anchore):
        raise UsageError("there is nothing to import", hint="Name a SOURCE, or --catalog, --list or --anchore.")
    if name and len(sboms) != 1:
        raise UsageError("--as is about one SBOM")
    if name:
        from imagegate.cli.intake import sbom_name

        sbom_name(name, app.settings.trusted.registry)
    with app.factory.keeper.open() as opened:
        restored = [_restore(opened, file) for file in exports]
        intake = Intake(app, opened)
        if catalog:
            from imagegate.model import RegistryRef

            images += [RegistryRef(each) for each in app.factory.catalog(catalog)]
        intake.registry(images)
        intake.sboms(sboms, name)
        if anchore:
            intake.anchore(app.factory.anchore())
    report = intake.report
    report.recorded += sum(each.came for each in restored)
    report.known += sum(each.known for each in restored)
    if app.as_json:
        app.print_json("inventory-import", {"import": report})
    else:
        noun, were = "image" if report.recorded == 1 else "images", "was" if report.known == 1 else "were"
        click.echo(f"{report.recorded} {noun} recorded, {report.known} {were} there, {len(report.failed)} failed")
        for each in report.failed:
            app.say(f"  {line(each.image)}: {each.error}")
    return 2 if report.failed else 0


@inventory.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.pass_obj
def export(app: App, file: Path | None) -> None:
    """Write the whole inventory as JSON lines, gzipped where FILE ends with .gz. Default: standard output."""
    from imagegate.inventory.export import lines

    with app.factory.keeper.open() as opened, opened.reading() as connection:
        tell_if_empty(app, opened)
        document = lines(connection, opened.revision, datetime.now(UTC))
        if file is None:
            sys.stdout.buffer.writelines(document)
            return
        partial = file.with_name(f".{file.name}.partial")
        try:
            with gzip.open(partial, "wb", 6) if file.suffix == ".gz" else partial.open("wb") as out:
                out.writelines(document)
            partial.replace(file)
        except OSError as error:
            raise InventoryError(f"{file} cannot be written", why=error.strerror or str(error)) from error
        finally:
            partial.unlink(missing_ok=True)
    app.say(f"{file}: {file.stat().st_size} bytes")


@inventory.command()
@click.argument("names", nargs=-1, required=True, metavar="REGISTRY/REPO[:TAG|@DIGEST]...")
@click.pass_obj
def remove(app: App, names: tuple[str, ...]) -> None:
    """Take images out: all of a repository, a tag's, or one by its digest. The registry is not touched."""
    from imagegate.inventory.selection import named, numbers, promotions

    with app.factory.keeper.open() as opened:
        with opened.reading() as connection:
            chosen: list[Listed] = []
            for text in names:
                found = numbers(connection, named(text, app.settings.trusted.registry))
                if not found:
                    raise InventoryError(f"{text} is not in the inventory", hint="`imagegate inventory list` has all.")
                chosen += promotions(connection, found)
        _let_go(app, opened, chosen, carry_out=True)


@inventory.command()
@setting("--keep", key="inventory.keep", type=click.IntRange(0), metavar="N", help="The newest N of a repository stay.")
@setting(
    "--untagged-days",
    key="inventory.untagged_days",
    type=click.IntRange(0),
    metavar="D",
    help="What lost its last tag more than D days ago leaves.",
)
@setting(
    "--news-days",
    key="inventory.news_days",
    type=click.IntRange(0),
    metavar="D",
    help="What re-checks have found, and told, is forgotten after D days.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would leave.")
@click.pass_obj
def prune(app: App, dry_run: bool) -> None:
    """Let go what the rules of retention say: inventory.keep, inventory.untagged_days and inventory.news_days."""
    from imagegate.inventory.retention import forget, overdue

    rules = app.settings.inventory
    if not (rules.keep or rules.untagged_days or rules.news_days):
        raise UsageError(
            "no rule says what leaves",
            hint="Give --keep, --untagged-days or --news-days, or set inventory.keep, .untagged_days or .news_days.",
        )
    now = datetime.now(UTC).timestamp()
    with app.factory.keeper.open() as opened:
        with opened.reading() as connection:
            chosen = overdue(connection, keep=rules.keep, untagged_days=rules.untagged_days, now=now)

        def still(connection: Connection) -> list[int]:
            found = overdue(connection, keep=rules.keep, untagged_days=rules.untagged_days, now=now)
            return [each.number for each in found]

        _let_go(app, opened, chosen, carry_out=not dry_run, still=still)
        if rules.news_days and not dry_run:
            forget(opened, now - rules.news_days * 86400)


def _let_go(
    app: App,
    opened: object,
    chosen: Sequence[Listed],
    *,
    carry_out: bool,
    still: Callable[[Connection], list[int]] | None = None,
) -> None:
    from imagegate.inventory.retention import let_go
    from imagegate.inventory.store import Inventory

    chosen = tuple({each.number: each for each in chosen}.values())
    if carry_out and chosen:
        let_go(cast(Inventory, opened), [each.number for each in chosen], datetime.now(UTC).timestamp(), still)
    if app.as_json:
        app.print_json("inventory-removed", {"removed": carry_out, "promotions": [_told(each) for each in chosen]})
        return
    for each in chosen:
        click.echo(_line(each))
    click.echo(f"{len(chosen)} {'removed' if carry_out else 'would be removed'}")


def _restore(opened: object, file: Path) -> Restored:
    from imagegate.inventory.restore import restore
    from imagegate.inventory.store import Inventory

    try:
        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
            return restore(cast(Inventory, opened), cast("IO[bytes]", lines), str(file))
    except (OSError, EOFError) as error:
        raise InventoryError(f"{file} cannot be read", why=str(error)) from error


def _parsed(texts: Sequence[str]) -> tuple[list[RegistryRef], list[SbomRef]]:
    from imagegate.image.reference import parse
    from imagegate.inventory.selection import named
    from imagegate.model import SbomRef

    images: list[RegistryRef] = []
    sboms: list[SbomRef] = []
    for text in texts:
        if text.startswith("sbom:"):
            sboms.append(cast(SbomRef, parse(text)))
        else:
            images.append(named(text))
    return images, sboms


def _told(each: Listed) -> dict[str, object]:
    left = datetime.fromtimestamp(each.retired_at, UTC) if each.retired_at else None
    return {
        "repository": each.repository,
        "digest": each.digest,
        "tags": each.tags,
        "team": each.team,
        "promoted_at": datetime.fromtimestamp(each.promoted_at, UTC),
        "retired_at": left,
        "policy": each.policy,
        "base_digest": each.base_digest,
        **each.facts,
    }


def _line(each: Listed) -> str:
    at = datetime.fromtimestamp(each.promoted_at, UTC)
    tags = ",".join(each.tags) or ("retired" if each.retired_at else "-")
    return line(f"{at:%Y-%m-%d}  {each.repository}@{each.digest[:19]}  {tags}{f'  {each.team}' if each.team else ''}")
