"""`imagegate new`: a repository that builds, passes the gate and has a Jenkinsfile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagegate.cli.app import App, titled

if TYPE_CHECKING:
    from imagegate.yamlfile import Located

_OWNER = "owner@example.com"
_INDENT = 6
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def _list(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    from imagegate.jenkins.kinds import KINDS

    if value:
        app = ctx.ensure_object(App)
        kinds = [{"kind": name, "summary": kind.summary} for name, kind in KINDS.items()]
        width = max(map(len, KINDS))
        app.answer(
            titled("kinds", {"kinds": kinds}),
            lambda: "\n".join(f"{name:<{width}}  {kind.summary}" for name, kind in KINDS.items()),
        )
        ctx.exit()


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--kind", required=True, help="What it is; --list tells the kinds.")
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="List the kinds.")
@click.option(
    "--name", metavar="TEAM/APP", help="Repository that the image is promoted into. Default: the directory's."
)
@click.option("--base", metavar="REGISTRY/REPO:TAG", help="Base of an application. Default: platform/debian:12.")
@click.option("--team", default="", help="The team's name. Default: what --name begins with.")
@click.option("--teams", "teams_file", type=_FILE, help="Teams file; its choices are in the Jenkinsfile.")
@click.option("--add", is_flag=True, help="Add the entry to the teams file.")
@click.option("--templates", type=_FOLDER, help="A site's own templates of Jenkinsfiles.")
@click.option("--git", "with_git", is_flag=True, help="Make it a git repository, with a first commit.")
@click.pass_obj
def new(
    app: App,
    directory: Path,
    kind: str,
    name: str | None,
    base: str | None,
    team: str,
    teams_file: Path | None,
    add: bool,
    templates: Path | None,
    with_git: bool,
) -> None:
    """Write a new repository: Dockerfile, application, tests, Jenkinsfile, policy test and README.

    DIRECTORY must be empty, or not there yet. What the teams file needs to know of it is printed, or added.
    """
    from imagegate import __version__
    from imagegate.cli.new_files import prepared, refuse_what_is_there
    from imagegate.jenkins.scaffold import jenkinsfile, new_repository
    from imagegate.jenkins.teams import read_teams
    from imagegate.jenkins.teams_entry import with_entry
    from imagegate.report import write_atomically

    path = _name(name or directory.resolve().name)
    team = team or path.partition("/")[0]
    made = new_repository(kind, path, base=_base(app, base), with_git=with_git)
    refuse_what_is_there(directory)
    teams = read_teams(with_entry(_document(teams_file, team), team, made.entry))
    text = jenkinsfile(teams, path, library=f"v{__version__}", templates=templates)
    longer = _longer(teams_file, team, made.entry) if add else None
    with prepared(directory, {**made.files, "Jenkinsfile": text}, with_git=with_git) as place:
        if teams_file and longer is not None:
            write_atomically(teams_file, longer)
        place()
    files = sorted([*made.files, "Jenkinsfile"])
    app.answer(
        titled("new", {"directory": str(directory), "files": files, "entry": made.entry, "added": add}),
        lambda: _told(directory, files, made.entry, teams_file, add=add),
    )


def _document(teams_file: Path | None, team: str) -> Located:
    """Return the teams file, or a stand-in for one in which nothing is chosen."""
    from imagegate.yamlfile import Located, load_yaml

    if teams_file:
        return load_yaml(teams_file)
    here = "--team"
    owners = Located([Located(_OWNER, here)], here)
    return Located({"teams": Located({team: Located({"owners": owners}, here)}, here)}, here)


def _longer(teams_file: Path | None, team: str, entry: dict[str, Any]) -> str:
    from imagegate.errors import UsageError
    from imagegate.jenkins.teams_entry import add_entry

    if not teams_file:
        raise UsageError("--add needs --teams", hint="Name the file that the entry goes into.")
    # As bytes: Python would turn the ends of lines into its own.
    return add_entry(teams_file.read_bytes().decode(), team, entry)


def _name(text: str) -> str:
    from imagegate.errors import InvalidReference, UsageError
    from imagegate.jenkins.plan import repository_path

    if ":" in text or "@" in text or "." in text.partition("/")[0]:
        raise UsageError(f"--name {text!r} is no path of a repository", hint="Write team/app, without a registry.")
    try:
        return repository_path(text)
    except InvalidReference as error:
        raise UsageError(
            f"--name {text!r} is no path of a repository",
            hint="Write team/app: small letters, digits and the marks . _ - between them.",
        ) from error


def _base(app: App, given: str | None) -> str:
    from imagegate.errors import UsageError
    from imagegate.image.reference import parse
    from imagegate.model import RegistryRef

    trusted = app.settings.trusted.registry
    text = given or (f"{trusted}/platform/debian:12" if trusted else "")
    if not text:
        return ""
    reference = parse(text)
    if not isinstance(reference, RegistryRef):
        raise UsageError(f"--base {text!r} is in no registry", hint="A base is registry/repo:tag.")
    return str(reference)


def _told(directory: Path, files: list[str], entry: dict[str, Any], teams_file: Path | None, *, add: bool) -> str:
    from imagegate.jenkins.teams_entry import entry_text

    made = "\n".join(f"made      {directory / path}" for path in files)
    if add:
        return f"{made}\nchanged   {teams_file}"
    where = teams_file or "teams.yaml"
    return f"{made}\n\nFor {where}, among the repositories of its team:\n\n{entry_text(entry, _INDENT).rstrip()}"
