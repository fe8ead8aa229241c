"""A readable page of what a policy document demands, in the order in which an image meets it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from imagegate.model import Action
from imagegate.policy.model import Allowlist, ImageRule, PolicyBundle, Rule

_DOES = {Action.STOP: "stops", Action.WARN: "warns", Action.GO: "is noted"}


def page(bundle: PolicyBundle, now: datetime) -> str:
    """Return the page as Markdown that reads well as text. now: what expiries are compared with."""
    return "\n".join(_page(bundle, now)) + "\n"


def _page(bundle: PolicyBundle, now: datetime) -> Iterator[str]:
    yield f"# Policy {bundle.name or bundle.id}"
    yield ""
    yield f"{bundle.source}, version {bundle.version}, `{bundle.digest}`"
    for title, rules in (
        ("Images that are always stopped", bundle.denylisted_images),
        ("Images that always pass", bundle.allowlisted_images),
    ):
        if rules:
            yield from ("", f"## {title}", *(f"- {_images(rule)}" for rule in rules))
    for number, mapping in enumerate(bundle.mappings, 1):
        yield ""
        yield f"## {number}. {_images(mapping.images)}"
        if number > 1:
            yield "(unless a mapping above takes the image)"
        for id_ in mapping.rule_set_ids:
            rule_set = bundle.rule_sets[id_]
            yield from ("", f"### {rule_set.name or rule_set.id}", *_rules(rule_set.rules))
        for id_ in mapping.allowlist_ids:
            yield from _allowlist(bundle.allowlists[id_], now)
    yield ""
    yield "An image that no mapping takes is an error, unless the site sets `policy.unmapped: go`."


def _images(rule: ImageRule) -> str:
    if "*" == rule.registry == rule.repository == rule.value:
        what = "every image"
    elif rule.kind == "tag":
        what = f"`{rule.registry}/{rule.repository}:{rule.value}`"
    else:
        what = f"`{rule.registry}/{rule.repository}` with the {rule.kind} `{rule.value}`"
    return f"{what} ({rule.name})" if rule.name else what


def _rules(rules: tuple[Rule, ...]) -> Iterator[str]:
    if not rules:
        yield "No rules: every image passes."
    for action in (Action.STOP, Action.WARN, Action.GO):
        for rule in (each for each in rules if each.action is action):
            told = parameters(rule)
            yield f"- {_DOES[action]}: {rule.gate}/{rule.trigger}" + (f", {told}" if told else "") + f" ({rule.id})"


def parameters(rule: Rule) -> str:
    """Return a rule's parameters in words."""
    return ", ".join(f"{name} {_value(value)}" for name, value in rule.values.items())


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return f"`{', '.join(map(str, value))}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{getattr(value, 'pattern', value)}`"


def _allowlist(allowlist: Allowlist, now: datetime) -> Iterator[str]:
    if not allowlist.items:
        return
    yield ""
    yield f"Let through ({allowlist.name or allowlist.id}):"
    for item in allowlist.items:
        until = ""
        if item.expires:
            until = f", {'expired' if item.expires <= now else 'until'} {item.expires:%Y-%m-%d}"
        yield f"- {item.gate}: `{item.trigger_id}`{until}"
