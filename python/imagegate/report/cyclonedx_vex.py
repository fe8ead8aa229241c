"""The report as a CycloneDX document with vulnerabilities: what they mean for an image. (CycloneDX 1.6, "analysis".)"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from imagegate.model import Evaluation, Package
from imagegate.report.context import Context
from imagegate.report.impact import Impact, impacts
from imagegate.sbom.write_cyclonedx import SCHEMA, TOOLS
from imagegate.vex.cyclonedx import JUSTIFICATIONS
from imagegate.vex.product import image_purl, package_purl, split_name
from imagegate.vex.statement import Status

_STATES = {
    Status.AFFECTED: "exploitable",
    Status.UNDER_INVESTIGATION: "in_triage",
    Status.NOT_AFFECTED: "not_affected",
    Status.FIXED: "resolved",
}
_WORDS = {word: own for own, word in reversed(JUSTIFICATIONS.items()) if word != "inline_mitigations_already_exist"} | {
    "inline_mitigations_already_exist": "protected_by_mitigating_control"
}
"""CycloneDX's words for OpenVEX's justifications."""


def render(evaluations: Sequence[Evaluation], context: Context) -> str:
    """Return the document. It is about the image, or, of several, has them as components with their packages."""
    by_image: dict[str, list[tuple[Evaluation, Impact]]] = {}
    for evaluation in evaluations:
        told = by_image.setdefault(_purl(evaluation), [])
        told += ((evaluation, impact) for impact in impacts(evaluation, context))
    images = [_image(evaluation) for evaluation in {_purl(each): each for each in evaluations}.values()]
    parts = {purl: _packages(purl, [impact for _, impact in told]) for purl, told in by_image.items()}
    when = max((evaluation.evaluated_at for evaluation in evaluations), default=datetime.min.replace(tzinfo=UTC))
    metadata: dict[str, Any] = {"timestamp": _time(when), "tools": TOOLS}
    alone = images[0] if len(images) == 1 else None
    vulnerabilities: list[dict[str, Any]] = []
    for purl, told in by_image.items():
        vulnerabilities += (_vulnerability(impact, evaluation, purl) for evaluation, impact in told)
    vulnerabilities = list({json.dumps(each): each for each in vulnerabilities}.values())
    document = {
        "version": 1,
        "metadata": metadata | ({"component": alone} if alone else {}),
        "components": parts[alone["bom-ref"]]
        if alone
        else [each | {"components": parts[each["bom-ref"]]} for each in images],
        "vulnerabilities": vulnerabilities,
    }
    serial = f"urn:uuid:{uuid5(NAMESPACE_URL, json.dumps(document, sort_keys=True))}"
    head = {"$schema": SCHEMA, "bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": serial}
    return json.dumps(head | document, indent=2) + "\n"


def _image(evaluation: Evaluation) -> dict[str, Any]:
    purl = _purl(evaluation)
    return {
        "bom-ref": purl,
        "type": "container",
        "name": split_name(evaluation.tag)[0],
        "version": evaluation.digest,
        "purl": purl,
    }


def _packages(image: str, told: Sequence[Impact]) -> list[dict[str, Any]]:
    packages = dict.fromkeys(package for impact in told for package in impact.packages)
    found = {
        _ref(image, package): {
            "bom-ref": _ref(image, package),
            "type": "library",
            "name": package.name,
            "version": package.version,
            "purl": package_purl(package),
        }
        for package in packages
    }
    return list(found.values())


def _ref(image: str, package: Package) -> str:
    """Return a package's bom-ref. Each image's is its own, for a reference is to one component."""
    return f"{uuid5(NAMESPACE_URL, image)}/{package_purl(package)}"


def _vulnerability(impact: Impact, evaluation: Evaluation, image: str) -> dict[str, Any]:
    stated = impact.stated
    when = _time(stated.at if stated else evaluation.evaluated_at)
    detail = impact.action
    analysis: dict[str, Any] = {"state": _STATES[impact.status]}
    if stated:
        word = _WORDS.get(stated.justification, "")
        analysis |= {"justification": word} if word else {}
        reasons = (stated.detail, "" if word else stated.justification)
        origin = f"Stated by {stated.author}" + (f" in {stated.document}" if stated.document else "") + "."
        detail = " ".join(filter(None, (*reasons, origin)))
    if detail:
        analysis["detail"] = detail
    if impact.status is Status.AFFECTED and not impact.waived:
        analysis["response"] = ["update"]
    told: dict[str, Any] = {
        "id": impact.vulnerability,
        "analysis": analysis | {"lastUpdated": when},
        "affects": [{"ref": ref} for ref in dict.fromkeys(_ref(image, package) for package in impact.packages)],
    }
    if impact.aliases:
        # The schema asks for a source with each; an id of its own tells no more.
        told["references"] = [{"id": alias, "source": {"name": alias.partition("-")[0]}} for alias in impact.aliases]
    return told


def _purl(evaluation: Evaluation) -> str:
    return image_purl(evaluation.tag, evaluation.digest, evaluation.platform)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
