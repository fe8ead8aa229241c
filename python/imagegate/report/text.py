"""The report for a person at a terminal: the verdict, the findings with their fixes, and what happens next."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from imagegate.model import Action, Evaluation, Finding, Severity, Verdict, joint_verdict
from imagegate.report.context import Context, counts, ordered, place, remark, subject
from imagegate.report.escape import line
from imagegate.report.explain import provenance

WARNINGS_SHOWN = 15
"""Warnings beyond these are counted only: what stops an image must not scroll away. Reports to a file have all."""

_INDENT = " " * 6


class Style:
    """Colours by meaning, as SGR sequences (ECMA-48, 8.3.117); the plain style has none."""

    def __init__(self, *, coloured: bool) -> None:
        self._coloured = coloured

    def _paint(self, text: str, codes: str) -> str:
        return f"\x1b[{codes}m{text}\x1b[0m" if self._coloured and text else text

    def verdict(self, verdict: Verdict) -> str:
        """The verdict as a word in capitals."""
        return self._paint(verdict.value.upper(), {Verdict.PASS: "1;32", Verdict.STOP: "1;31"}.get(verdict, "1;33"))

    def action(self, action: Action) -> str:
        """An action as a word of four columns."""
        return self._paint(f"{action.value:<4}", {Action.STOP: "31", Action.WARN: "33"}.get(action, "2"))

    def severity(self, severity: Severity | None) -> str:
        """A severity in capitals and two blanks, empty for none."""
        if severity is None:
            return ""
        codes = {Severity.CRITICAL: "1;31", Severity.HIGH: "31", Severity.MEDIUM: "33"}
        return self._paint(severity.value.upper(), codes.get(severity, "")) + "  "

    def strong(self, text: str) -> str:
        """What the eye should find first."""
        return self._paint(text, "1")

    def faint(self, text: str) -> str:
        """What is there for those who look for it."""
        return self._paint(text, "2")


PLAIN = Style(coloured=False)


def render(
    evaluations: Sequence[Evaluation],
    context: Context,
    *,
    style: Style = PLAIN,
    width: int = 100,
    warnings: int = WARNINGS_SHOWN,
) -> str:
    """Return the report. width: columns to fold at; warnings: how many warnings of each image to show.

    Nothing in it steers a terminal but the style's own sequences: all text from images is escaped.
    """
    verdict = joint_verdict(evaluations)
    blocks = []
    if len(evaluations) != 1:
        blocks.append(f"{style.verdict(verdict)}  {tally(evaluations)}")
    blocks += [_image(evaluation, context, style, max(width, 40), warnings) for evaluation in evaluations]
    step = next_step(evaluations, verdict, context)
    if step:
        blocks.append(_fold(f"next: {step}", max(width, 40), first="", rest=_INDENT))
    return "\n\n".join(blocks) + "\n"


def tally(evaluations: Sequence[Evaluation]) -> str:
    """Return how many images have which verdict."""
    if not evaluations:
        return "nothing was evaluated"
    verdicts = [evaluation.verdict for evaluation in evaluations]
    parts = [f"{verdicts.count(verdict)} {verdict.value}" for verdict in Verdict if verdict in verdicts]
    return f"{len(evaluations)} images: {', '.join(parts)}"


def _image(evaluation: Evaluation, context: Context, style: Style, width: int, warnings: int) -> str:
    findings = ordered(evaluation.findings)
    graver = [finding for finding in findings if finding.action is Action.STOP]
    milder = [finding for finding in findings if finding.action is Action.WARN]
    lines = [_headline(evaluation, style), *_facts(evaluation, context, style, width)]
    body = [_problem(problem.severity, problem.details, width) for problem in evaluation.problems]
    body += [_finding(finding, evaluation, context, style, width) for finding in graver + milder[:warnings]]
    if len(milder) > warnings:
        body.append(
            style.faint(f"{_INDENT}and {len(milder) - warnings} more warnings; --output json=FILE has them all")
        )
    return "\n".join([*lines, "", *body] if body else lines)


def _headline(evaluation: Evaluation, style: Style) -> str:
    found = counts(evaluation)
    numbers = [(found.stop, "stop"), (found.warn, "warn"), (found.allowlisted, "allowlisted")]
    tally = ", ".join(f"{number} {word}" for number, word in numbers if number) or "no findings"
    return f"{style.verdict(evaluation.verdict)}  {style.strong(line(evaluation.tag))}  {tally}"


def _facts(evaluation: Evaluation, context: Context, style: Style, width: int) -> list[str]:
    facts = [f"policy {line(context.policy or evaluation.policy_id)}"]
    if evaluation.mapping:
        facts.append(f"mapping {line(evaluation.mapping)}")
    if evaluation.digest in context.packages:
        facts.append(f"{context.packages[evaluation.digest]:,} packages")
    if context.advisories:
        facts.append(f"advisories of {context.advisories:%Y-%m-%d}")
    folded = _fold(", ".join(facts), width, first=_INDENT, rest=_INDENT).splitlines()
    lines = [f"{_INDENT}{evaluation.digest}  {line(evaluation.platform)}".rstrip(), *folded]
    note = remark(evaluation)
    return [style.faint(text) for text in lines] + ([f"{_INDENT}{line(note)}"] if note else [])


def _problem(severity: str, details: str, width: int) -> str:
    word = "error" if severity == "error" else "note"
    return _fold(line(details), width, first=f"{word:<6}", rest=_INDENT)


def _finding(finding: Finding, evaluation: Evaluation, context: Context, style: Style, width: int) -> str:
    rule = f"{line(finding.gate)}/{line(finding.trigger)}"
    where = place(finding, context)
    what = line(subject(finding)) + (f" ({line(where)})" if where else "")
    # Folded before it is painted: the style's sequences take no columns.
    severity = f"{finding.severity.value.upper()}  " if finding.severity else ""
    head = " " * len(f"{finding.action.value:<4}  {rule}  {severity}")
    folded = _fold(what, width, first=head, rest=_INDENT).removeprefix(head)
    painted = f"{style.action(finding.action)}  {style.faint(rule)}  {style.severity(finding.severity)}{folded}"
    lines = [painted]
    if finding.fix:
        lines.append(_fold(f"fix: {line(finding.fix)}", width, first=_INDENT, rest=f"{_INDENT}     "))
    if finding.action is Action.STOP and (told := provenance(finding, evaluation, context)):
        folded = _fold(f"by:  {line(told)}", width, first=_INDENT, rest=f"{_INDENT}     ")
        lines += [style.faint(text) for text in folded.splitlines()]
    return "\n".join(lines)


def next_step(evaluations: Sequence[Evaluation], verdict: Verdict, context: Context) -> str:
    """Return what is to do, or was done, as one line."""
    told = line(context.next_step)
    if verdict is Verdict.UNDECIDED:
        return "clear the errors and run it again" + (f"; {told}" if told else ".")
    if verdict is Verdict.STOP:
        stops = sum(counts(evaluation).stop for evaluation in evaluations)
        fix = (
            f"fix the {stops} stop findings"
            if stops > 1
            else "fix the stop finding"
            if stops
            else "ask who keeps the policy"
        )
        again = " and build again" if stops else ""
        waive = " `imagegate explain` tells more." if stops else ""
        return fix + again + (f"; {told}" if told else ".") + waive
    return told


def _fold(text: str, width: int, *, first: str, rest: str) -> str:
    """Fold at blanks only: a name or a digest that is cut in two cannot be copied."""
    return textwrap.fill(
        text,
        width=width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
