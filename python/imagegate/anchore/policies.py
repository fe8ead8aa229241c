"""Policy documents as code, on a server: what would change, and changing it. The plan is pure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from imagegate.anchore.client import AnchoreClient
from imagegate.anchore.server import ServerPolicy
from imagegate.errors import AnchoreError
from imagegate.policy.convert import convert
from imagegate.policy.words import V1, V2

_OWN_GATES = frozenset({"base_image"})
"""Gates that are imagegate's own, which every server refuses."""
_KEYS = {
    **V2.keys,
    "bundle": [*V2.keys["bundle"], "source_mappings", "sbom_mappings", "last_updated"],
    "image rule": ["id", "name", "description", "registry", "repository", "image"],
}
"""What each part may hold on the server. (Anchore Enterprise, OpenAPI 2.13.0, `Policy`; 6 has `sbom_mappings` too.)"""
_PARTS = {
    "bundle": {
        V2.policies: "policy",
        V2.whitelists: "whitelist",
        "mappings": "mapping",
        V2.whitelisted_images: "image rule",
        V2.blacklisted_images: "image rule",
    },
    "policy": {"rules": "rule"},
    "whitelist": {"items": "item"},
}
_VERSIONS = {"v1": V1.version, "v2": V2.version}


class Step(StrEnum):
    """What is to be done about a document."""

    ADD = "add"
    UPDATE = "update"
    KEEP = "keep"


class Change(msgspec.Struct, frozen=True):
    """A document's part of the plan. activate: whether it is to become the active one. diff: of both as JSON.

    left_out: rules that no server knows.
    """

    step: Step
    id: str
    name: str
    document: dict[str, Any]
    activate: bool
    diff: str
    left_out: tuple[str, ...] = ()
    known: ServerPolicy | None = None

    @property
    def is_nothing(self) -> bool:
        return self.step is Step.KEEP and not self.activate


def for_server(
    document: dict[str, Any], allowlist: dict[str, Any] | None, api: str
) -> tuple[dict[str, Any], list[str]]:
    """Return a document as a server of this API takes it, and what was left out of it.

    allowlist: one of version 1_0 that every mapping is to use, such as the compiled waivers; None for none.
    """
    first = convert(document, V1.version)
    left_out, policies = [], []
    for policy in first.get("policies", []):
        rules = [rule for rule in policy.get("rules", []) if rule.get("gate", "").lower() not in _OWN_GATES]
        left_out += [
            f"{rule.get('gate')}.{rule.get('trigger')}" for rule in policy.get("rules", []) if rule not in rules
        ]
        policies.append({**policy, "rules": rules})
    first = {**first, "policies": policies}
    if allowlist and allowlist["items"]:
        others = [each for each in first.get("whitelists", []) if each.get("id") != allowlist["id"]]
        first["whitelists"] = [*others, allowlist]
        first["mappings"] = [_using(each, allowlist["id"]) for each in first.get("mappings", [])]
    wanted = convert(first, _VERSIONS[api])
    return (_closed(wanted, "bundle") if api == "v2" else wanted), left_out


def _closed(document: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return a part of a document of version 2 with the keys that the server's schema has and no other.

    That schema is closed, and calls `description` what version 1 calls `comment`. A mapping needs an id.
    """
    found = {name: value for name, value in document.items() if name in _KEYS[kind]}
    if "comment" in document and "description" in _KEYS[kind]:
        found.setdefault("description", document["comment"])
    if kind in ("mapping", "image rule") and "id" not in found:
        found["id"] = str(document.get("name", kind))
    for name, part in _PARTS.get(kind, {}).items():
        if isinstance(found.get(name), list):
            found[name] = [_closed(each, part) if isinstance(each, dict) else each for each in found[name]]
    return found


def _using(mapping: dict[str, Any], allowlist_id: str) -> dict[str, Any]:
    ids = [each for each in mapping.get("whitelist_ids", []) if each != allowlist_id]
    return {**mapping, "whitelist_ids": [*ids, allowlist_id]}


def plan(
    client: AnchoreClient, documents: Iterable[tuple[dict[str, Any], list[str]]], activate: str
) -> tuple[Change, ...]:
    """Return what is to be done so that the server has the documents. activate: id of the one to be active; or empty.

    Nothing is ever deleted. Raises AnchoreError, also when no document has the id that is to be active.
    """
    changes = []
    active = {policy.id for policy in client.policies() if policy.active}
    for document, left_out in documents:
        known = client.policy(str(document["id"]))
        text = "".join(_difference(known.document if known else {}, document))
        step = Step.ADD if known is None else Step.UPDATE if text else Step.KEEP
        wanted = document["id"] == activate and document["id"] not in active
        name = str(document.get("name") or document["id"])
        changes.append(Change(step, str(document["id"]), name, document, wanted, text, tuple(left_out), known))
    if activate and activate not in {change.id for change in changes}:
        raise AnchoreError(f"no document has the id {activate!r} that is to be active")
    return tuple(changes)


def apply(client: AnchoreClient, changes: Sequence[Change]) -> None:
    """Carry a plan out, the active one last, so that what becomes active is there whole. Raises AnchoreError."""
    for change in sorted(changes, key=lambda each: each.activate):
        known = change.known
        if change.step is Step.ADD:
            known = client.add_policy(change.document)
        elif change.step is Step.UPDATE and known and not change.activate:
            known = client.update_policy(known, change.document, active=known.active)
        if change.activate and known:
            client.update_policy(known, change.document, active=True)


def _difference(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return a unified diff of the documents as JSON, their keys in order. What the server adds is no difference."""
    kept = {name: value for name, value in old.items() if name != "last_updated"}
    before, after = (json.dumps(each, indent=2, sort_keys=True).splitlines(keepends=True) for each in (kept, new))
    return list(difflib.unified_diff(before if old else [], after, "server", "local", n=2))
