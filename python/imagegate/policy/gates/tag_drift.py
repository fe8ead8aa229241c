"""Gate `tag_drift` of Anchore Enterprise: packages that differ from those of the image that the tag stood for before.

(docs.anchore.com, policy gates, "tag_drift".) A tag that is new has not drifted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from imagegate.model import Analysis, Package, PackageType
from imagegate.policy.gates.parameter import Parameter, Values, choice
from imagegate.policy.gates.trigger import ONLY_PACKAGES, Hit, Scope, Trigger

_NAMES = {"apk": PackageType.APK.value, "deb": PackageType.DPKG.value}

_Versions = dict[tuple[PackageType, str], set[str]]
_Told = Callable[[_Versions, _Versions], Iterator[tuple[PackageType, str, str]]]


def _trigger(name: str, differences: _Told) -> Trigger:
    def check(scope: Scope, values: Values) -> Iterator[Hit]:
        previous = scope.facts.previous
        if previous is None:
            scope.undecided("tag_drift", "the tag's previous image was not looked at, so rules on drift cannot decide")
            return
        if previous.analysis is None:
            return
        wanted = values.get("package_type")
        now = scope.facts.analysis
        by_name: dict[tuple[PackageType, str], Package] = {(each.type, each.name): each for each in now.packages}
        for type_, package, told in differences(_versions(previous.analysis), _versions(now)):
            if wanted in (None, type_.value):
                yield Hit(
                    f"Since the tag's previous image {previous.analysis.digest} the package {package} ({type_.value}) "
                    f"was {told}",
                    instance=f"{name}+{type_.value}+{package}",
                    package=by_name.get((type_, package)),
                    fix=f"Find out whether {package} was meant to change; if so, waive this until it is promoted.",
                )

    parameters = (Parameter("package_type", _type),)
    return Trigger("tag_drift", name, check, parameters, beyond=True, needs=ONLY_PACKAGES)


def _type(value: str) -> str:
    """A package type, by this evaluator's name or by the server's."""
    return choice(*PackageType)(_NAMES.get(value.lower(), value))


def _versions(analysis: Analysis) -> _Versions:
    found: _Versions = defaultdict(set)
    for package in analysis.packages:
        found[package.type, package.name].add(package.version)
    return dict(found)


def _added(old: _Versions, new: _Versions) -> Iterator[tuple[PackageType, str, str]]:
    for key in sorted(new.keys() - old.keys()):
        yield *key, f"added: {_listed(new[key])}"


def _removed(old: _Versions, new: _Versions) -> Iterator[tuple[PackageType, str, str]]:
    for key in sorted(old.keys() - new.keys()):
        yield *key, f"removed: {_listed(old[key])}"


def _modified(old: _Versions, new: _Versions) -> Iterator[tuple[PackageType, str, str]]:
    for key in sorted(old.keys() & new.keys()):
        if old[key] != new[key]:
            yield *key, f"modified: {_listed(old[key])} to {_listed(new[key])}"


def _listed(versions: set[str]) -> str:
    return ", ".join(sorted(versions))


TRIGGERS = (
    _trigger("packages_added", _added),
    _trigger("packages_removed", _removed),
    _trigger("packages_modified", _modified),
)
