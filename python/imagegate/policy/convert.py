"""A policy document in the words of the other version. Pure, and without loss: what is not known stays as it is.

Where version 2 wants what version 1 lets be left out (ids of rules and items, `allowlist_ids`, `artifact_type`), it is
added. A mapping's `policy_id` is kept beside `rule_set_ids`, and comes back when both still say the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from imagegate.errors import PolicyError
from imagegate.policy.words import LATER_TRIGGERS, LATER_VALUES, V1, V2, VERSIONS, Words

Document = dict[str, Any]


def convert(document: Document, version: str) -> Document:
    """Return the document in a version's words; itself when it has them. Raises PolicyError for an unknown version."""
    have = document.get("version")
    if version not in VERSIONS or have not in VERSIONS:
        wrong = version if version not in VERSIONS else have
        raise PolicyError(
            f"there is no version {wrong!r} of policy documents", hint=f"Versions: {', '.join(VERSIONS)}."
        )
    if have == version:
        return document
    return _Conversion(VERSIONS[str(have)], VERSIONS[version]).bundle(document)


class _Conversion:
    def __init__(self, have: Words, want: Words) -> None:
        self.have, self.want = have, want

    def bundle(self, document: Document) -> Document:
        have, want = self.have, self.want
        names = {
            have.policies: want.policies,
            have.whitelists: want.whitelists,
            have.whitelisted_images: want.whitelisted_images,
            have.blacklisted_images: want.blacklisted_images,
        }
        new = self.versioned(document, names)
        self.each(new, want.policies, self.rule_set)
        self.each(new, want.whitelists, self.allowlist)
        self.each(new, "mappings", self.mapping)
        return new

    def versioned(self, document: Document, names: dict[str, str] | None = None) -> Document:
        """Return a copy with keys renamed, unless the new name is taken, and the version changed."""
        new = {_renamed(key, names or {}, document): value for key, value in document.items()}
        if new.get("version") == self.have.version:
            new["version"] = self.want.version
        return new

    def each(self, document: Document, key: str, change: Callable[[Document], Document]) -> None:
        entries = document.get(key)
        if isinstance(entries, list):
            document[key] = [change(entry) if isinstance(entry, dict) else entry for entry in entries]

    def rule_set(self, document: Document) -> Document:
        new = self.versioned(document)
        if self.want is V2:
            new.setdefault("artifact_type", "image")
        elif new.get("artifact_type") == "image":
            del new["artifact_type"]
        rules = new.get("rules")
        if isinstance(rules, list):
            new["rules"] = [
                self.rule(rule, number) if isinstance(rule, dict) else rule for number, rule in enumerate(rules)
            ]
        return new

    def rule(self, document: Document, number: int) -> Document:
        new = dict(document)
        gate, trigger = str(new.get("gate", "")).lower(), str(new.get("trigger", "")).lower()
        new_trigger, values = _rule_words(gate, trigger, later=self.want is V2)
        if new_trigger != trigger:
            new["trigger"] = new_trigger
        if values and isinstance(new.get("params"), list):
            new["params"] = [_value(each, values) if isinstance(each, dict) else each for each in new["params"]]
        if self.want is V2:
            new.setdefault("id", f"rule-{number}")
            new.setdefault("params", [])
        return new

    def allowlist(self, document: Document) -> Document:
        new = self.versioned(document)
        items = new.get("items")
        if self.want is V2 and isinstance(items, list):
            new["items"] = [
                {"id": f"item-{number}", **item} if isinstance(item, dict) and "id" not in item else item
                for number, item in enumerate(items)
            ]
        return new

    def mapping(self, document: Document) -> Document:
        have, want = self.have, self.want
        names = {have.policy_ids: want.policy_ids, have.whitelist_ids: want.whitelist_ids}
        new = {_renamed(key, names, document): value for key, value in document.items()}
        if want is V2:
            if "policy_id" in new and V2.policy_ids not in new:
                new[V2.policy_ids] = [new["policy_id"]]
            new.setdefault(V2.whitelist_ids, [])
        elif "policy_id" in new:
            # It stood there before; what was changed since is what counts.
            same = new.get(V1.policy_ids) == [new["policy_id"]]
            del new[V1.policy_ids if same else "policy_id"]
        return new


def _renamed(key: str, names: dict[str, str], document: Document) -> str:
    new = names.get(key, key)
    return key if new in document else new


def _rule_words(gate: str, trigger: str, *, later: bool) -> tuple[str, dict[str, str]]:
    """Return the trigger's name in the other version, and the values of its parameter `type` that change."""
    if later:
        return LATER_TRIGGERS.get((gate, trigger), trigger), LATER_VALUES.get((gate, trigger), {})
    earlier = next((old for (of, old), new in LATER_TRIGGERS.items() if (of, new) == (gate, trigger)), trigger)
    return earlier, {new: old for old, new in LATER_VALUES.get((gate, earlier), {}).items()}


def _value(parameter: Document, values: dict[str, str]) -> Document:
    if str(parameter.get("name", "")).lower() != "type" or parameter.get("value") not in values:
        return parameter
    return {**parameter, "value": values[parameter["value"]]}
