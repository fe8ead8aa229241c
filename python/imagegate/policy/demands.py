"""What a policy needs to be known of an image beside what every analysis knows. Pure."""

from __future__ import annotations

import msgspec

from imagegate.policy.model import PolicyBundle
from imagegate.settings import AnalysisSettings


def needs_base(bundle: PolicyBundle) -> bool:
    """Say whether a rule asks what the image was built on."""
    return bundle.uses_gate("base_image") or any(
        "inherited_from_base" in rule.values for rule_set in bundle.rule_sets.values() for rule in rule_set.rules
    )


def settings_for(bundle: PolicyBundle, settings: AnalysisSettings, *, engine: bool) -> AnalysisSettings:
    """Return the settings by which an image is analysed for a policy.

    A file that a rule is about is retrieved, and files are compared with the package database when a rule asks for
    that. engine: the engine retrieves what its configuration lists and nothing else, and rules tell the difference.
    """
    rules = [rule for rule_set in bundle.rule_sets.values() for rule in rule_set.rules]
    paths = {rule.values["path"] for rule in rules if rule.gate == "retrieved_files"}
    verify = settings.verify or any((rule.gate, rule.trigger) == ("packages", "verify") for rule in rules)
    retrieve = settings.retrieve if engine else tuple(sorted({*settings.retrieve, *paths}))
    return msgspec.structs.replace(settings, retrieve=retrieve, verify=verify)
