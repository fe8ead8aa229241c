"""What is compared: sets of advisories in OSV's form, and packages at the versions where findings change."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.advisory_data import debian, records_of
from imagegate.model import Distro, Package, PackageType
from imagegate.vulnerability.versions import gem
from lab.grypedb import read

Record = dict[str, Any]

DEMO = Path(__file__).parents[2] / "demo" / "advisories"
_CODENAMES = {"10": "buster", "11": "bullseye", "12": "bookworm", "13": "trixie"}
_TYPES = {
    "PyPI": (PackageType.PYTHON, "pypi"),
    "npm": (PackageType.NPM, "npm"),
    "Go": (PackageType.GO, "golang"),
    "RubyGems": (PackageType.GEM, "gem"),
    "Debian": (PackageType.DPKG, "deb/debian"),
    "Alpine": (PackageType.APK, "apk/alpine"),
}


@dataclass(frozen=True)
class Case:
    """Records, and packages to ask about. distro: of all packages of a distribution's."""

    name: str
    records: list[Record]
    packages: tuple[Package, ...]
    distro: Distro | None = None


def cases(most: int) -> Iterator[Case]:
    """Yield one case for each ecosystem and release. most: packages of a case, evenly chosen when there are more."""
    pypi = [record for record in records_of("osv-pypi") if "withdrawn" not in record]
    yield _case("PyPI", pypi, most, None)
    yield _case("Go", records_of("osv-go"), most, None)
    yield _case("npm", [*retirejs(), *read(DEMO / "npm.json")], most, None)
    yield _case("RubyGems", list(_gems()), most, None)
    announced = list(debian())
    for release, codename in _CODENAMES.items():
        part = [record for record in announced if record["affected"][0]["package"]["ecosystem"] == f"Debian:{release}"]
        yield _case(f"Debian:{release}", part, most, Distro("debian", release, codename=codename))
    fixes = list(_alpine())
    for branch in ("v3.8", "v3.11"):
        part = [record for record in fixes if record["affected"][0]["package"]["ecosystem"] == f"Alpine:{branch}"]
        yield _case(f"Alpine:{branch}", part, most, Distro("alpine", f"{branch[1:]}.0"))


def _case(ecosystem: str, records: list[Record], most: int, distro: Distro | None) -> Case:
    versions: dict[str, set[str]] = defaultdict(set)
    for record in records:
        for part in record.get("affected", ()):
            if part["package"]["ecosystem"] == ecosystem:
                versions[part["package"]["name"]].update(_versions(part, ecosystem.partition(":")[0]))
    wanted = [(name, version) for name in sorted(versions) for version in sorted(versions[name])]
    step = max(1, -(-len(wanted) // most))
    packages = tuple(_package(ecosystem, name, version, distro) for name, version in wanted[::step])
    return Case(ecosystem, records, packages, distro)


def _package(ecosystem: str, name: str, version: str, distro: Distro | None) -> Package:
    kind, purl = _TYPES[ecosystem.partition(":")[0]]
    qualifiers = f"?arch=source&distro={distro.id}-{distro.version}" if distro else ""
    return Package(name, version, kind, f"pkg:{purl}/{name.replace('@', '%40')}@{version}{qualifiers}")


def _versions(part: Any, family: str) -> Iterator[str]:
    """Yield the bounds of the ranges, versions close to them on both sides, and a few of the listed ones."""
    bounds = {
        version
        for bounds in part.get("ranges", ())
        if bounds["type"] != "GIT"
        for event in bounds["events"]
        for version in event.values()
        if version not in ("0", "*")
    }
    for bound in bounds:
        yield bound
        yield from _NEAR[family](bound)
    listed = part.get("versions", ())
    yield from listed[:: max(1, len(listed) // 3)]


def _near(*suffixes: str) -> Callable[[str], Iterator[str]]:
    def near(bound: str) -> Iterator[str]:
        yield from (f"{bound}{suffix}" for suffix in suffixes)
        numbers = list(re.finditer(r"\d+", bound))
        if numbers:
            last = numbers[-1]
            for change in (-1, 1):
                if int(last[0]) + change >= 0:
                    yield f"{bound[: last.start()]}{int(last[0]) + change}{bound[last.end() :]}"

    return near


def _near_apk(bound: str) -> Iterator[str]:
    """Its suffixes stand before the revision. (apk-package(5), "pkgver".)"""
    version, dash, revision = bound.partition("-r")
    yield from (f"{each}{dash}{revision}" for each in _near("_rc1", "_p1")(version))
    yield from _near()(bound)


_NEAR = {
    "PyPI": _near("rc1", ".post1", ".dev1", ".1", "+local"),
    "npm": _near("-alpha.1", "-1", "+build"),
    "Go": _near("-alpha.1"),
    "RubyGems": _near(".rc1", ".1", ".a"),
    "Debian": _near("~", "~bpo1", "+b1", "+deb1"),
    "Alpine": _near_apk,
}


def retirejs() -> Iterator[Record]:
    """Retire.js's ranges, each entry a record."""
    for number, entry in enumerate(records_of("npm-retirejs")):
        ranges = [{"type": "SEMVER", "events": list(_bounds(bounds))} for bounds in entry["ranges"]]
        names = [name for field in entry["ids"] for name in field.split() if re.match("CVE-|GHSA-", name)]
        yield {
            "id": f"RETIRE-{number}",
            "modified": "2026-08-01T00:00:00Z",
            "aliases": names,
            "affected": [{"package": {"ecosystem": "npm", "name": entry["npm"]}, "ranges": ranges}],
        }


def _bounds(bounds: dict[str, str]) -> Iterator[dict[str, str]]:
    yield {"introduced": bounds.get("atOrAbove") or bounds.get("above") or "0"}
    if "below" in bounds:
        yield {"fixed": bounds["below"]}
    elif "atOrBelow" in bounds:
        yield {"last_affected": bounds["atOrBelow"]}


def _gems() -> Iterator[Record]:
    """Ruby's advisories whose requirements are of `>=`, `~>` and `<`: affected is what none of them allows."""
    for number, entry in enumerate(records_of("rubysec")):
        safe = [_allowed(text) for key in ("patched", "unaffected") for text in entry.get(f"{key}_versions") or ()]
        events = list(_between(each for each in safe if each))
        if "gem" not in entry or not safe or None in safe or not events:
            continue
        yield {
            "id": f"RUBYSEC-{number}",
            "modified": f"{entry['date']}T00:00:00Z",
            "aliases": [f"{kind}-{entry[kind.lower()]}" for kind in ("CVE", "GHSA") if entry.get(kind.lower())],
            "affected": [
                {
                    "package": {"ecosystem": "RubyGems", "name": entry["gem"]},
                    "ranges": [{"type": "ECOSYSTEM", "events": events}],
                }
            ],
        }


def _allowed(requirement: str) -> tuple[str, str] | None:
    """Return from and up to where a requirement allows versions, empty: no end. None: it is of another kind.

    `~> X` ends where X without its prerelease and its last part grows by one. (Gem::Requirement, Gem::Version#bump.)
    """
    low, high = "", ""
    for clause in requirement.split(","):
        found = re.fullmatch(r"\s*(>=|~>|<)\s*([\w.]+)\s*", clause)
        if not found:
            return None
        operator, version = found.groups()
        if operator == "<":
            high = version
            continue
        low = max(low, version, key=gem.key) if low else version
        if operator == "~>":
            numbers = list(itertools.takewhile(str.isdecimal, version.split(".")))
            kept = numbers[:-1] or numbers
            high = ".".join([*kept[:-1], str(int(kept[-1]) + 1)])
    return low, high


def _between(safe: Iterable[tuple[str, str]]) -> Iterator[dict[str, str]]:
    """Yield the events of what lies outside of all intervals."""
    start = "0"
    for low, high in sorted(safe, key=lambda each: gem.key(each[0] or "0.a")):
        if low and gem.key(low) > gem.key(start):
            yield {"introduced": start}
            yield {"fixed": low}
        if not high:
            return
        start = max(start, high, key=gem.key)
    yield {"introduced": start}


def _alpine() -> Iterator[Record]:
    """One record for each CVE, branch and package: whatever is older than the fix has it."""
    fixes: dict[tuple[str, str, str], str] = {}
    for line in records_of("alpine-secdb"):
        for name in (part for field in line["ids"] or () for part in field.split()):
            if line["fixed"] != "0":
                fixes[name, line["branch"], line["pkg"]] = line["fixed"]
    for (name, branch, package), fixed in fixes.items():
        events = [{"introduced": "0"}, {"fixed": fixed}]
        yield {
            "id": f"ALPINE-{name}+{branch}+{package}",
            "modified": "2020-06-01T00:00:00Z",
            "upstream": [name],
            "affected": [
                {
                    "package": {"ecosystem": f"Alpine:{branch}", "name": package},
                    "ranges": [{"type": "ECOSYSTEM", "events": events}],
                }
            ],
        }
