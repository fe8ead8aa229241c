"""`imagegate generate`: a Jenkinsfile for each repository of a teams file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from imagegate.cli.app import App, titled

if TYPE_CHECKING:
    from imagegate.jenkins.generate import Decision
    from imagegate.jenkins.teams import Teams


class Wanted(msgspec.Struct, frozen=True):
    """A file to be: of a checkout, `script` in it, with its stamp."""

    checkout: str
    script: str
    text: str


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
    for each in _rendered(teams, templates, wanted):
        file = _inside(into, each)
        existing = file.read_text(errors="surrogateescape") if file.is_file() else None
        decision = generated.decide(
            existing, each.text, generated.from_history(file), overwrite=each.checkout in overwrite
        )
        shown.append(_told(each, decision, existing, diff=diff))
        changes = decision.text is not None
        unsettled |= decision.state in (generated.State.CONFLICT, generated.State.FOREIGN) or (check and changes)
        if decision.text is not None and patches:
            from imagegate.jenkins.patch import patch

            name = each.checkout if each.script == "Jenkinsfile" else f"{each.checkout}-{each.script}"
            write_atomically(patches / f"{name.replace('/', '-')}.patch", patch(existing, decision.text, each.script))
        elif decision.text is not None and not check:
            write_atomically(file, decision.text)
        results.append(Generated(each.checkout, str(file), decision.state.value, changes))
    app.answer(titled("generated", {"files": results}), lambda: "\n".join(shown))
    return int(unsettled)


def _inside(into: Path, wanted: Wanted) -> Path:
    """Return where a Jenkinsfile is. Raises UsageError where a link of a checkout leads elsewhere."""
    from imagegate.errors import UsageError

    checkout = into / wanted.checkout
    file = checkout / wanted.script
    inside = checkout.resolve().is_relative_to(into.resolve()) and file.resolve().is_relative_to(checkout.resolve())
    if file.is_symlink() or not inside:
        raise UsageError(f"{file} is a link", why="what it leads to is not the repository's", hint="Remove the link.")
    return file


def _read(file: Path) -> Teams:
    from imagegate.jenkins.teams import read_teams
    from imagegate.yamlfile import load_yaml

    return read_teams(load_yaml(file))


def _selected(teams: Teams, only: tuple[str, ...], overwrite: tuple[str, ...]) -> set[str]:
    """Return the checkouts that are wanted."""
    from difflib import get_close_matches

    from imagegate.errors import UsageError

    known = {each.name for each in teams.repositories}
    if teams.jenkins.recheck and teams.jenkins.recheck.checkout:
        known.add(teams.jenkins.recheck.checkout)
    for name in (*only, *overwrite):
        if name not in known:
            near = get_close_matches(name, sorted(known), n=1)
            raise UsageError(f"there is no repository {name!r}", hint=f"Did you mean {near[0]!r}?" if near else "")
    return set(only) or known


def _rendered(teams: Teams, templates: Path | None, wanted: set[str]) -> list[Wanted]:
    """Render all before anything is written: a mistake in one leaves every file as it was."""
    from imagegate import __version__
    from imagegate.jenkins.generate import stamp
    from imagegate.jenkins.rendering import Templates, template_of

    library = teams.library or f"v{__version__}"
    owners = {team.name: team for team in teams.teams}
    shelf = Templates(templates)
    found = []
    for each in teams.repositories:
        if each.name in wanted:
            text = shelf.render(each, owners[each.team], library)
            found.append(Wanted(each.name, "Jenkinsfile", stamp(text, template=template_of(each), library=library)))
    recheck = teams.jenkins.recheck
    if recheck and recheck.checkout in wanted:
        text = shelf.render_recheck(recheck, library)
        found.append(
            Wanted(recheck.checkout, recheck.job.script, stamp(text, template=recheck.template, library=library))
        )
    return found


def _told(wanted: Wanted, decision: Decision, existing: str | None, *, diff: bool) -> str:
    from imagegate.jenkins.generate import WORDS

    action = "" if decision.text is None else "; written" if existing is not None else "; made"
    name = wanted.checkout if wanted.script == "Jenkinsfile" else f"{wanted.checkout}/{wanted.script}"
    line = f"{decision.state.value:<9} {name}: {WORDS[decision.state]}{action}"
    if not diff or decision.text is None:
        return line
    from difflib import unified_diff

    before, after = (existing or "").splitlines(), decision.text.splitlines()
    return "\n".join(
        [line, *unified_diff(before, after, f"{wanted.checkout}/{wanted.script}", "generated", lineterm="")]
    )
