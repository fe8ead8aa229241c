"""The directory that Anchore's Jenkins plugin archives as `AnchoreReport/`, for what reads that: names and shapes.

Plugins for Engine copied the table of its `check`; those for Enterprise, API v2, write a list of findings, and a column
more. (Plugin 1.0.23 and of 2025, `BuildWorker`; Anchore Engine's recorded answers.)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imagegate.anchore.server import CHECK_COLUMNS
from imagegate.model import Action, Evaluation, Finding, Owner
from imagegate.report.context import Context

_SECURITY = ("Tag", "CVE ID", "Severity", "Vulnerability Package", "Fix Available", "Inherited From Base", "URL")
_SINCE_V2 = "Inherited From Base"


def render_files(path: Path, evaluations: Sequence[Evaluation], context: Context) -> list[tuple[Path, str]]:
    """Return the files of the directory at path."""
    return [(path / name, text) for name, text in render(evaluations, context).items()]


def render(evaluations: Sequence[Evaluation], context: Context) -> dict[str, str]:
    """Return the files by their names; the server's own answers too, where there was a server."""
    as_engine = context.anchore_api == "v1"
    gates: Any = _by_image_id(evaluations, context) if as_engine else [_result(each) for each in evaluations]
    documents = {"anchore_gates": gates, "anchore_security": _security(evaluations, context, as_engine=as_engine)}
    for number, answers in enumerate(context.answers, 1):
        for kind, answer in answers.items():
            documents[f"anchoreengine-api-response-{kind}-{number}"] = answer
    return {f"{name}.json": json.dumps(document) + "\n" for name, document in documents.items()}


def _result(evaluation: Evaluation) -> dict[str, Any]:
    stops = [each for each in evaluation.findings if each.action is Action.STOP and not each.allowlisted]
    return {
        "image_digest": evaluation.digest,
        "repo_tag": evaluation.tag,
        "final_action": evaluation.final_action.value,
        "failure_details": "; ".join(each.message for each in stops),
        "gate_results": [_gate_result(each) for each in evaluation.findings],
    }


def _gate_result(finding: Finding) -> dict[str, Any]:
    match = finding.allowlisted
    waived = {"id": match.allowlist_id, "name": match.allowlist_name, "matched_rule_id": match.item_id} if match else {}
    return {
        "trigger_id": finding.trigger_id,
        "gate": finding.gate,
        "trigger": finding.trigger,
        "message": finding.message,
        "action": finding.action.value,
        "policy_id": finding.policy_id,
        "recommendation": finding.fix,
        "rule_id": finding.rule_id,
        "allowlisted": bool(match),
        "allowlist_match": waived,
        "inherited_from_base": finding.owner is Owner.BASE,
    }


def _by_image_id(evaluations: Sequence[Evaluation], context: Context) -> dict[str, Any]:
    """Return the engine's tables. Of several evaluations of one image the last is kept, as the plugin keeps it."""
    document = {}
    for evaluation in evaluations:
        image_id = context.image_ids.get(evaluation.digest, evaluation.digest).removeprefix("sha256:")
        rows = [_row(image_id, evaluation, finding) for finding in evaluation.findings]
        table = {
            "header": list(CHECK_COLUMNS),
            "row_count": len(rows),
            "rows": rows,
            "final_action": evaluation.final_action.value,
        }
        document[image_id] = {"result": table}
    return document


def _row(image_id: str, evaluation: Evaluation, finding: Finding) -> list[Any]:
    match = finding.allowlisted
    waived = (
        {"whitelist_id": match.allowlist_id, "whitelist_name": match.allowlist_name, "matched_rule_id": match.item_id}
        if match
        else False
    )
    return [
        image_id,
        evaluation.tag,
        finding.trigger_id,
        finding.gate,
        finding.trigger,
        finding.message,
        finding.action.value,
        waived,
        finding.policy_id,
    ]


def _security(evaluations: Sequence[Evaluation], context: Context, *, as_engine: bool) -> dict[str, Any]:
    """Return the table of every vulnerability of every image, whether a rule asks for it or not."""
    columns = [title for title in _SECURITY if not (as_engine and title == _SINCE_V2)]
    rows = []
    for evaluation in evaluations:
        for found in context.vulnerabilities.get(evaluation.digest, ()):
            package = f"{found.package.name}-{found.package.version}"
            inherited = "Yes" if found.inherited else "No"
            values = (
                evaluation.tag,
                found.id,
                found.severity.value,
                package,
                found.fix or "None",
                inherited,
                found.url,
            )
            told = dict(zip(_SECURITY, values, strict=True))
            rows.append([told[title] for title in columns])
    return {"columns": [{"title": title} for title in columns], "data": rows}
