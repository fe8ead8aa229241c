"""Tests of a policy, as its author writes them: images or saved analyses, and what is expected of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from imagegate.model import Evaluation, Finding, Verdict


class ExpectedFinding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finding that there must be; what is left out may be anything. trigger_id: whole, as the report shows it."""

    gate: str
    trigger: str = ""
    trigger_id: str = ""
    action: str = ""

    def __str__(self) -> str:
        return " ".join(each for each in (self.action, f"{self.gate}/{self.trigger or '*'}", self.trigger_id) if each)


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a case expects. only: findings that are not listed are wrong."""

    verdict: Verdict | None = None
    findings: tuple[ExpectedFinding, ...] = ()
    only: bool = False


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"name_as": "as"}):
    """A case. image: a reference; analysis: a file that `imagegate analyze --json` wrote; one of them.

    name_as: the name that mappings see. base: a base image, `registry/repo:tag`, that is taken for proved.
    """

    name: str = ""
    image: str = ""
    analysis: str = ""
    dockerfile: str = ""
    name_as: str = ""
    base: str = ""
    expect: Expected = Expected()


class Suite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of tests."""

    policy: str
    cases: tuple[Case, ...]


class Change(msgspec.Struct, frozen=True):
    """What becomes of an image under another policy. gone, new: findings that are not let through, in words."""

    image: str
    before: Verdict
    after: Verdict
    gone: tuple[str, ...]
    new: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.before is not self.after or bool(self.gone or self.new)


def failures(evaluation: Evaluation, expected: Expected) -> Iterator[str]:
    """Yield what is not as expected, a line each."""
    if expected.verdict is not None and evaluation.verdict is not expected.verdict:
        why = "; ".join(problem.details for problem in evaluation.problems[:3])
        yield f"the verdict is {evaluation.verdict.value}, not {expected.verdict.value}" + (f": {why}" if why else "")
    live = [finding for finding in evaluation.findings if not finding.allowlisted]
    for wanted in expected.findings:
        if not any(_is(finding, wanted) for finding in live):
            yield f"missing: {wanted}"
    if expected.only:
        for finding in live:
            if not any(_is(finding, wanted) for wanted in expected.findings):
                yield f"unexpected: {told(finding)}"


def compare(image: str, before: Evaluation, after: Evaluation) -> Change:
    """Return what changes from one evaluation of an image to another."""
    old, new = ({told(each) for each in side.findings if not each.allowlisted} for side in (before, after))
    return Change(image, before.verdict, after.verdict, tuple(sorted(old - new)), tuple(sorted(new - old)))


def told(finding: Finding) -> str:
    """Return a finding in one line."""
    return f"{finding.action.value} {finding.gate}/{finding.trigger} {finding.trigger_id} {finding.message}"


def _is(finding: Finding, wanted: ExpectedFinding) -> bool:
    return (
        finding.gate == wanted.gate
        and wanted.trigger in ("", finding.trigger)
        and wanted.trigger_id in ("", finding.trigger_id)
        and wanted.action.lower() in ("", finding.action.value)
    )
