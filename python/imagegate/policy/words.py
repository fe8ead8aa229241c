"""The words of the two generations of policy documents: `1_0` of Anchore Engine, `2` of Anchore Enterprise.

(Anchore Engine, `swagger.yaml`, `PolicyBundle`; Anchore Enterprise API 2, `Policy`.) Version 2 says denylist and
allowlist where version 1 says blacklist and whitelist, in keys, trigger names and values alike.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from imagegate.policy.gates import TRIGGERS
from imagegate.policy.gates.trigger import Trigger


def _later(word: str) -> str:
    return word.replace("blacklist", "denylist").replace("whitelist", "allowlist")


LATER_TRIGGERS: dict[tuple[str, str], str] = {key: _later(key[1]) for key in TRIGGERS if _later(key[1]) != key[1]}
"""Gate and trigger of version 1 to the trigger's name in version 2, where that is another."""
LATER_VALUES: dict[tuple[str, str], dict[str, str]] = {
    (gate, name): {"blacklist": "denylist", "whitelist": "allowlist"}
    for gate, name in (("dockerfile", "effective_user"), ("dockerfile", "exposed_ports"))
}
"""Of the parameter `type` of these triggers: values of version 1 to those of version 2."""


class Words(msgspec.Struct, frozen=True):
    """How a version names things. policy, whitelist: in messages; keys: what each kind of mapping may hold."""

    version: str
    policy: str
    whitelist: str
    policies: str
    whitelists: str
    whitelisted_images: str
    blacklisted_images: str
    policy_ids: str
    whitelist_ids: str
    triggers: Mapping[tuple[str, str], Trigger]
    keys: Mapping[str, list[str]]


_TOP = ["id", "version", "name", "mappings"]
_NAMED = ["id", "version", "name"]
_SHARED = {
    "parameter": ["name", "value"],
    "image": ["type", "value"],
}
_MAPPING = ["id", "name", "registry", "repository", "image"]

V1 = Words(
    version="1_0",
    policy="policy",
    whitelist="whitelist",
    policies="policies",
    whitelists="whitelists",
    whitelisted_images="whitelisted_images",
    blacklisted_images="blacklisted_images",
    policy_ids="policy_ids",
    whitelist_ids="whitelist_ids",
    triggers=TRIGGERS,
    keys={
        **_SHARED,
        "bundle": [*_TOP, "comment", "policies", "whitelists", "whitelisted_images", "blacklisted_images"],
        "policy": [*_NAMED, "comment", "rules"],
        "rule": ["id", "gate", "trigger", "action", "params", "recommendation"],
        "whitelist": [*_NAMED, "comment", "items"],
        "item": ["id", "gate", "trigger_id", "expires_on"],
        "mapping": [*_MAPPING, "policy_id", "policy_ids", "whitelist_ids"],
    },
)
V2 = Words(
    version="2",
    policy="rule set",
    whitelist="allowlist",
    policies="rule_sets",
    whitelists="allowlists",
    whitelisted_images="allowlisted_images",
    blacklisted_images="denylisted_images",
    policy_ids="rule_set_ids",
    whitelist_ids="allowlist_ids",
    triggers={
        (gate, LATER_TRIGGERS.get((gate, name), name)): msgspec.structs.replace(
            trigger, name=LATER_TRIGGERS.get((gate, name), name)
        )
        for (gate, name), trigger in TRIGGERS.items()
    },
    keys={
        **_SHARED,
        "bundle": [*_TOP, "description", "rule_sets", "allowlists", "allowlisted_images", "denylisted_images"],
        "policy": [*_NAMED, "description", "artifact_type", "rules"],
        "rule": ["id", "gate", "trigger", "action", "params", "recommendation", "description"],
        "whitelist": [*_NAMED, "description", "items"],
        "item": ["id", "gate", "trigger_id", "expires_on", "description"],
        "mapping": [*_MAPPING, "description", "rule_set_ids", "allowlist_ids"],
    },
)
VERSIONS = {words.version: words for words in (V1, V2)}
ALL_TRIGGERS: Mapping[tuple[str, str], Trigger] = {**V2.triggers, **V1.triggers}
"""Every trigger by gate and name, in the words of either version."""
