"""The report in the native JSON format of Jenkins's Warnings Next Generation plugin, for its tool `issues`.

The plugin reads the properties of its class Issue one by one, from a file whose name ends in `.json`; of issues that
are alike in all of them it keeps one. (analysis-model, JsonParser, JsonBaseParser and Issue; the plugin's own
Documentation.md, "Details of the analysis result".) It shows the description, and in older releases every text, as HTML
from which only scripts are taken: links and images would stay. (warnings-ng-plugin, DetailsTableModel.)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from imagegate.model import Action, Evaluation, Finding, Reason, Severity, Verdict
from imagegate.report.context import Context, remark, stopped_by_rules, subject
from imagegate.report.escape import line, markup
from imagegate.report.explain import explain
from imagegate.report.fingerprint import fingerprint, fingerprints, lasting_name, repository

_CLASS = "io.jenkins.plugins.analysis.core.restapi.ReportApi"
_TAG_OPEN = re.compile("<(?=[A-Za-z/!?])")
"""Where a parser of HTML begins a tag. (HTML, 13.2.5.6 "Tag open state".)"""
_SEVERITIES = {Action.STOP: "ERROR", Action.WARN: "NORMAL", Action.GO: "LOW"}
_GRAVE = (Severity.CRITICAL, Severity.HIGH)


def render(evaluations: Sequence[Evaluation], context: Context) -> str:
    """Return the report, in ASCII. What is allowlisted is no warning; that an image is undecided is an error."""
    issues = [
        issue
        for evaluation, prints in zip(evaluations, fingerprints(evaluations), strict=True)
        for issue in _issues(evaluation, prints, context)
    ]
    if not evaluations:
        issues.append(_issue("ERROR", "nothing was evaluated", "", fingerprint(("nothing was evaluated",)), context))
    return json.dumps({"_class": _CLASS, "issues": issues, "size": len(issues)}, indent=2) + "\n"


def _issues(evaluation: Evaluation, prints: Sequence[str], context: Context) -> Iterator[dict[str, Any]]:
    for told in _about_the_image(evaluation):
        marks = fingerprint((repository(evaluation.tag), evaluation.platform, told))
        yield _issue("ERROR", told, lasting_name(evaluation), marks, context, category="imagegate", type="verdict")
    for finding, marks in zip(evaluation.findings, prints, strict=True):
        if not finding.allowlisted:
            yield _issue(
                _severity(finding, evaluation),
                _message(finding),
                lasting_name(evaluation),
                marks,
                context,
                category=finding.gate,
                type=finding.trigger,
                packageName=finding.package.name if finding.package else "",
                description=f"<pre>{markup(explain(finding, evaluation, context), lines=True)}</pre>",
                lineStart=finding.line,
            )


def _about_the_image(evaluation: Evaluation) -> Iterator[str]:
    """Yield why the image is undecided, or stopped when no finding says it."""
    for problem in evaluation.problems:
        if problem.severity == "error":
            yield f"{problem.type}: {problem.details}"
    if evaluation.verdict is Verdict.STOP and not stopped_by_rules(evaluation):
        yield remark(evaluation) or "the final action is stop"


def _issue(
    severity: str, message: str, module: str, marks: str, context: Context, **properties: str | int
) -> dict[str, Any]:
    """Return an issue. Every one points at the Dockerfile: a path of the image means nothing on the agent, or worse.

    The plugin looks for the file on the agent and copies what it finds; an image could name one of the workspace.
    """
    told = {"message": message, "moduleName": module, **properties}
    # As a part of what makes issues alike, the additional properties keep two findings that read the same apart.
    return {
        "fileName": line(context.dockerfile),
        "severity": severity,
        "fingerprint": marks,
        "additionalProperties": marks,
        **{
            key: _plain(value) if isinstance(value, str) and key != "description" else value
            for key, value in told.items()
            if value
        },
    }


def _plain(text: str) -> str:
    """Return text that is the same whether it is taken as HTML or as it is."""
    return _TAG_OPEN.sub(r"\\x3c", line(text))


def _message(finding: Finding) -> str:
    severity = f"{finding.severity.value.upper()} " if finding.severity else ""
    return f"{severity}{subject(finding)}" + (f". Fix: {finding.fix}" if finding.fix else "")


def _severity(finding: Finding, evaluation: Evaluation) -> str:
    # What a rule says about an image that is allowlisted as a whole decides nothing.
    if evaluation.reason is Reason.ALLOWLISTED_IMAGE:
        return _SEVERITIES[Action.GO]
    if finding.action is Action.WARN and finding.severity in _GRAVE:
        return "HIGH"
    return _SEVERITIES[finding.action]
