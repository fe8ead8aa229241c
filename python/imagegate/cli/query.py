"""`imagegate query`: which images have a package, a vulnerability or a file; why; since when."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from imagegate.cli.app import App
from imagegate.cli.console import line
from imagegate.cli.reading import of_nobody, reading, uncovered, whose
from imagegate.errors import InventoryError, UsageError

if TYPE_CHECKING:
    from imagegate.cli.options import Verb
    from imagegate.inventory.query import Answer, Hit

_COLUMNS = (
    *("repository", "tags", "digest", "platform", "team", "package", "version", "type", "path", "vulnerability"),
    *("severity", "fix", "exploited", "inherited", "base", "base_digest", "since", "reason", "note", "purl", "aliases"),
)


@click.group()
def query() -> None:
    """Ask which promoted images have a package, a vulnerability or a file, why, and since when."""


def _options(verb: Verb) -> Verb:
    verb = click.option(
        "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", help="Default: table."
    )(verb)
    return click.option("--team", default="", help="Only this team's images.")(verb)


@query.command()
@click.argument("name")
@click.option("--version", "versions", default="", metavar="CONSTRAINT", help="Such as '<2.17' or '>=2.0,<2.17'.")
@_options
@click.pass_obj
def package(app: App, name: str, versions: str, team: str, form: str) -> None:
    """Which images have this package, by its name or its source package's.

    Versions are compared by the order of the package's ecosystem.
    """
    from imagegate.inventory.constraint import parse_constraint
    from imagegate.inventory.query import of_package

    constraint = parse_constraint(versions)
    meant = whose(app, team)
    with reading(app) as connection:
        answer = of_package(connection, name, constraint, meant)
        _tell(app, answer, form, of_nobody(app, connection, meant))


@query.command()
@click.argument("name", metavar="ID")
@_options
@click.pass_obj
def cve(app: App, name: str, team: str, form: str) -> None:
    """Which images have this vulnerability, by its id or an alias, as of the last re-check."""
    from imagegate.inventory.query import of_vulnerability

    meant = whose(app, team)
    with reading(app) as connection:
        answer = of_vulnerability(connection, name, meant)
        _tell(app, answer, form, (*of_nobody(app, connection, meant), *uncovered(app, connection)))


@query.command()
@click.argument("name", metavar="REGISTRY/REPO[:TAG|@DIGEST]")
@_options
@click.pass_obj
def image(app: App, name: str, team: str, form: str) -> None:
    """What packages an image has, and what is known of them."""
    from imagegate.inventory.query import of_image
    from imagegate.inventory.selection import named, numbers, promotions

    reference = named(name, app.settings.trusted.registry)
    meant = whose(app, team)
    with reading(app) as connection:
        found = [each.number for each in promotions(connection, numbers(connection, reference), whose=meant)]
        if not found:
            of_team = f" as one of team {team}" if team else ""
            raise InventoryError(f"{name} is not in the inventory{of_team}", hint="`imagegate inventory list` has all.")
        _tell(app, of_image(connection, found, name, meant), form, uncovered(app, connection, found))


@query.command()
@click.argument("digest", metavar="sha256:DIGEST")
@_options
@click.pass_obj
def file(app: App, digest: str, team: str, form: str) -> None:
    """Which images have a file with this content: archives of Java, and executables that no package brought."""
    from imagegate.inventory.query import of_file

    if not re.fullmatch("(sha256:)?[0-9a-f]{64}", digest):
        raise UsageError(f"{digest[:90]!r} is no digest", hint="sha256: and 64 hexadecimal digits.")
    meant = whose(app, team)
    with reading(app) as connection:
        answer = of_file(connection, digest.removeprefix("sha256:"), meant)
        _tell(app, answer, form, of_nobody(app, connection, meant))


def _tell(app: App, answer: Answer, form: str, notes: tuple[str, ...]) -> None:
    """Print the answer. notes: what keeps it from being all, beside what it says itself."""
    answer = replace(answer, notes=(*answer.notes, *notes))
    if app.as_json or form == "json":
        app.print_document(answer)
        return
    app.document = answer
    click.echo(_csv(answer) if form == "csv" else _table(answer), nl=False)
    for note in answer.notes:
        app.say(f"note: {line(note)}")


def _csv(answer: Answer) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for hit in answer.hits:
        values = {name: getattr(hit, name) for name in _COLUMNS}
        values |= {"tags": " ".join(hit.tags), "aliases": " ".join(hit.aliases), "since": hit.since.isoformat()}
        writer.writerow(_cell(value) for value in values.values())
    return out.getvalue()


def _cell(value: object) -> str:
    """Names come from images, and a spreadsheet takes what begins so for a formula. (OWASP, "CSV Injection".)"""
    text = str(value).lower() if isinstance(value, bool) else line(str(value))
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _table(answer: Answer) -> str:
    found = [tuple(map(line, _row(hit))) for hit in answer.hits]
    rows = [("IMAGE", "WHAT", "WHY", "SINCE", "TEAM"), *found]
    widths = [min(max(len(row[column]) for row in rows), 90) for column in range(5)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    images = "1 image" if answer.images == 1 else f"{answer.images} images"
    told = line(f"{images} for {answer.question}")
    return "\n".join([*(lines if answer.hits else ()), told]) + "\n"


def _row(hit: Hit) -> tuple[str, str, str, str, str]:
    name = f"{hit.repository}:{hit.tags[0]}" if hit.tags else f"{hit.repository}@{hit.digest[:19]}"
    more = f" (+{len(hit.tags) - 1})" if len(hit.tags) > 1 else ""
    what = hit.path or f"{hit.package} {hit.version}"
    if hit.vulnerability:
        exploited = ", exploited" if hit.exploited else ""
        fix = f", fixed in {hit.fix}" if hit.fix else ", no fix"
        what += f": {hit.vulnerability} {hit.severity}{exploited}{fix}"
    whose = f"from its base {hit.base or hit.base_digest[:19]}".rstrip() if hit.inherited else "its own"
    note = f"; {hit.note}" if hit.note else ""
    return name + more, what, whose + note, f"{hit.since:%Y-%m-%d}", hit.team
