"""Gate `licenses`: packages under licences that are not wanted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from imagegate.model import Package, PackageType, Part
from imagegate.policy.gates.parameter import Parameter, Values, strings
from imagegate.policy.gates.trigger import Hit, Scope, Trigger, needs

_OPERATORS = {"AND", "OR", "WITH"}
_UNSTATED = {PackageType.DPKG: "Unknown", PackageType.APK: "N/A", PackageType.RPM: "N/A"}
"""What the engine has for a distro's package that states no licence."""


def _exact(scope: Scope, values: Values) -> Iterator[Hit]:
    wanted = set(values["licenses"])
    yield from _hits(scope, "LICFULLMATCH", lambda stated: [stated] if stated in wanted else [])


def _partial(scope: Scope, values: Values) -> Iterator[Hit]:
    # The engine names a package once for each of the parts that its licence has.
    yield from _hits(scope, "LICSUBMATCH", lambda stated: [stated for part in values["licenses"] if part in stated])


def _hits(scope: Scope, word: str, denied: Callable[[str], list[str]]) -> Iterator[Hit]:
    named = [
        f"{package.type.canonical(package.name)}({stated})"
        for package in scope.facts.analysis.packages
        for each in _stated(package, scope.engine)
        for stated in denied(each)
    ]
    if named:
        yield Hit(
            f"{word} Packages are installed that have blacklisted licenses: {', '.join(named)}",
            fix="Remove these packages, or have their licences allowed.",
        )


def _stated(package: Package, engine: bool) -> list[str]:
    """Return the licences of a package. A text is cut into its words; SPDX operators and brackets are none of them."""
    if engine:
        return " ".join(package.licenses or (_UNSTATED.get(package.type, ""),)).split()
    words = [word for text in package.licenses for word in re.split(r"[\s()]+", text) if word not in _OPERATORS]
    return list(dict.fromkeys(each for each in (*package.licenses, *words) if each))


_LICENSES = (Parameter("licenses", strings, required=True),)
_NEEDS = needs(Part.PACKAGES, Part.LICENSES)

TRIGGERS = (
    Trigger("licenses", "blacklist_exact_match", _exact, _LICENSES, needs=_NEEDS),
    Trigger("licenses", "blacklist_partial_match", _partial, _LICENSES, needs=_NEEDS),
)
