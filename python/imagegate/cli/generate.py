"""`imagegate generate`: a Jenkinsfile for each repository of a teams file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from imagegate.cli.app import App, titled

if TYPE_CHECKING:
    from imagegate.jenkins.generate import Decision
    from imagegate.jenkins.teams import Repository, Teams


class Generated(msgspec.Struct, frozen=True):
    """One repository's file. written: whether it was, or with --check would be."""

    repository: str
    file: str
    state: str
    written: bool


def teams_option(verb: click.decorators.FC) -> click.decorators.FC:
    """`--teams`."""
    return click.option(
        "--teams",
        "teams_file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        default="teams.yaml",
        show_default=True,
        help="Who has which repositories.",
    )(verb)


@click.command()
@teams_option
@click.option(
    "--templates",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A site's own templates, which may extend the shipped ones.",
)
@click.option(
    "--into",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    show_default=True,
    help="Directory with the checkouts, each under its repository's name.",
)
@click.option("--only", multiple=True, metavar="REPOSITORY", help="Only this repository. May repeat.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when something is not as it is generated.")
@click.option("--diff", is_flag=True, help="Show what changes, line by line.")
@click.option(
    "--overwrite", multiple=True, metavar="REPOSITORY", help="Replace what was edited by hand there. May repeat."
)
@click.option(
    "--pull-requests",
    "patches",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIRECTORY",
    help="Write a patch for `git am` for each repository, and leave the checkouts as they are.",
)
@click.pass_obj
def generate(
    app: App,
    teams_file: Path,
    templates: Path | None,
    into: Path,
    only: tuple[str, ...],
    check: bool,
    diff: bool,
    overwrite: tuple[str, ...],
    patches: Path | None,
) -> int:
    """Write a Jenkinsfile for each repository of a teams file.

    A file that is as it was generated is replaced; one that was edited by hand keeps its edits, which are merged with
    what is new, or is left alone and reported. Exit 1: a conflict is left, or --check found a difference.
    """
    from imagegate.jenkins import generate as generated
    from imagegate.report import write_atomically

    teams = _read(teams_file)
    wanted = _selected(teams, only, overwrite)
    results, shown, unsettled = [], [], False
    for repository, text in _rendered(teams, templates, wanted):
        file = _inside(into, repository.name)
        existing = file.read_text(errors="surrogateescape") if file.is_file() else None
        decision = generated.decide(
            existing, text, generated.from_history(file), overwrite=repository.name in overwrite
        )
        shown.append(_told(repository.name, decision, existing, diff=diff))
        changes = decision.text is not None
        unsettled |= decision.state in (generated.State.CONFLICT, generated.State.FOREIGN) or (check and changes)
        if decision.text is not None and patches:
            from imagegate.jenkins.patch import patch

            write_atomically(patches / f"{repository.name.replace('/', '-')}.patch", patch(existing, decision.text))
        elif decision.text is not None and not check:
            write_atomically(file, decision.text)
        results.append(Generated(repository.name, str(file), decision.state.value, changes))
    app.answer(titled("generated", {"files": results}), lambda: "\n".join(shown))
    return int(unsettled)


def _inside(into: Path, name: str) -> Path:
    """Return where a repository's Jenkinsfile is. Raises UsageError where a link of a checkout leads elsewhere."""
    from imagegate.errors import UsageError

    file = into / name / "Jenkinsfile"
    if file.is_symlink() or not file.resolve().is_relative_to(into.resolve()):
        raise UsageError(f"{file} is a link", why="what it leads to is not the repository's", hint="Remove the link.")
    return file


def _read(file: Path) -> Teams:
    from imagegate.jenkins.teams import read_teams
    from imagegate.yamlfile import load_yaml

    return read_teams(load_yaml(file))


def _selected(teams: Teams, only: tuple[str, ...], overwrite: tuple[str, ...]) -> list[Repository]:
    from difflib import get_close_matches

    from imagegate.errors import UsageError

    known = {each.name: each for each in teams.repositories}
    for name in (*only, *overwrite):
        if name not in known:
            near = get_close_matches(name, list(known), n=1)
            raise UsageError(f"there is no repository {name!r}", hint=f"Did you mean {near[0]!r}?" if near else "")
    return [known[name] for name in only] or list(known.values())


def _rendered(teams: Teams, templates: Path | None, wanted: list[Repository]) -> list[tuple[Repository, str]]:
    """Render all before anything is written: a mistake in one leaves every file as it was."""
    from imagegate import __version__
    from imagegate.jenkins.generate import stamp
    from imagegate.jenkins.rendering import Templates, template_of

    library = teams.library or f"v{__version__}"
    owners = {team.name: team for team in teams.teams}
    shelf = Templates(templates)
    return [
        (
            repository,
            stamp(
                shelf.render(repository, owners[repository.team], library),
                template=template_of(repository),
                library=library,
            ),
        )
        for repository in wanted
    ]


def _told(name: str, decision: Decision, existing: str | None, *, diff: bool) -> str:
    from imagegate.jenkins.generate import WORDS

    action = "" if decision.text is None else "; written" if existing is not None else "; made"
    line = f"{decision.state.value:<9} {name}: {WORDS[decision.state]}{action}"
    if not diff or decision.text is None:
        return line
    from difflib import unified_diff

    before, after = (existing or "").splitlines(), decision.text.splitlines()
    return "\n".join([line, *unified_diff(before, after, f"{name}/Jenkinsfile", "generated", lineterm="")])
