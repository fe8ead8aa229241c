"""The report as an OpenVEX document: what its vulnerabilities mean for an image. (OpenVEX 0.2.0.)"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from imagegate import __version__
from imagegate.model import Evaluation, VexMatch
from imagegate.report.context import Context
from imagegate.report.impact import Impact, impacts
from imagegate.vex.openvex import CONTEXT
from imagegate.vex.product import image_purl, package_purl
from imagegate.vex.statement import Status


def render(evaluations: Sequence[Evaluation], context: Context) -> str:
    """Return the document: a statement for each vulnerability of each image, by the image's digest."""
    statements: list[dict[str, Any]] = []
    for evaluation in evaluations:
        statements += (_statement(impact, evaluation) for impact in impacts(evaluation, context))
    statements = list({json.dumps(each): each for each in statements}.values())
    when = max((evaluation.evaluated_at for evaluation in evaluations), default=datetime.min.replace(tzinfo=UTC))
    document = {
        "author": f"imagegate, by policy {context.policy}" if context.policy else "imagegate",
        "timestamp": _time(when),
        "version": 1,
        "tooling": f"imagegate {__version__}",
        "statements": statements,
    }
    # The same evaluations give the same document, under the same id.
    identifier = uuid5(NAMESPACE_URL, json.dumps(document, sort_keys=True))
    return json.dumps({"@context": CONTEXT, "@id": f"urn:uuid:{identifier}", **document}, indent=2) + "\n"


def _statement(impact: Impact, evaluation: Evaluation) -> dict[str, Any]:
    aliases = list(dict.fromkeys(impact.aliases))
    vulnerability = {"name": impact.vulnerability} | ({"aliases": aliases} if aliases else {})
    statement: dict[str, Any] = {
        "vulnerability": vulnerability,
        "timestamp": _time(impact.stated.at if impact.stated else evaluation.evaluated_at),
        "products": [_product(impact, evaluation)],
        "status": impact.status.value,
    }
    if impact.status is Status.AFFECTED:
        statement["action_statement"] = impact.action
    return statement | (_passed_on(impact.stated) if impact.stated else {})


def _passed_on(stated: VexMatch) -> dict[str, str]:
    """Return the author's reasons. Of justification and impact statement there may be one. (Its JSON schema.)"""
    notes = [f"Stated by {stated.author}" + (f" in {stated.document}" if stated.document else "") + "."]
    told = {}
    if stated.justification:
        told["justification"] = stated.justification
        notes += [stated.detail] if stated.detail else []
    elif stated.status == Status.NOT_AFFECTED:
        told["impact_statement"] = stated.detail or "Its author gives no reason."
    return told | {"status_notes": " ".join(notes)}


def _product(impact: Impact, evaluation: Evaluation) -> dict[str, Any]:
    purl = image_purl(evaluation.tag, evaluation.digest, evaluation.platform)
    parts = dict.fromkeys(package_purl(package) for package in impact.packages)
    return {
        "@id": purl,
        "identifiers": {"purl": purl},
        "hashes": {"sha-256": evaluation.digest.removeprefix("sha256:")},
        "subcomponents": [{"@id": part} for part in parts],
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
