"""`imagegate policy`: for those who write policies."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagegate.cli.app import App

if TYPE_CHECKING:
    from imagegate.policy.lint import SpecGate

from imagegate.cli.policy_cases import diff, test

_FILE = click.Path(path_type=Path)


@click.group()
def policy() -> None:
    """Lint, convert, show and compare policy documents."""


policy.add_command(test)
policy.add_command(diff)


@policy.command()
@click.argument("named", metavar="NAME|FILE")
@click.option(
    "--spec", type=_FILE, metavar="FILE", help="A server's policy spec (JSON), to be checked against as well."
)
@click.option("--server", "ask", is_flag=True, help="Check against what the Anchore server of the settings knows.")
@click.pass_obj
def lint(app: App, named: str, spec: Path | None, ask: bool) -> int:
    """Say what is wrong with a document, or will surprise, each with its line.

    Exits with 1 when there is anything to say.
    """
    from imagegate.cli.console import printable
    from imagegate.errors import UsageError
    from imagegate.policy import lint as linter
    from imagegate.policy.document import parse_document, read_document
    from imagegate.policy.shipped import find

    if spec and ask:
        raise UsageError("--spec and --server are two sources of the same", hint="Give one of them.")
    file = find(named)
    raw = read_document(file)
    gates = _spec(spec) if spec else _spec_of_server(app) if ask else None
    notes = linter.lint(parse_document(raw, str(file)), str(file), datetime.now(UTC), gates)
    known = linter.lines(raw.decode())
    notes = sorted((linter.located(note, known) for note in notes), key=lambda note: note.line)
    if app.as_json:
        app.print_json("policy-lint", {"file": str(file), "notes": notes})
    for note in () if app.as_json else notes:
        kind = "" if note.mistake else "warning: "
        click.echo(printable(f"{file}:{note.line}: {kind}{note.place}: {note.what}"))
    return 1 if notes else 0


@policy.command()
@click.argument("named", metavar="NAME|FILE")
@click.option("--to", "version", required=True, metavar="VERSION", help="1_0 (Engine) or 2 (Enterprise).")
@click.option("--output", "-o", type=_FILE, metavar="FILE", help="A .json or .yaml file. Default: standard output.")
@click.pass_obj
def convert(app: App, named: str, version: str, output: Path | None) -> None:
    """Write a document in the words of the other version. Nothing is lost; comments of YAML are."""
    from imagegate.policy.convert import convert as converted
    from imagegate.policy.document import load_document
    from imagegate.policy.shipped import find
    from imagegate.report import write_atomically

    file = find(named)
    as_yaml = (output or file).suffix in (".yaml", ".yml") and not app.as_json
    text = _dump(converted(load_document(file), version), as_yaml=as_yaml)
    if output:
        write_atomically(output, text)
        app.say(f"written: {output}")
    else:
        click.echo(text, nl=False)


@policy.command()
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@click.pass_obj
def waivers(app: App, files: tuple[Path, ...]) -> None:
    """Print waivers as a whitelist of a policy document, for an Anchore server."""
    from imagegate.policy.waivers import read_waivers, whitelist
    from imagegate.yamlfile import load_yaml

    document, left_out = whitelist(read_waivers(load_yaml(file) for file in files))
    for line in left_out:
        app.say(f"left out: {line}")
    click.echo(_dump(document, as_yaml=False), nl=False)


@policy.command()
@click.argument("named", metavar="NAME|FILE")
@click.option("--output", "-o", type=_FILE, metavar="FILE", help="Write the page, in Markdown, to a file.")
@click.pass_obj
def show(app: App, named: str, output: Path | None) -> None:
    """Print what a document demands, in the order in which an image meets it."""
    from imagegate.cli.console import printable
    from imagegate.policy.document import load_bundle
    from imagegate.policy.page import page
    from imagegate.policy.shipped import find
    from imagegate.report import write_atomically

    bundle = load_bundle(find(named))
    if app.as_json:
        app.print_json("policy", {"policy": bundle.document})
        return
    text = page(bundle, datetime.now(UTC))
    if output:
        write_atomically(output, text)
        app.say(f"written: {output}")
    else:
        click.echo(printable(text), nl=False)


def _spec(file: Path) -> list[SpecGate]:
    import msgspec

    from imagegate.errors import PolicyError
    from imagegate.policy.lint import SpecGate

    try:
        return msgspec.json.decode(file.read_bytes(), type=list[SpecGate])
    except (OSError, msgspec.DecodeError) as error:
        hint = "It is what the server answers to GET /system/policy_spec."
        raise PolicyError(f"{file} is no policy spec", why=str(error), hint=hint) from error


def _spec_of_server(app: App) -> list[SpecGate]:
    import msgspec

    from imagegate.errors import AnchoreError
    from imagegate.policy.lint import SpecGate

    client = app.factory.anchore()
    try:
        return msgspec.convert(client.policy_spec(), type=list[SpecGate])
    except msgspec.ValidationError as error:
        raise AnchoreError(f"the policy spec of {client.session.host} cannot be read", why=str(error)) from error


def _dump(document: dict[str, Any], *, as_yaml: bool) -> str:
    import json

    if not as_yaml:
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    import yaml

    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
