"""A policy bundle as the evaluator sees it, independent of the words that a version of the document uses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from imagegate.model import Action, Digest


class Rule(msgspec.Struct, frozen=True):
    """A rule. values: its parameters, read by their types; place: in the document, as `policies[0].rules[1]`."""

    id: str
    gate: str
    trigger: str
    action: Action
    values: dict[str, Any]
    recommendation: str = ""
    place: str = ""


class RuleSet(msgspec.Struct, frozen=True):
    """Rules that are evaluated together: a `policy` of a bundle, a `rule_set` of version 2."""

    id: str
    name: str
    rules: tuple[Rule, ...]


class AllowlistItem(msgspec.Struct, frozen=True):
    """Lets findings of one gate through whose trigger id matches. expires: the moment from which it does not."""

    id: str
    gate: str
    trigger_id: str
    expires: datetime | None = None


class Allowlist(msgspec.Struct, frozen=True):
    """A list of items that mappings name."""

    id: str
    name: str
    items: tuple[AllowlistItem, ...]


class ImageRule(msgspec.Struct, frozen=True):
    """Images by name. kind: what value is about, `tag`, `digest` or `id`."""

    id: str
    name: str
    registry: str
    repository: str
    kind: str
    value: str


class Mapping(msgspec.Struct, frozen=True):
    """Which rule sets and allowlists are for which images."""

    images: ImageRule
    rule_set_ids: tuple[str, ...]
    allowlist_ids: tuple[str, ...]


class PolicyBundle(msgspec.Struct, frozen=True):
    """A policy document, checked. digest: sha256 of its bytes; document: all of it as it was read, unknown keys too."""

    id: str
    name: str
    version: str
    digest: Digest
    source: str
    rule_sets: dict[str, RuleSet]
    allowlists: dict[str, Allowlist]
    mappings: tuple[Mapping, ...]
    allowlisted_images: tuple[ImageRule, ...]
    denylisted_images: tuple[ImageRule, ...]
    document: dict[str, Any]

    def uses_gate(self, name: str) -> bool:
        """Say whether any rule is of this gate."""
        return any(rule.gate == name for rule_set in self.rule_sets.values() for rule in rule_set.rules)
