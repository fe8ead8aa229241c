"""The report as GitHub-flavoured Markdown, for the comment of a pull request or a job's summary.

Whatever an image's author chose stands in code spans, where nothing is markup, a link, an image or a mention.
"""

from __future__ import annotations

from collections.abc import Sequence

from imagegate.model import Action, Evaluation, Finding, Verdict, joint_verdict
from imagegate.report.context import Context, counts, ordered, place, remark, subject
from imagegate.report.escape import code
from imagegate.report.explain import explain

MAX_LENGTH = 60_000
"""Characters. A comment on GitHub may have 65,536; beyond this, findings are counted only."""

_TITLES = {Verdict.PASS: "✅ pass", Verdict.STOP: "⛔ stop", Verdict.UNDECIDED: "⚠️ could not decide"}
_DETAILS = "\n<details><summary>The stop findings explained, with waivers to paste</summary>\n\n"
_END = "\n</details>\n"
_HEADER = "| action | rule | severity | finding | fix |\n|---|---|---|---|---|\n"


def render(evaluations: Sequence[Evaluation], context: Context) -> str:
    """Return the report, no longer than MAX_LENGTH; gravest findings first."""
    parts = [f"## imagegate: {_TITLES[joint_verdict(evaluations)]}\n"]
    step = f"\n{code(context.next_step)}\n" if context.next_step else ""
    share = (MAX_LENGTH - len(parts[0]) - len(step)) // max(len(evaluations), 1)
    parts += [_image(evaluation, context, share) for evaluation in evaluations]
    return ("".join(parts) + step) if sum(map(len, parts)) + len(step) <= MAX_LENGTH else _short(parts[0], evaluations)


def _short(title: str, evaluations: Sequence[Evaluation]) -> str:
    """Return the verdicts alone: there are too many images for anything else."""
    lines = (f"- {_TITLES[evaluation.verdict]} {code(evaluation.tag[:150])}\n" for evaluation in evaluations)
    text = title + "\n"
    for each in lines:
        if len(text) + len(each) > MAX_LENGTH - 20:
            return text + "- and more\n"
        text += each
    return text


def _image(evaluation: Evaluation, context: Context, limit: int) -> str:
    found = counts(evaluation)
    head = [
        f"\n### {_TITLES[evaluation.verdict]}: {code(evaluation.tag[:300])}",
        f"{code(evaluation.digest)} {code(evaluation.platform)}".rstrip(),
        f"policy {code(context.policy or evaluation.policy_id)}"
        f" · {found.stop} stop · {found.warn} warn · {found.allowlisted} allowlisted",
    ]
    head += [
        f"{'⚠️ ' if problem.severity == 'error' else ''}{code(problem.details[:2000])}"
        for problem in evaluation.problems
    ]
    note = remark(evaluation)
    text = "\n\n".join([*head, note] if note else head) + "\n"
    findings = ordered(evaluation.findings)
    text += _table(findings, context, limit - len(text))
    return text + _details(findings, evaluation, context, limit - len(text))


def _table(findings: Sequence[Finding], context: Context, room: int) -> str:
    shown = [finding for finding in findings if finding.action is not Action.GO]
    if not shown:
        return ""
    rows, left = [], room - len(_HEADER) - 60
    for finding in shown:
        row = _row(finding, context)
        left -= len(row)
        if left < 0:
            break
        rows.append(row)
    rest = f"\n…and {len(shown) - len(rows)} more findings.\n" if len(rows) < len(shown) else ""
    return "\n" + (_HEADER + "".join(rows) if rows else "") + rest


def _details(findings: Sequence[Finding], evaluation: Evaluation, context: Context, room: int) -> str:
    """Return the stop findings explained, folded away, as many as there is room for."""
    told, left = [], room - len(_DETAILS) - len(_END)
    for finding in findings:
        if finding.action is not Action.STOP:
            continue
        # Indented by four: a block of code in which nothing is markup. (CommonMark 0.31, 4.4.)
        text = "".join(f"    {row}\n" for row in explain(finding, evaluation, context).splitlines()) + "    \n"
        left -= len(text)
        if left < 0:
            break
        told.append(text)
    return _DETAILS + "".join(told) + _END if told else ""


def _row(finding: Finding, context: Context) -> str:
    action = f"**{finding.action.value}**" if finding.action is Action.STOP else finding.action.value
    severity = finding.severity.value if finding.severity else ""
    where = place(finding, context)
    what = code(subject(finding)[:1000]) + (f" {code(where)}" if where else "")
    rule, fix = code(f"{finding.gate}/{finding.trigger}"), code(finding.fix[:500])
    return f"| {action} | {rule} | {severity} | {what} | {fix} |\n"
