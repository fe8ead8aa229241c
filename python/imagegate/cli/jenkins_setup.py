"""`imagegate jenkins casc` and `doctor`: the settings of a Jenkins, and whether it has what is needed."""

from __future__ import annotations

from pathlib import Path

import click

from imagegate.cli.app import App, titled
from imagegate.cli.console import printable
from imagegate.cli.generate import teams_option


@click.command()
@teams_option
@click.option("--library", "library_url", default="", metavar="URL", help="Where Jenkins clones the library from.")
@click.pass_obj
def casc(app: App, teams_file: Path, library_url: str) -> int:
    """Print the library, the variables and the credentials as Configuration as Code.

    Secrets are references to variables of the controller's environment, and never values.
    """
    import yaml

    from imagegate import __version__
    from imagegate.cli.jenkins import read_teams_file
    from imagegate.jenkins.casc import exposed, fragment

    teams = read_teams_file(teams_file)
    document = fragment(teams.jenkins, teams.library or f"v{__version__}", library_url)
    for name, does in exposed(teams.jenkins):
        app.say(
            f"note: {name} {does}, and every job of this Jenkins could bind it; keep it in the promotion job's folder"
        )
    app.answer(
        titled("jenkins-casc", {"configuration": document}),
        lambda: yaml.safe_dump(document, sort_keys=True, allow_unicode=True, width=10_000).rstrip("\n"),
    )
    return 0


@click.command()
@click.option(
    "--teams",
    "teams_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Also look for what this file's jobs need: credentials, agents.",
)
@click.option("--server", metavar="URL", default="", help="The Jenkins (default: jenkins.url of the file).")
@click.pass_obj
def doctor(app: App, teams_file: Path | None, server: str) -> int:
    """Say what a Jenkins lacks, and what to do. Exits with 1 when something that is needed is missing."""
    from imagegate.cli.jenkins import connect, read_teams_file
    from imagegate.jenkins.checks import Health
    from imagegate.jenkins.doctor import examine

    teams = read_teams_file(teams_file) if teams_file else None
    checks = examine(connect(app, server or (teams.jenkins.url if teams else "")), teams)
    widest = max(len(each.name) for each in checks)
    lines = [
        f"{each.health:<8}  {each.name:<{widest}}  {each.found}" + (f"\n{'':10}next: {each.todo}" if each.todo else "")
        for each in checks
    ]
    app.answer(titled("jenkins-doctor", {"checks": checks}), lambda: printable("\n".join(lines)))
    return int(any(each.health is Health.MISSING for each in checks))
