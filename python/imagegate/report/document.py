"""The report as one JSON document, `imagegate/report/1`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import msgspec

from imagegate.model import Digest, Evaluation, Verdict, joint_verdict
from imagegate.report.context import Context, Counts, counts
from imagegate.report.explain import Explanation, explanations


class Summary(msgspec.Struct, frozen=True):
    """One image's verdict in numbers, in the order of the evaluations."""

    image: str
    digest: Digest
    platform: str
    verdict: Verdict
    counts: Counts


class Document(msgspec.Struct, frozen=True, tag_field="schema", tag="imagegate/report/1"):
    """Verdict first, then the short form, then everything."""

    verdict: Verdict
    summary: tuple[Summary, ...]
    policy: str
    advisories: datetime | None
    evaluations: tuple[Evaluation, ...]
    explanations: tuple[Explanation, ...]


def document(evaluations: Sequence[Evaluation], context: Context) -> Document:
    """Return the report as a value."""
    summary = tuple(
        Summary(evaluation.tag, evaluation.digest, evaluation.platform, evaluation.verdict, counts(evaluation))
        for evaluation in evaluations
    )
    return Document(
        joint_verdict(evaluations),
        summary,
        context.policy,
        context.advisories,
        tuple(evaluations),
        explanations(evaluations, context),
    )


def render(evaluations: Sequence[Evaluation], context: Context) -> str:
    """Return the report as indented JSON in ASCII."""
    # ASCII only: nothing in it steers the terminal of somebody who looks into the file.
    return json.dumps(msgspec.to_builtins(document(evaluations, context)), indent=2) + "\n"
