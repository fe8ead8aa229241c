"""Gate `distro` of Anchore Enterprise: distributions that images must not run on.

(docs.anchore.com, policy gates, "distro".)
"""

from __future__ import annotations

from collections.abc import Iterator

from imagegate.model import Part
from imagegate.policy.gates.metadata import natural
from imagegate.policy.gates.parameter import COMPARISONS, Parameter, Values, choice, text
from imagegate.policy.gates.trigger import Hit, Scope, Trigger, needs


def _denied(scope: Scope, values: Values) -> Iterator[Hit]:
    distro = scope.facts.analysis.distro
    name, version, check = values["distro"], values["version"], values["check"]
    if distro and distro.id == name.lower() and COMPARISONS[check](natural(distro.version), natural(version)):
        yield Hit(
            f"The image's distribution {distro.id} {distro.version} is denied: {name} {check} {version}",
            instance=f"deny+{distro.id}:{distro.version}",
            fix="Build on a base image of another version of the distribution, or of another distribution.",
        )


TRIGGERS = (
    Trigger(
        "distro",
        "deny",
        _denied,
        (
            Parameter("distro", text, required=True),
            Parameter("version", text, required=True),
            Parameter("check", choice(*COMPARISONS), required=True),
        ),
        beyond=True,
        needs=needs(Part.DISTRO),
    ),
)
