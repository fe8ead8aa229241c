"""`imagegate step`: what the Jenkins library runs. A request in a file, any verb, a result in a file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagegate.cli.app import App
from imagegate.errors import UsageError
from imagegate.model import Verdict

if TYPE_CHECKING:
    from imagegate.jenkins.request import Invocation
    from imagegate.jenkins.result import Reports, StepResult

REQUEST, RESULT, REPORTS = "request.json", "result.json", "reports"


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
def step(directory: Path) -> int:
    """Run one step of the Jenkins library.

    DIRECTORY holds request.json, the step and its parameters; result.json and the reports are written there.
    """
    import msgspec

    from imagegate.report import write_bytes

    result = _run(directory)
    # ASCII only: nothing is left to what an agent's locale makes of other bytes.
    write_bytes(directory / RESULT, json.dumps(msgspec.to_builtins(result)).encode("ascii"))
    _hand_over(directory)
    return result.exit_code


def _hand_over(directory: Path) -> None:
    """Give what was written to the owner of the directory: in a container we may be root, and the agent, which is to
    read and remove it, is not.
    """
    owner = directory.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        for path in (directory / RESULT, directory / REPORTS, *(directory / REPORTS).rglob("*")):
            if path.exists():
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _run(directory: Path) -> StepResult:
    from imagegate.cli.step_result import printable
    from imagegate.errors import ImagegateError
    from imagegate.jenkins.plan import plan
    from imagegate.jenkins.request import command_line, decode, read_request
    from imagegate.jenkins.result import StepResult

    name = ""
    try:
        request = decode(_request(directory))
        name = request.step
        invocation = read_request(request, os.environ)
        if name == "imagePipeline":
            planned = plan(invocation, os.environ)
            return StepResult(
                step=name,
                outcome=Verdict.PASS,
                exit_code=0,
                message="",
                plan=planned,
                in_parallel=invocation.flag("inParallel"),
            )
        if name == "recheckImages":
            from imagegate.cli.step_recheck import recheck_images

            return recheck_images(invocation, request.handed, directory)
        return _invoke(invocation, command_line(invocation), directory)
    except ImagegateError as error:
        click.echo(f"imagegate: {error}", err=True)
        return StepResult(step=name, outcome=Verdict.UNDECIDED, exit_code=2, message=printable(str(error)))


def _request(directory: Path) -> bytes:
    try:
        return (directory / REQUEST).read_bytes()
    except OSError as error:
        raise UsageError(
            f"{directory} is no directory of a step", why=str(error), hint="Only the Jenkins library runs `step`."
        ) from error


def _invoke(invocation: Invocation, arguments: list[str], directory: Path) -> StepResult:
    from imagegate.cli.main import attempt
    from imagegate.cli.step_result import result
    from imagegate.jenkins.request import has_borrowed_keys
    from imagegate.jenkins.result import FILES

    reports = _reports(invocation)
    if reports:
        at, folder = arguments.index("--"), directory / REPORTS / reports.folder
        arguments[at:at] = [f"--output={name}={folder / file}" for name, file in FILES.items()]
    app = App()
    if has_borrowed_keys(invocation, os.environ):
        app.set_flags({"notary.create_keys": False})
    end = attempt(arguments, app)
    written = reports if reports and (directory / REPORTS / reports.html).exists() else None
    return result(invocation, end, app.document, written)


def _reports(invocation: Invocation) -> Reports | None:
    """Return where the reports of a verdict go, None for a step without one, or when they are not wanted."""
    from imagegate.jenkins.result import named_reports

    if "publish" not in {parameter.name for parameter in invocation.step.parameters} or not invocation.flag("publish"):
        return None
    # Without the tag: Jenkins compares the reports of one build with the same report of the build before.
    name = invocation.text("reportName") or _subject(invocation)
    return named_reports(name, check=invocation.step.name == "checkImage")


def _subject(invocation: Invocation) -> str:
    """Return what the reports are about: a repository's path."""
    from imagegate.image.reference import parse
    from imagegate.jenkins.plan import repository_path
    from imagegate.model import RegistryRef

    values = invocation.values
    if values.get("to"):
        return repository_path(values["to"])
    image = values.get("as") or values["image"]
    reference = parse(image if isinstance(image, str) else image[0])
    if isinstance(reference, RegistryRef):
        return reference.repository.name
    return getattr(reference, "name", "") or Path(getattr(reference, "path", "image")).name
