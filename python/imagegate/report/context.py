"""What a report says beside the evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from imagegate.model import Action, Digest, Evaluation, Finding, Reason, Verdict, Vulnerability


class Rule(msgspec.Struct, frozen=True):
    """A rule of the policy, so that a report can also list those that found nothing.

    mapping: the name of the mapping that puts it in force; empty: it is in force for every image.
    """

    gate: str
    trigger: str
    policy_id: str
    rule_id: str
    action: Action
    mapping: str = ""


class RuleText(msgspec.Struct, frozen=True):
    """A rule for the reader. place: `file:line`; parameters: in words."""

    place: str = ""
    parameters: str = ""


class LayerText(msgspec.Struct, frozen=True):
    """A layer for the reader. number: from 1; created_by: the step that made it."""

    number: int
    of: int
    created_by: str = ""


class Context(msgspec.Struct, frozen=True):
    """Facts for the reader; each may be left out.

    policy: name and file of the bundle. packages: how many each image has. advisories: when they were last fetched.
    dockerfile: its path, for places in it. next_step: what happened after the verdict, or will.
    rules: those of the policy; a report lists as passed the ones that were in force and found nothing.
    rule_texts: by `Finding.rule_place`. layers: by the digests of an image and of its layer. bases: the names of the
    images' proved bases. image_ids: digests of the images' configs. vulnerabilities: all that were found in each image.
    anchore_api: `v1` or `v2`, of the server that judged; empty: none did. answers: what it answered about each image.
    """

    policy: str = ""
    packages: Mapping[Digest, int] = {}
    advisories: datetime | None = None
    dockerfile: str = "Dockerfile"
    next_step: str = ""
    rules: tuple[Rule, ...] = ()
    rule_texts: Mapping[str, RuleText] = {}
    layers: Mapping[tuple[Digest, Digest], LayerText] = {}
    bases: Mapping[Digest, str] = {}
    anchore_api: str = ""
    answers: tuple[Mapping[str, Any], ...] = ()
    image_ids: Mapping[Digest, Digest] = {}
    vulnerabilities: Mapping[Digest, tuple[Vulnerability, ...]] = {}


class Counts(msgspec.Struct, frozen=True):
    """How many findings of an evaluation count as what. go: noted only; an allowlisted finding is nothing else."""

    stop: int = 0
    warn: int = 0
    go: int = 0
    allowlisted: int = 0


def counts(evaluation: Evaluation) -> Counts:
    """Return the numbers of findings."""
    live = [finding.action for finding in evaluation.findings if not finding.allowlisted]
    return Counts(
        stop=live.count(Action.STOP),
        warn=live.count(Action.WARN),
        go=live.count(Action.GO),
        allowlisted=len(evaluation.findings) - len(live),
    )


def ordered(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that count (no allowlisted ones), gravest first; otherwise in a fixed, readable order."""
    live = [finding for finding in findings if not finding.allowlisted]
    return sorted(live, key=gravity)


def gravity(finding: Finding) -> tuple[object, ...]:
    """Return what findings are sorted by, the gravest first."""
    severity = finding.severity.rank if finding.severity else -1
    package = (finding.package.name, finding.package.version, finding.package.path) if finding.package else ("", "", "")
    return (
        -finding.action.rank,
        finding.gate,
        finding.trigger,
        -severity,
        package,
        finding.vulnerability,
        finding.line,
        finding.path,
        finding.message,
    )


def subject(finding: Finding) -> str:
    """Return what was found, in a developer's words; the engine's own wording where there is nothing better."""
    package = finding.package
    if not (finding.vulnerability and package):
        return finding.message
    where = f"{package.type.value}, {package.path}" if package.path and not package.type.is_os else package.type.value
    return f"{finding.vulnerability} in {package.name} {package.version} ({where})"


def place(finding: Finding, context: Context) -> str:
    """Return where in the Dockerfile it is, empty when it is not there."""
    return f"{context.dockerfile}:{finding.line}" if finding.line else ""


def name(evaluation: Evaluation) -> str:
    """Return the image's name for headings, with the platform when there is one."""
    return f"{evaluation.tag} ({evaluation.platform})" if evaluation.platform else evaluation.tag


def remark(evaluation: Evaluation) -> str:
    """Return why the verdict is not what the findings alone would give, empty when it is."""
    if evaluation.verdict is Verdict.UNDECIDED or evaluation.reason.value == "policy_evaluation":
        return ""
    rule = f" by {evaluation.matched_image_rule}" if evaluation.matched_image_rule else ""
    listed = "allowlisted" if evaluation.reason.value == "whitelisted" else "denylisted"
    return f"the image itself is {listed}{rule}"


def stopped_by_rules(evaluation: Evaluation) -> bool:
    """Whether the findings show already why the image was stopped."""
    stops = any(finding.action is Action.STOP and not finding.allowlisted for finding in evaluation.findings)
    return stops and evaluation.reason is Reason.POLICY
