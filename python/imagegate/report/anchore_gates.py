"""`anchore_gates.json` as Anchore's Jenkins plugin archives it, for what reads that.

By image id, each with the table of the engine's `check`: the plugin copies it from the server's answer. (Plugin 1.0.23,
`BuildWorker`; Anchore Engine's recorded answers.)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from imagegate.anchore.server import CHECK_COLUMNS
from imagegate.model import Evaluation, Finding
from imagegate.report.context import Context


def render(evaluations: Sequence[Evaluation], context: Context) -> str:
    """Return the document. Of several evaluations of one image the last is kept, as the plugin keeps it."""
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
    return json.dumps(document) + "\n"


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
