"""The report as SARIF 2.1.0 (OASIS), for code scanning and the warnings of an editor or a Jenkins job.

A finding that stands in the Dockerfile points at its line there. Any other is in the image, not in the source, but code
scanning shows no result without a file (GitHub, "SARIF support"), so it points at the Dockerfile's first line and names
the file of the image as a logical location.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from imagegate import __version__
from imagegate.model import Action, Evaluation, Finding, Problem, Severity, Verdict
from imagegate.report.context import Context, name, subject
from imagegate.report.escape import line
from imagegate.report.explain import Explanation, explanation
from imagegate.report.fingerprint import fingerprints

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

_LEVELS = {Action.STOP: "error", Action.WARN: "warning", Action.GO: "note"}
_SECURITY_SEVERITY = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}
"""For results without a CVSS score: a number in the band that GitHub names so."""


def render(evaluations: Sequence[Evaluation], context: Context) -> str:
    """Return the report: a run for each image, told apart by their automation ids (SARIF 3.17.3)."""
    prints = fingerprints(evaluations)
    runs = [_run(evaluation, marks, context) for evaluation, marks in zip(evaluations, prints, strict=True)]
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": runs}
    return json.dumps(log, indent=2) + "\n"


def _run(evaluation: Evaluation, marks: Sequence[str], context: Context) -> dict[str, Any]:
    rules: dict[str, list[Finding]] = {}
    for finding in evaluation.findings:
        rules.setdefault(_rule_id(finding), []).append(finding)
    index = {identifier: position for position, identifier in enumerate(rules)}
    driver = {
        "name": "imagegate",
        "semanticVersion": __version__,
        "rules": [_rule(identifier, findings) for identifier, findings in rules.items()],
    }
    notifications = [_notification(problem) for problem in evaluation.problems]
    return {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"imagegate/{line(name(evaluation))}/"},
        "invocations": [
            {
                "executionSuccessful": evaluation.verdict is not Verdict.UNDECIDED,
                "toolExecutionNotifications": notifications,
            }
        ],
        "properties": {
            "image": line(evaluation.tag),
            "digest": evaluation.digest,
            "verdict": evaluation.verdict.value,
            "policy": line(evaluation.policy_id),
        },
        "results": [
            _result(finding, index, evaluation, context) | {"partialFingerprints": {"imagegate/v1": mark}}
            for finding, mark in zip(evaluation.findings, marks, strict=True)
        ],
    }


def _rule_id(finding: Finding) -> str:
    return line(f"{finding.gate}/{finding.vulnerability or finding.trigger}")


def _rule(identifier: str, findings: Sequence[Finding]) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": identifier,
        "shortDescription": {
            "text": line(f"{findings[0].gate}/{findings[0].trigger} {findings[0].vulnerability}".strip())
        },
    }
    worst = max(
        (finding.severity for finding in findings if finding.severity), key=lambda each: each.rank, default=None
    )
    if worst in _SECURITY_SEVERITY:
        rule["properties"] = {"tags": ["security"], "security-severity": _SECURITY_SEVERITY[worst]}
    return rule


def _result(finding: Finding, index: dict[str, int], evaluation: Evaluation, context: Context) -> dict[str, Any]:
    fix = f" Fix: {finding.fix}" if finding.fix else ""
    severity = f"{finding.severity.value.upper()} " if finding.severity else ""
    identifier = _rule_id(finding)
    result: dict[str, Any] = {
        "ruleId": identifier,
        "ruleIndex": index[identifier],
        "level": _LEVELS[finding.action],
        "message": {"text": line(f"{severity}{subject(finding)}.{fix}")},
        "locations": [_location(finding, evaluation, context)],
        "properties": _properties(explanation(finding, evaluation, context)),
    }
    if finding.allowlisted:
        why = f"allowlisted by {finding.allowlisted.allowlist_name}/{finding.allowlisted.item_id}"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": line(why)}]
    return result


def _properties(known: Explanation) -> dict[str, Any]:
    texts = {"rule": known.rule, "where": known.where, "whose": known.whose}
    properties: dict[str, Any] = {name: line(text) for name, text in texts.items() if text}
    if known.item:
        properties |= {"waiver": known.waiver, "allowlistItem": msgspec.to_builtins(known.item)}
    return properties


def _location(finding: Finding, evaluation: Evaluation, context: Context) -> dict[str, Any]:
    path = finding.path or (finding.package.path if finding.package else "")
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(context.dockerfile)},
            "region": {"startLine": finding.line or 1},
        }
    }
    if path:
        location["logicalLocations"] = [
            {"name": line(path), "fullyQualifiedName": line(f"{evaluation.tag}:{path}"), "kind": "resource"}
        ]
    return location


def _notification(problem: Problem) -> dict[str, Any]:
    level = "error" if problem.severity == "error" else "warning"
    return {"level": level, "message": {"text": line(f"{problem.type}: {problem.details}")}}
