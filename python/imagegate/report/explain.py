"""One finding, explained: by which rule, where, whose, the smallest fix, and how to let it through."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec

from imagegate.model import Digest, Evaluation, Finding, Owner
from imagegate.report.context import Context, RuleText
from imagegate.report.escape import line

_DAYS = 30
"""How long the entries that are ready to paste would hold."""
_WIDTH = 13


class Item(msgspec.Struct, frozen=True):
    """An item of a policy document's whitelist."""

    id: str
    gate: str
    trigger_id: str
    expires_on: str


class Explanation(msgspec.Struct, frozen=True):
    """What a reader asks next; empty where nothing is known.

    image: the digest. let_through: by what, when it was. waiver, item: ready to paste, of a finding that was not.
    """

    image: Digest
    trigger_id: str
    rule: str
    where: str
    whose: str
    fix: str
    let_through: str = ""
    waiver: str = ""
    item: Item | None = None


def explanation(finding: Finding, evaluation: Evaluation, context: Context) -> Explanation:
    """Return what is known of a finding."""
    rule = context.rule_texts.get(finding.rule_place, RuleText())
    match = finding.allowlisted
    until = (evaluation.evaluated_at + timedelta(days=_DAYS)).date()
    return Explanation(
        image=evaluation.digest,
        trigger_id=finding.trigger_id,
        rule=" ".join(filter(None, (rule.place or finding.policy_id, f"({finding.rule_id})", rule.parameters))),
        where="; ".join(_where(finding, evaluation, context)),
        whose=_whose(finding, context.bases.get(evaluation.digest, "")),
        fix=finding.fix,
        let_through=f"{match.allowlist_name or match.allowlist_id}, item {match.item_id}" if match else "",
        waiver="" if match else "\n".join(map(line, _waiver(finding, evaluation))),
        item=None if match else Item("…", finding.gate, finding.trigger_id, f"{until}T23:59:59Z"),
    )


def explain(finding: Finding, evaluation: Evaluation, context: Context) -> str:
    """Return the explanation as a paragraph."""
    known = explanation(finding, evaluation, context)
    rows = [
        ("what", finding.message),
        ("rule", known.rule),
        ("where", known.where),
        ("whose", known.whose),
        ("fix", known.fix),
        ("let through", known.let_through),
    ]
    head = f"{finding.action.value} {finding.gate}/{finding.trigger} {finding.trigger_id}"
    told = [line(head), *(f"  {name + ':':<{_WIDTH}}{line(text)}" for name, text in rows if text)]
    if known.item:
        told += ["", "  a waiver, for waivers.yaml:", *(f"    {text}" for text in known.waiver.splitlines())]
        item = _json(msgspec.to_builtins(known.item))
        told += ["", "  an item of a policy's whitelist:", f"    {line(item)}"]
    return "\n".join(told)


def provenance(finding: Finding, evaluation: Evaluation, context: Context) -> str:
    """Return by which rule, whose and in which layer, in as few words as there are; empty when nothing is known."""
    rule = context.rule_texts.get(finding.rule_place)
    layer = context.layers.get((evaluation.digest, finding.layer)) if finding.layer else None
    base = context.bases.get(evaluation.digest, "")
    owner = {Owner.BASE: f"from the base {base}".rstrip(), Owner.IMAGE: "from this image", None: ""}[finding.owner]
    number = f"layer {layer.number} of {layer.of}" if layer else ""
    return ", ".join(filter(None, (rule.place if rule else "", owner, number)))


def explanations(evaluations: Sequence[Evaluation], context: Context) -> tuple[Explanation, ...]:
    """Return the explanation of every finding, in the order of the evaluations."""
    return tuple(
        explanation(finding, evaluation, context) for evaluation in evaluations for finding in evaluation.findings
    )


def is_selected(finding: Finding, wanted: str) -> bool:
    """Say whether the words of a user are about the finding: the beginning of an id, a rule or a package's name."""
    names = [finding.trigger_id, f"{finding.gate}/{finding.trigger}", finding.vulnerability, *finding.aliases]
    names += [finding.rule_id, finding.path, finding.package.name if finding.package else ""]
    return any(name.lower().startswith(wanted.lower()) for name in names if name)


def _where(finding: Finding, evaluation: Evaluation, context: Context) -> Iterator[str]:
    if finding.line:
        yield f"{context.dockerfile}:{finding.line}"
    if finding.package:
        yield f"{finding.package.name} {finding.package.version} ({finding.package.type.value})"
    if finding.path:
        yield finding.path
    layer = context.layers.get((evaluation.digest, finding.layer)) if finding.layer else None
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


def _json(value: object) -> str:
    # The standard library's, because names of files may hold what is no Unicode.
    return json.dumps(value, ensure_ascii=False)


def _waiver(finding: Finding, evaluation: Evaluation) -> Iterator[str]:
    yield "- id: …"
    yield "  owner: …"
    yield "  reason: …"
    yield f"  created: {evaluation.evaluated_at.date()}"
    yield f"  expires: {(evaluation.evaluated_at + timedelta(days=_DAYS)).date()}"
    if finding.vulnerability:
        yield f"  cve: {finding.vulnerability}"
        if finding.package and finding.package.purl:
            bare = finding.package.purl.partition("?")[0].rpartition("@")[0]
            yield f"  purl: {_json(bare)}"
    else:
        yield f"  rule: {finding.gate}/{finding.trigger}"
        if finding.path:
            yield f"  path: {_json(finding.path)}"
    yield f"  image: {_json(evaluation.tag.rpartition(':')[0])}"
