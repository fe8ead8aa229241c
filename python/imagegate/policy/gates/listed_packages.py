"""Gates `npms` and `ruby_gems`: packages against a list of what the ecosystem's own registry has."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from imagegate.model import ListedPackage, Package, PackageType
from imagegate.policy.gates.parameter import Parameter, Values, text
from imagegate.policy.gates.trigger import ONLY_PACKAGES, Check, Hit, Scope, Trigger


class _Words(msgspec.Struct, frozen=True):
    """How a gate calls its things in messages, which are a wire contract. newer: before a version that is not new."""

    type: PackageType
    gate: str
    feed: str
    package: str
    newer: str
    marker: str


_NPM = _Words(PackageType.NPM, "npms", "NPM", "NPM", "NPMNOTLATEST ", "NPM")
_GEM = _Words(PackageType.GEM, "ruby_gems", "GEM", "Gem", "", "GEM")


def _installed(scope: Scope, words: _Words, *, every: bool = False) -> Iterator[Package]:
    """Yield each name and version once. every: as often as it is installed."""
    seen = set()
    for package in scope.facts.analysis.packages:
        if package.type is words.type and (every or (package.name, package.version) not in seen):
            seen.add((package.name, package.version))
            yield package


def _newer(words: _Words) -> Check:
    def check(scope: Scope, _: Values) -> Iterator[Hit]:
        for package, listed in _listed(scope, words, every=scope.engine):
            if listed and package.version and package.version != listed.latest:
                yield Hit(
                    f"{words.newer}Package ({package.name}) version ({package.version}) installed but is not the "
                    f"latest version ({listed.latest})",
                    package=package,
                    path=package.path,
                    fix=f"Move {package.name} to {listed.latest}.",
                )

    return check


def _unknown(words: _Words) -> Check:
    def check(scope: Scope, _: Values) -> Iterator[Hit]:
        told = set()
        for package, listed in _listed(scope, words):
            if listed is None and package.name not in told:
                told.add(package.name)
                yield Hit(
                    f"{words.marker}NOTOFFICIAL Package ({package.name}) in container but not in official "
                    f"{words.feed} feed.",
                    package=package,
                    path=package.path,
                )

    return check


def _bad_version(words: _Words) -> Check:
    def check(scope: Scope, _: Values) -> Iterator[Hit]:
        for package, listed in _listed(scope, words):
            if listed and package.version not in listed.versions:
                yield Hit(
                    f"{words.marker}BADVERSION Package ({package.name}) version ({package.version}) installed but "
                    f"version is not in the official feed for this package ({list(listed.versions)})",
                    package=package,
                    path=package.path,
                )

    return check


def _listed(scope: Scope, words: _Words, *, every: bool = False) -> Iterator[tuple[Package, ListedPackage | None]]:
    """Yield each package with its entry. Without a list nothing can be said, which the engine takes for nothing."""
    listing = scope.facts.listing
    known = listing.get(words.type) if listing else None
    installed = list(_installed(scope, words, every=every))
    if known is None:
        if installed and not scope.engine:
            scope.undecided(
                "package_list", f"feed data unavailable: no list of {words.feed} packages (policy.packages)"
            )
        return
    entries = [(package, known.get(package.name)) for package in installed]
    if scope.engine and not any(entry for _, entry in entries):
        return
    yield from entries


def _denied(words: _Words) -> Check:
    def check(scope: Scope, values: Values) -> Iterator[Hit]:
        name, version = values["name"], values.get("version")
        found = [package for package in _installed(scope, words) if package.name == name]
        if found and (not version or version in {package.version for package in found}):
            yield Hit(
                f"{words.package} Package is blacklisted: {name}-{version}"
                if version
                else f"{words.package} Package is blacklisted: {name}",
                package=found[0],
                path=found[0].path,
                fix=f"Remove the package {name}.",
            )

    return check


def _no_list(words: _Words) -> Check:
    def check(scope: Scope, _: Values) -> Iterator[Hit]:
        listing = scope.facts.listing
        if listing is None or words.type not in listing:
            yield Hit(
                f"{words.package} packages are present but the anchore {words.feed.lower()} feed is not available - "
                "will be unable to perform checks that require feed data",
                fix="Set policy.packages.",
            )

    return check


_NAME = (Parameter("name", text, required=True), Parameter("version", text))

TRIGGERS = (
    Trigger("npms", "newer_version_in_feed", _newer(_NPM), needs=ONLY_PACKAGES),
    Trigger("npms", "unknown_in_feeds", _unknown(_NPM), needs=ONLY_PACKAGES),
    Trigger("npms", "version_not_in_feeds", _bad_version(_NPM), needs=ONLY_PACKAGES),
    Trigger("npms", "blacklisted_name_version", _denied(_NPM), _NAME, needs=ONLY_PACKAGES),
    Trigger("npms", "feed_data_unavailable", _no_list(_NPM), needs=ONLY_PACKAGES),
    Trigger("ruby_gems", "newer_version_found_in_feed", _newer(_GEM), needs=ONLY_PACKAGES),
    Trigger("ruby_gems", "not_found_in_feed", _unknown(_GEM), needs=ONLY_PACKAGES),
    Trigger("ruby_gems", "version_not_found_in_feed", _bad_version(_GEM), needs=ONLY_PACKAGES),
    Trigger("ruby_gems", "blacklist", _denied(_GEM), _NAME, needs=ONLY_PACKAGES),
    Trigger("ruby_gems", "feed_data_unavailable", _no_list(_GEM), needs=ONLY_PACKAGES),
)
