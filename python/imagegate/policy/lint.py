"""What is wrong with a policy document, or will surprise its author, with the line that it stands in. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from imagegate.model import Digest
from imagegate.policy.bundle import read_bundle
from imagegate.policy.gates.parameter import nearest
from imagegate.policy.model import ImageRule, PolicyBundle
from imagegate.policy.pattern import matches
from imagegate.policy.words import V1, VERSIONS, Words

_NO_DIGEST = Digest("sha256:" + "0" * 64)


class Note(msgspec.Struct, frozen=True):
    """Something to look at. place: in the document, as `policies[0].rules[1].trigger`; line: from 1, 0 when unknown.

    mistake: the document cannot be evaluated; else it can, and likely does not do what is meant.
    """

    place: str
    what: str
    line: int = 0
    mistake: bool = True


class SpecTrigger(msgspec.Struct):
    """A trigger of a server's policy spec."""

    name: str
    state: str = "active"
    parameters: list[dict[str, Any]] | None = None


class SpecGate(msgspec.Struct):
    """A gate of a server's policy spec: `GET /system/policy_spec`, `/system/policy-spec` of version 2."""

    name: str
    state: str = "active"
    triggers: list[SpecTrigger] = []
    superceded_by: str | None = None
    superseded_by: str | None = None


def lint(document: dict[str, Any], source: str, now: datetime, spec: list[SpecGate] | None = None) -> list[Note]:
    """Return all notes. now: what expiries are compared with; spec: also of what this server knows."""
    bundle, mistakes = read_bundle(document, _NO_DIGEST, source)
    notes = [Note(*mistake.partition(": ")[::2]) for mistake in mistakes]
    words = VERSIONS.get(str(document.get("version")), V1)
    if bundle:
        notes += _surprises(bundle, words, now)
    if spec is not None:
        notes += _against(document, words, spec)
    return notes


def _surprises(bundle: PolicyBundle, words: Words, now: datetime) -> Iterator[Note]:
    for index, mapping in enumerate(bundle.mappings):
        covering = (n for n, before in enumerate(bundle.mappings[:index]) if _covers(before.images, mapping.images))
        first = next(covering, None)
        if first is not None:
            yield Note(
                f"mappings[{index}]", f"it is never used: mappings[{first}] takes all of its images", mistake=False
            )
    used = {id_ for mapping in bundle.mappings for id_ in mapping.rule_set_ids}
    for index, id_ in enumerate(bundle.rule_sets):
        if id_ not in used:
            yield Note(f"{words.policies}[{index}]", f"no mapping names the {words.policy} {id_!r}", mistake=False)
    named = {id_ for mapping in bundle.mappings for id_ in mapping.allowlist_ids}
    gates = {gate for gate, _ in words.triggers}
    for index, allowlist in enumerate(bundle.allowlists.values()):
        place = f"{words.whitelists}[{index}]"
        if allowlist.id not in named:
            yield Note(place, f"no mapping names the {words.whitelist} {allowlist.id!r}", mistake=False)
        for number, item in enumerate(allowlist.items):
            if item.expires and item.expires <= now:
                when = f"{item.expires:%Y-%m-%d}"
                yield Note(f"{place}.items[{number}].expires_on", f"it expired on {when}", mistake=False)
            if item.gate not in gates:
                what = f"there is no gate {item.gate!r}{nearest(item.gate, sorted(gates))}, so it lets nothing through"
                yield Note(f"{place}.items[{number}].gate", what, mistake=False)


def _covers(before: ImageRule, later: ImageRule) -> bool:
    """Say whether every image of the later rule is one of the rule before it, as far as patterns tell."""
    pairs = ((before.registry, later.registry), (before.repository, later.repository))
    if not all(_wider(one, other) for one, other in pairs):
        return False
    if before.kind == "tag":
        return before.value == "*" or (later.kind == "tag" and _wider(before.value, later.value))
    return (before.kind, before.value) == (later.kind, later.value)


def _wider(before: str, later: str) -> bool:
    if before in ("*", later):
        return True
    # A later pattern with a wildcard may go beyond an earlier one, so only fixed text is compared.
    fixed = "*" not in later and not later.startswith("regexp:")
    return fixed and matches(before, later, beginning=True)


def _against(document: dict[str, Any], words: Words, spec: list[SpecGate]) -> Iterator[Note]:
    gates = {gate.name.lower(): gate for gate in spec}
    for place, rule in _rules(document, words):
        name, trigger_name = str(rule.get("gate", "")).lower(), str(rule.get("trigger", "")).lower()
        gate = gates.get(name)
        if gate is None:
            yield Note(f"{place}.gate", f"the server has no gate {name!r}{nearest(name, sorted(gates))}")
        elif gate.state != "active":
            instead = gate.superceded_by or gate.superseded_by
            yield Note(
                f"{place}.gate",
                f"the server's gate {name!r} is {gate.state}" + (f"; use {instead!r}" if instead else ""),
            )
        else:
            yield from _trigger(gate, trigger_name, rule, place)


def _trigger(gate: SpecGate, name: str, rule: dict[str, Any], place: str) -> Iterator[Note]:
    triggers = {trigger.name.lower(): trigger for trigger in gate.triggers}
    trigger = triggers.get(name)
    if trigger is None:
        what = f"the server's gate {gate.name} has no trigger {name!r}{nearest(name, sorted(triggers))}"
        yield Note(f"{place}.trigger", what)
        return
    known = {str(each["name"]).lower(): bool(each.get("required")) for each in trigger.parameters or ()}
    given = [str(each.get("name", "")).lower() for each in rule.get("params") or () if isinstance(each, dict)]
    for number, parameter in enumerate(given):
        if parameter not in known:
            what = f"the server's {gate.name}.{name} has no parameter {parameter!r}{nearest(parameter, sorted(known))}"
            yield Note(f"{place}.params[{number}]", what)
    for parameter, required in known.items():
        if required and parameter not in given:
            yield Note(f"{place}.params", f"the server's {gate.name}.{name} needs {parameter!r}")


def _rules(document: dict[str, Any], words: Words) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, rule_set in enumerate(document.get(words.policies) or ()):
        rules = rule_set.get("rules") if isinstance(rule_set, dict) else None
        for number, rule in enumerate(rules or ()):
            if isinstance(rule, dict):
                yield f"{words.policies}[{index}].rules[{number}]", rule


def lines(text: str) -> dict[str, int]:
    """Return the line of each place of a document, JSON or YAML; none when it cannot be told."""
    import yaml

    try:
        node = yaml.compose(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except yaml.YAMLError:
        return {}  # JSON with tabs is no YAML
    return dict(_lines(node, "")) if node else {}


def _lines(node: Any, place: str) -> Iterator[tuple[str, int]]:
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{place}.{key.value}" if place else str(key.value)
            yield inner, key.start_mark.line + 1
            yield from _lines(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield f"{place}[{index}]", value.start_mark.line + 1
            yield from _lines(value, f"{place}[{index}]")


def located(note: Note, known: dict[str, int]) -> Note:
    """Return the note with its line: of its place, or of the nearest place around it."""
    place = note.place
    while place and place not in known:
        place = re.sub(r"(\.[^.\[\]]+|\[\d+\]|^[^.\[\]]+)\Z", "", place)
    return msgspec.structs.replace(note, line=known.get(place, 1))
