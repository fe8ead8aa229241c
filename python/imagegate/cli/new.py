"""`imagegate new`: a repository that builds, passes the gate and has a Jenkinsfile."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import click

from imagegate.cli.app import App, titled

if TYPE_CHECKING:
    from imagegate.jenkins.scaffold import NewRepository


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--kind", required=True, help="python-app, node-app or base-image.")
@click.option(
    "--name", metavar="TEAM/APP", help="Repository that the image is promoted into. Default: the directory's."
)
@click.option("--base", metavar="REGISTRY/REPO:TAG", help="Base of an application. Default: platform/debian:12.")
@click.option("--team", default="", help="The team's name.")
@click.option("--git", "with_git", is_flag=True, help="Make it a git repository, with a first commit.")
@click.pass_obj
def new(app: App, directory: Path, kind: str, name: str | None, base: str | None, team: str, with_git: bool) -> None:
    """Write a new repository: Dockerfile, application, tests, Jenkinsfile, policy test and README.

    DIRECTORY must be empty, or not there yet. What the teams file needs to know of it is printed.
    """
    from imagegate import __version__
    from imagegate.jenkins.scaffold import new_repository

    path = _name(name or directory.resolve().name)
    made = new_repository(
        kind, path, base=_base(app, base), team=team or path.partition("/")[0], library=f"v{__version__}"
    )
    _refuse_what_is_there(directory)
    _write(directory, made, with_git=with_git)
    app.answer(
        titled("new", {"directory": str(directory), "files": sorted(made.files), "entry": made.entry}),
        lambda: _told(directory, made),
    )


def _name(text: str) -> str:
    from imagegate.errors import UsageError
    from imagegate.jenkins.plan import repository_path

    if ":" in text or "@" in text or "." in text.partition("/")[0]:
        raise UsageError(f"--name {text!r} is no path of a repository", hint="Write team/app, without a registry.")
    return repository_path(text)


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


def _refuse_what_is_there(directory: Path) -> None:
    from imagegate.errors import UsageError

    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise UsageError(f"{directory} is no directory")
    there = sorted(each.name for each in directory.iterdir()) if directory.exists() else []
    if there:
        raise UsageError(
            f"{directory} is not empty", why=f"it has {', '.join(there[:5])}", hint="Name a new directory."
        )


def _write(directory: Path, made: NewRepository, *, with_git: bool) -> None:
    """Write everything beside the directory, and put it in its place when all is there."""
    from imagegate.errors import UsageError
    from imagegate.jenkins.scaffold import is_executable

    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(mkdtemp(prefix=f".{directory.name[:60]}.", dir=directory.parent))
    except OSError as error:
        raise UsageError(f"{directory} cannot be made", why=error.strerror or str(error)) from error
    try:
        for path, text in made.files.items():
            file = temporary / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o755 if is_executable(path) else 0o644)
        if with_git:
            for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "Begin"]):
                subprocess.run(["git", *arguments], cwd=temporary, check=True, capture_output=True, text=True)
        temporary.chmod(0o755)
        temporary.replace(directory)
    except subprocess.CalledProcessError as error:
        raise UsageError("git could not make the first commit", why=error.stderr.strip().splitlines()[-1]) from error
    except OSError as error:
        raise UsageError(f"{directory} cannot be written", why=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _told(directory: Path, made: NewRepository) -> str:
    import yaml

    entry = yaml.safe_dump([made.entry], sort_keys=False, width=120).rstrip()
    indented = "\n".join(f"      {line}" for line in entry.splitlines())
    files = "\n".join(f"made      {directory / path}" for path in sorted(made.files))
    return f"{files}\n\nFor teams.yaml, among the repositories of its team:\n\n{indented}"
