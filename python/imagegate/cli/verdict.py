"""How `check`, `gate` and `promote` tell their verdict: on the terminal, as one JSON document, and as reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from imagegate.cli import console
from imagegate.cli.app import App
from imagegate.gate import undecided
from imagegate.model import Evaluation, Verdict, joint_verdict

EXIT_CODES = {Verdict.PASS: 0, Verdict.STOP: 1, Verdict.UNDECIDED: 2}


def publish(
    app: App,
    evaluations: Sequence[Evaluation],
    reports: Sequence[tuple[str, Path]],
    *,
    next_step: str,
    document: Any = None,
) -> None:
    """Write the reports, then print the verdict.

    next_step: what happens next, told last. document: what `--json` prints; None: the evaluations.
    """
    from imagegate.report import FORMATS, render_text, write_atomically

    for name, file in reports:
        write_atomically(file, FORMATS[name](evaluations))
    if app.as_json:
        verdict = joint_verdict(evaluations)
        app.print_document(
            document
            if document is not None
            else {"schema": "imagegate/check/1", "verdict": verdict, "evaluations": evaluations}
        )
    else:
        click.echo(render_text(evaluations, next_step=next_step, colour=console.coloured(), width=console.width()))
    problems = undecided(evaluations)
    if problems:
        app.say(f"imagegate: could not decide: {problems}")
