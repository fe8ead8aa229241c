"""Whether the embedded evaluator, under `compat: engine`, decides as the engine did. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from datetime import datetime
from typing import Any

import msgspec

from imagegate.errors import PolicyError
from imagegate.model import Analysis, Evaluation, FileType, Verdict
from imagegate.parity.recording import Case, EngineEvaluation, Mapping
from imagegate.policy.document import PolicyBundle, parse_bundle
from imagegate.policy.evaluate import evaluate
from imagegate.policy.facts import Facts
from imagegate.settings import PolicySettings

ENGINE = PolicySettings(compat="engine", unmapped="go")
_TAG = "127.0.0.1:15301/team/{}:1.0"
"""The name under which the engine had the images."""
_BLOCK, _RECORD = 512, 10240
_ROW = ("gate", "trigger", "trigger id", "message", "action", "policy", "allowlisted")


class Difference(msgspec.Struct, frozen=True):
    """Something that is not equal. what: `row`, `final_action` and so on; what one of them does not have is empty."""

    case: str
    image: str
    what: str
    engine: str
    ours: str


def compare(case: Case, facts: MappingOf[str, Facts], now: datetime) -> list[Difference]:
    """Return the differences of one case, none when it is equal. facts: by image; now: the day of the recording."""
    refused = case.engine.add.status != 200 or any(each.http for each in case.engine.images.values())
    try:
        bundle = parse_bundle(msgspec.json.encode(case.bundle), case.name, beyond=False)
    except PolicyError as error:
        return [] if refused else [Difference(case.name, "", "bundle", "accepted", f"refused: {error}")]
    if refused:
        return [Difference(case.name, "", "bundle", f"refused with {case.engine.add.status}", "accepted")]
    return [
        difference
        for image, engine in sorted(case.engine.images.items())
        for difference in _compare(case.name, image, bundle, facts[image], engine, now)
    ]


def _compare(
    case: str, image: str, bundle: PolicyBundle, facts: Facts, engine: EngineEvaluation, now: datetime
) -> Iterator[Difference]:
    ours = evaluate(bundle, facts, tag=_TAG.format(image), settings=ENGINE, now=now)
    theirs, own = Counter(map(_engine_row, engine.rows)), Counter(_rows(ours))
    for row in sorted((theirs - own).elements(), key=str):
        yield Difference(case, image, "row", _told(row), "")
    for row in sorted((own - theirs).elements(), key=str):
        yield Difference(case, image, "row", "", _told(row))
    mapping = engine.matched_mapping_rule
    pairs = {
        "final_action": (engine.final_action, ours.final_action.value),
        "final_action_reason": (engine.final_action_reason, ours.reason.value),
        "matched_mapping_rule": (mapping.name if isinstance(mapping, Mapping) else "", ours.mapping),
        "evaluation_problems": (
            str([problem["details"] for problem in engine.evaluation_problems]),
            str([problem.details for problem in ours.problems]),
        ),
    }
    if not engine.evaluation_problems:
        pairs["status"] = (engine.status, "pass" if ours.verdict is Verdict.PASS else "fail")
    for what, (left, right) in pairs.items():
        if left != right:
            yield Difference(case, image, what, left, right)


def _engine_row(entry: dict[str, Any]) -> tuple[Any, ...]:
    let_through = entry["Whitelisted"]
    return (
        entry["Gate"],
        entry["Trigger"],
        entry["Trigger_Id"],
        entry["Check_Output"],
        entry["Gate_Action"],
        entry["Policy_Id"],
        (let_through["whitelist_id"], let_through["matched_rule_id"]) if let_through else None,
    )


def _rows(evaluation: Evaluation) -> Iterator[tuple[Any, ...]]:
    for finding in evaluation.findings:
        let_through = finding.allowlisted
        yield (
            finding.gate,
            finding.trigger,
            finding.trigger_id,
            finding.message,
            "go" if let_through else finding.action.value,
            finding.policy_id,
            (let_through.allowlist_id, let_through.item_id) if let_through else None,
        )


def _told(row: tuple[Any, ...]) -> str:
    return "; ".join(f"{name} {value}" for name, value in zip(_ROW, row, strict=True) if value is not None)


def as_engine_sees(analysis: Analysis) -> Analysis:
    """Return the analysis with the size that the engine has for an image: of the tar that it squashes the layers into.

    Python's `tarfile` writes it in PAX format, with an extended header for each member.
    """
    size = sum(
        3 * _BLOCK + (-(-entry.size // _BLOCK) * _BLOCK if entry.type is FileType.FILE else 0)
        for entry in analysis.files
    )
    return msgspec.structs.replace(analysis, size=-(-(size + 2 * _BLOCK) // _RECORD) * _RECORD)
