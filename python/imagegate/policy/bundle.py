"""A policy document of either version, from plain values to the model."""

from __future__ import annotations

from typing import Any

from imagegate.model import Action, Digest
from imagegate.policy.allowlist import parse_expiry
from imagegate.policy.gates.known import ENDED, UNSUPPORTED
from imagegate.policy.gates.parameter import nearest
from imagegate.policy.gates.trigger import Trigger
from imagegate.policy.model import Allowlist, AllowlistItem, ImageRule, Mapping, PolicyBundle, Rule, RuleSet
from imagegate.policy.reader import Reader
from imagegate.policy.words import LATER_VALUES, V1, V2, VERSIONS, Words

_ACTIONS = {action.value.upper(): action for action in Action}


def read_bundle(
    document: dict[str, Any], digest: Digest, source: str, *, allow_deprecated: bool = False, beyond: bool = True
) -> tuple[PolicyBundle | None, list[str]]:
    """Return the bundle, or None and all mistakes. A document that does not say its version is read as version 1.

    allow_deprecated: rules of gates that ended are left out, as the engine leaves them out when it is asked to.
    beyond: whether triggers and parameters count that Anchore Engine does not have.
    """
    version = document.get("version")
    words = VERSIONS.get(version, V1) if isinstance(version, str) else V1
    reader = _Reader(words, allow_deprecated=allow_deprecated, beyond=beyond)
    bundle = reader.bundle(document, digest, source)
    return (None if reader.mistakes else bundle), reader.mistakes


class _Reader(Reader):
    """Reads a bundle in the words of its version."""

    def __init__(self, words: Words, *, allow_deprecated: bool, beyond: bool) -> None:
        super().__init__()
        self.words, self.allow_deprecated, self.beyond = words, allow_deprecated, beyond
        self.triggers = {key: each for key, each in words.triggers.items() if beyond or not each.beyond}

    def bundle(self, document: dict[str, Any], digest: Digest, source: str) -> PolicyBundle:
        self.known_keys(document, "bundle", "")
        version = self.text(document, "version", "")
        if version and version not in VERSIONS:
            self.mistake("version", f"{version!r} is none of {', '.join(VERSIONS)}")
        words = self.words
        rule_sets = list(self.each(document, words.policies, "", self.rule_set, required=True))
        allowlists = list(self.each(document, words.whitelists, "", self.allowlist))
        self.unique(words.policies, [rule_set.id for rule_set in rule_sets])
        self.unique(words.whitelists, [allowlist.id for allowlist in allowlists])
        mappings = tuple(self.each(document, "mappings", "", self.mapping, required=True))
        self.references(mappings, rule_sets, allowlists)
        return PolicyBundle(
            id=self.text(document, "id", ""),
            name=self.text(document, "name", "", required=False),
            version=version,
            digest=digest,
            source=source,
            rule_sets={rule_set.id: rule_set for rule_set in rule_sets},
            allowlists={allowlist.id: allowlist for allowlist in allowlists},
            mappings=mappings,
            allowlisted_images=tuple(self.each(document, words.whitelisted_images, "", self.image_rule)),
            denylisted_images=tuple(self.each(document, words.blacklisted_images, "", self.image_rule)),
            document=document,
        )

    def rule_set(self, document: dict[str, Any], place: str) -> RuleSet:
        self.known_keys(document, "policy", place)
        self.version(document, place)
        artifact = self.text(document, "artifact_type", place, required=False)
        if self.words is V2 and artifact not in ("", "image"):
            self.mistake(f"{place}.artifact_type", f"{artifact!r}: only rule sets for images are evaluated here")
        rules = tuple(rule for rule in self.each(document, "rules", place, self.rule) if rule is not None)
        return RuleSet(self.text(document, "id", place), self.text(document, "name", place, required=False), rules)

    def rule(self, document: dict[str, Any], place: str) -> Rule | None:
        self.known_keys(document, "rule", place)
        gate, name = self.text(document, "gate", place).lower(), self.text(document, "trigger", place).lower()
        if self.allow_deprecated and gate in ENDED:
            return None
        trigger = self.trigger(gate, name, place) if gate and name else None
        action = self.text(document, "action", place)
        if action and action not in _ACTIONS:
            known = list(_ACTIONS)
            self.mistake(f"{place}.action", f"{action!r} is none of {', '.join(known)}{nearest(action, known)}")
        before = len(self.mistakes)
        values = self.values(document, trigger, place) if trigger else {}
        if trigger and len(self.mistakes) == before and (wrong := trigger.lint(values)):
            self.mistake(place, wrong)
        return Rule(
            id=self.text(document, "id", place, required=False) or place,
            gate=gate,
            trigger=name,
            action=_ACTIONS.get(action, Action.STOP),
            values=values,
            recommendation=self.text(document, "recommendation", place, required=False),
            place=place,
        )

    def trigger(self, gate: str, name: str, place: str) -> Trigger | None:
        if found := self.triggers.get((gate, name)):
            return found
        triggers = sorted(trigger for of, trigger in self.triggers if of == gate)
        gates = sorted({of for of, _ in self.triggers})
        if gate in ENDED:
            instead = f"; use {ENDED[gate]!r}" if ENDED[gate] else ""
            self.mistake(f"{place}.gate", f"the gate {gate!r} is no longer evaluated by anything{instead}")
        elif gate in UNSUPPORTED and (gate not in gates or name in UNSUPPORTED[gate]):
            self.mistake(f"{place}.trigger", f"{gate}.{name} is not supported yet")
        elif gate not in gates:
            self.mistake(f"{place}.gate", f"there is no gate {gate!r}{nearest(gate, gates)}")
        else:
            known = sorted([*triggers, *UNSUPPORTED.get(gate, ())])
            self.mistake(f"{place}.trigger", f"the gate {gate} has no trigger {name!r}{nearest(name, known)}")
        return None

    def values(self, document: dict[str, Any], trigger: Trigger, place: str) -> dict[str, Any]:
        parameters = {
            parameter.name: parameter for parameter in trigger.parameters if self.beyond or not parameter.beyond
        }
        values: dict[str, Any] = {}
        given: set[str] = set()
        for name, text, where in self.each(document, "params", place, self.parameter):
            if name in given:
                self.mistake(where, f"the parameter {name!r} stands twice")
            given.add(name)
            parameter = parameters.get(name.lower())
            if parameter is None:
                hint = nearest(name, list(parameters))
                self.mistake(where, f"{trigger.gate}.{trigger.name} has no parameter {name!r}{hint}")
            elif text or parameter.required:
                try:
                    values[parameter.name] = parameter.read(self.value(trigger, parameter.name, text))
                except ValueError as error:
                    self.mistake(where, f"{name}: {error}")
        for parameter in trigger.parameters:
            if parameter.required and parameter.name not in {name.lower() for name in given}:
                self.mistake(f"{place}.params", f"{trigger.gate}.{trigger.name} needs {parameter.name!r}")
        return values

    def value(self, trigger: Trigger, name: str, text: str) -> str:
        """Return a value in the words of version 1, which the triggers know."""
        later = LATER_VALUES.get((trigger.gate, trigger.name), {}) if name == "type" and self.words is V2 else {}
        return next((old for old, new in later.items() if new == text), text)

    def parameter(self, document: dict[str, Any], place: str) -> tuple[str, str, str]:
        self.known_keys(document, "parameter", place)
        return self.text(document, "name", place), self.text(document, "value", place, empty=True), place

    def allowlist(self, document: dict[str, Any], place: str) -> Allowlist:
        self.known_keys(document, "whitelist", place)
        self.version(document, place)
        items = tuple(self.each(document, "items", place, self.item))
        return Allowlist(self.text(document, "id", place), self.text(document, "name", place, required=False), items)

    def item(self, document: dict[str, Any], place: str) -> AllowlistItem:
        self.known_keys(document, "item", place)
        trigger_id = self.pattern(document, "trigger_id", place)
        expires_on = self.text(document, "expires_on", place, required=False)
        expires = None
        try:
            expires = parse_expiry(expires_on) if expires_on else None
        except ValueError as error:
            self.mistake(f"{place}.expires_on", str(error))
        id_ = self.text(document, "id", place, required=False) or place
        return AllowlistItem(id_, self.text(document, "gate", place), trigger_id, expires)

    def mapping(self, document: dict[str, Any], place: str) -> Mapping:
        self.known_keys(document, "mapping", place)
        words = self.words
        one, several = words is V1 and "policy_id" in document, words.policy_ids in document
        if one == several:
            self.mistake(place, "give either 'policy_id' or 'policy_ids'" if words is V1 else "give 'rule_set_ids'")
        if several:
            rule_sets = self.texts(document, words.policy_ids, place)
        else:
            rule_sets = (self.text(document, "policy_id", place),) if one else ()
        if several and not rule_sets:
            self.mistake(f"{place}.{words.policy_ids}", f"it names no {words.policy}, so every image would pass")
        return Mapping(self.images(document, place), rule_sets, self.texts(document, words.whitelist_ids, place))

    def image_rule(self, document: dict[str, Any], place: str) -> ImageRule:
        known = [key for key in self.words.keys["mapping"] if not key.endswith(("_id", "_ids"))]
        self.near_misses(document, known, place)
        return self.images(document, place)

    def images(self, document: dict[str, Any], place: str) -> ImageRule:
        image = document.get("image")
        kind = value = ""
        if not isinstance(image, dict):
            self.mistake(f"{place}.image", "give {type: tag, value: ...}")
        else:
            self.known_keys(image, "image", f"{place}.image")
            kind = self.text(image, "type", f"{place}.image")
            if kind and kind not in ("tag", "digest", "id"):
                self.mistake(f"{place}.image.type", f"{kind!r} is none of tag, digest, id")
            value = self.pattern(image, "value", f"{place}.image")
        return ImageRule(
            id=self.text(document, "id", place, required=False),
            name=self.text(document, "name", place),
            registry=self.pattern(document, "registry", place),
            repository=self.pattern(document, "repository", place),
            kind=kind,
            value=value,
        )

    def references(self, mappings: tuple[Mapping, ...], rule_sets: list[RuleSet], allowlists: list[Allowlist]) -> None:
        known_sets, known_lists = [each.id for each in rule_sets], [each.id for each in allowlists]
        for index, mapping in enumerate(mappings):
            place = f"mappings[{index}]"
            for id_ in mapping.rule_set_ids:
                if id_ and id_ not in known_sets:
                    self.mistake(
                        place, f"there is no {self.words.policy} with the id {id_!r}{nearest(id_, known_sets)}"
                    )
            for id_ in mapping.allowlist_ids:
                if id_ not in known_lists:
                    self.mistake(
                        place, f"there is no {self.words.whitelist} with the id {id_!r}{nearest(id_, known_lists)}"
                    )

    def version(self, document: dict[str, Any], place: str) -> None:
        version = self.text(document, "version", place)
        # Servers of version 2 give back parts that still say 1_0.
        if version and version != self.words.version and not (self.words is V2 and version == V1.version):
            self.mistake(f"{place}.version", f"{version!r} in a document of version {self.words.version!r}")

    def known_keys(self, document: dict[str, Any], kind: str, place: str) -> None:
        self.near_misses(document, self.words.keys[kind], place)
