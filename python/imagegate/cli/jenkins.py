"""`imagegate jenkins`: the jobs of a teams file on a Jenkins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from imagegate.cli.app import App
from imagegate.cli.generate import teams_option
from imagegate.cli.jenkins_answer import answer, answer_removals
from imagegate.cli.jenkins_setup import casc, doctor

if TYPE_CHECKING:
    from imagegate.jenkins.changes import Change
    from imagegate.jenkins.client import Client
    from imagegate.jenkins.sync import Sync
    from imagegate.jenkins.teams import Teams

USER, TOKEN = "IMAGEGATE_JENKINS_USER", "IMAGEGATE_JENKINS_TOKEN"


@click.group()
def jenkins() -> None:
    """Keep a Jenkins as the teams file says: folders, jobs, settings.

    The login is an API token: IMAGEGATE_JENKINS_USER and IMAGEGATE_JENKINS_TOKEN.
    """


jenkins.add_command(casc)
jenkins.add_command(doctor)


def _shared(verb: click.decorators.FC) -> click.decorators.FC:
    """`--teams`, `--server` and `--concurrency`."""
    verb = click.option(
        "--concurrency", type=click.IntRange(1, 64), default=8, show_default=True, help="Requests at once."
    )(verb)
    verb = click.option("--server", metavar="URL", default="", help="The Jenkins (default: jenkins.url of the file).")(
        verb
    )
    return teams_option(verb)


def _choices(verb: click.decorators.FC) -> click.decorators.FC:
    verb = click.option("--diff", is_flag=True, help="Show what changes in each configuration.")(verb)
    verb = click.option("--delete", is_flag=True, help="Also remove jobs of ours that the file has no longer.")(verb)
    return click.option(
        "--overwrite",
        multiple=True,
        metavar="NAME",
        help="Write this one though it was edited by hand, or is not ours. May repeat.",
    )(verb)


@jenkins.command()
@_shared
@_choices
@click.pass_obj
def plan(app: App, /, overwrite: tuple[str, ...], delete: bool, diff: bool, **where: Any) -> int:
    """Show what an apply would do, and write nothing."""
    answer(app, "jenkins-plan", _planned(app, overwrite, delete=delete, **where), diff=diff)
    return 0


@jenkins.command()
@_shared
@click.option("--diff", is_flag=True, help="Show what differs in each configuration.")
@click.pass_obj
def drift(app: App, /, diff: bool, **where: Any) -> int:
    """Exit with 1 when anything is not as the teams file says, and write nothing."""
    from imagegate.jenkins.changes import State

    changes = _planned(app, (), delete=False, **where)
    answer(app, "jenkins-drift", changes, diff=diff)
    return int(any(change.state is not State.CURRENT for change in changes))


@jenkins.command()
@_shared
@_choices
@click.pass_obj
def apply(app: App, /, overwrite: tuple[str, ...], delete: bool, diff: bool, **where: Any) -> int:
    """Make the jobs as the teams file says.

    Only what carries our mark is changed. What was edited by hand, or is not ours, is kept and exits with 1;
    --overwrite takes it over. Nothing is removed without --delete.
    """
    from imagegate.jenkins.changes import UNSETTLED

    teams, sync = _open(app, **where)
    changes = _plan(teams, sync, overwrite, delete=delete)
    sync.apply(changes)
    answer(app, "jenkins-apply", changes, diff=diff, done=True)
    return int(any(change.state in UNSETTLED for change in changes))


@jenkins.command()
@_shared
@click.option("--yes", is_flag=True, help="Remove them; else they are only shown.")
@click.pass_obj
def destroy(app: App, /, yes: bool, **where: Any) -> int:
    """Remove all jobs of ours, with their builds; a folder that holds what is not ours stays."""
    _, sync = _open(app, **where)
    changes = sync.removals()
    if yes:
        sync.apply(changes)
    answer_removals(app, changes, done=yes)
    if changes and not yes:
        app.say("next: --yes removes them, with their builds.")
    return int(bool(changes) and not yes)


def read_teams_file(file: Path) -> Teams:
    """Return what a teams file says. Raises ConfigError."""
    from imagegate.jenkins.teams import read_teams
    from imagegate.yamlfile import load_yaml

    return read_teams(load_yaml(file))


def connect(app: App, url: str) -> Client:
    """Return a client of the Jenkins at a URL. Raises ConfigError, UsageError, AuthenticationFailed."""
    from imagegate.errors import AuthenticationFailed, UsageError
    from imagegate.settings import Host

    if not url:
        raise UsageError("no Jenkins is named", hint="Give --server, or set jenkins.url in the teams file.")
    user, token = os.environ.get(USER), os.environ.get(TOKEN)
    if not user or not token:
        raise AuthenticationFailed(
            "there is no login for Jenkins", hint=f"Set {USER} and {TOKEN}, an API token of that user."
        )
    try:
        from imagegate.jenkins.client import Client
    except ImportError as error:
        raise UsageError("python-jenkins is not installed", hint="pip install 'imagegate[admin]'") from error
    settings = app.settings
    return Client(url, user, token, settings.http, settings.hosts.get(urlsplit(url).netloc, Host()))


def _open(app: App, teams_file: Path, server: str, concurrency: int) -> tuple[Teams, Sync]:
    from imagegate.jenkins.sync import Sync

    teams = read_teams_file(teams_file)
    return teams, Sync(connect(app, server or teams.jenkins.url), teams.jenkins.owner, concurrency)


def _planned(app: App, overwrite: tuple[str, ...], *, delete: bool, **where: Any) -> tuple[Change, ...]:
    teams, sync = _open(app, **where)
    return _plan(teams, sync, overwrite, delete=delete)


def _plan(teams: Teams, sync: Sync, overwrite: tuple[str, ...], *, delete: bool) -> tuple[Change, ...]:
    from difflib import get_close_matches

    from imagegate.errors import UsageError
    from imagegate.jenkins.changes import State
    from imagegate.jenkins.jobs import desired

    changes = sync.plan(desired(teams), overwrite=overwrite, delete=delete)
    known = {str(change.place): change.state for change in changes}
    for name in overwrite:
        if known.get(name) is State.FOREIGN:
            raise UsageError(f"{name} is of another kind, and cannot be taken over", hint="Rename or remove it.")
        if name not in known:
            near = get_close_matches(name, list(known), n=1)
            raise UsageError(f"there is no job {name!r}", hint=f"Did you mean {near[0]!r}?" if near else "")
    return changes
