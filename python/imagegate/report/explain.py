"""One finding, explained: what, by which rule, where, whose, the smallest fix, and how to let it through."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from imagegate.model import Evaluation, Finding, Owner
from imagegate.report.escape import line

_DAYS = 30
"""How long the entries that are ready to paste would hold."""


class RuleText(msgspec.Struct, frozen=True):
    """A rule for the reader. place: `file:line`; parameters: in words."""

    place: str = ""
    parameters: str = ""


class LayerText(msgspec.Struct, frozen=True):
    """A layer for the reader. number: from 1; created_by: the step that made it."""

    number: int
    of: int
    created_by: str = ""


def explain(
    finding: Finding,
    evaluation: Evaluation,
    *,
    rule: RuleText,
    layer: LayerText | None,
    base: str = "",
    dockerfile: str = "Dockerfile",
    now: datetime,
) -> str:
    """Return the explanation. base: the proved base's name; now: what suggested last days are counted from."""
    rows = [
        ("what", finding.message),
        ("rule", " ".join(filter(None, (rule.place or finding.policy_id, f"({finding.rule_id})", rule.parameters)))),
        ("where", "; ".join(_where(finding, layer, dockerfile))),
        ("whose", _whose(finding, base)),
        ("fix", finding.fix),
        ("let through", _let_through(finding)),
    ]
    head = f"{finding.action.value} {finding.gate}/{finding.trigger} {finding.trigger_id}"
    told = [line(head), *(f"  {name + ':':<12} {line(text)}" for name, text in rows if text)]
    if not finding.allowlisted:
        until = (now + timedelta(days=_DAYS)).date()
        told += [
            "",
            "  a waiver, for waivers.yaml:",
            *(f"    {line(text)}" for text in _waiver(finding, evaluation, now)),
        ]
        item = (
            f'{{"id": "…", "gate": "{finding.gate}", "trigger_id": {msgspec.json.encode(finding.trigger_id).decode()}, '
            f'"expires_on": "{until}T23:59:59Z"}}'
        )
        told += ["", "  an item of a policy's whitelist:", f"    {line(item)}"]
    return "\n".join(told)


def is_selected(finding: Finding, wanted: str) -> bool:
    """Say whether the words of a user are about the finding: the beginning of an id, a rule or a package's name."""
    names = [finding.trigger_id, f"{finding.gate}/{finding.trigger}", finding.vulnerability, *finding.aliases]
    names += [finding.rule_id, finding.path, finding.package.name if finding.package else ""]
    return any(name.lower().startswith(wanted.lower()) for name in names if name)


def _where(finding: Finding, layer: LayerText | None, dockerfile: str) -> Iterator[str]:
    if finding.line:
        yield f"{dockerfile}:{finding.line}"
    if finding.package:
        yield f"{finding.package.name} {finding.package.version} ({finding.package.type.value})"
    if finding.path:
        yield finding.path
    if layer:
        step = f", made by {layer.created_by[:120]}" if layer.created_by else ""
        yield f"layer {layer.number} of {layer.of}{step}"


def _whose(finding: Finding, base: str) -> str:
    if finding.owner is Owner.BASE:
        return f"the base's, {base}: it is gone once the base is rebuilt without it, and this image on that base"
    if finding.owner is Owner.IMAGE:
        return "this image's own: its Dockerfile or its dependencies bring it"
    if finding.layer:
        return "not known: no base is proved for the image"
    return ""


def _let_through(finding: Finding) -> str:
    match = finding.allowlisted
    return f"{match.allowlist_name or match.allowlist_id}, item {match.item_id}" if match else ""


def _waiver(finding: Finding, evaluation: Evaluation, now: datetime) -> Iterator[str]:
    yield "- id: …"
    yield "  owner: …"
    yield "  reason: …"
    yield f"  created: {now.date()}"
    yield f"  expires: {(now + timedelta(days=_DAYS)).date()}"
    if finding.vulnerability:
        yield f"  cve: {finding.vulnerability}"
        if finding.package and finding.package.purl:
            bare = finding.package.purl.partition("?")[0].rpartition("@")[0]
            yield f"  purl: {msgspec.json.encode(bare).decode()}"
    else:
        yield f"  rule: {finding.gate}/{finding.trigger}"
        if finding.path:
            yield f"  path: {msgspec.json.encode(finding.path).decode()}"
    yield f"  image: {msgspec.json.encode(evaluation.tag.rpartition(':')[0]).decode()}"
