"""The engine's feeds as a vulnerability report: matched as its `legacy` provider matches, by name and version alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from imagegate.model import (
    Analysis,
    CvssScore,
    FeedState,
    Package,
    PackageListing,
    Severity,
    Vulnerability,
    VulnerabilityReport,
)
from imagegate.policy.listing import parse_listing
from imagegate.vulnerability.versions import KeyFunction, apk, dpkg, pep440, semver

_BOUND = re.compile(r"(<=|>=|<|>|=|!=)?\s*(.+)")


def evaluated_at(advisories: dict[str, Any]) -> datetime:
    """Return the day of the recording, the clock of rules about age."""
    return _day(advisories["evaluated_at"]) or datetime.now(UTC)


def listing(advisories: dict[str, Any]) -> PackageListing:
    """Return what the engine knew of package registries."""
    return parse_listing(msgspec.json.encode(advisories.get("packages", {})), "advisories.json")


def report(advisories: dict[str, Any], analysis: Analysis) -> VulnerabilityReport:
    """Return what the engine's feeds say about an image."""
    scores = {record["id"]: record for record in advisories["nvd"]}
    distro = _distro(analysis)
    found = [
        _vulnerability(record, fix, package, scores.get(record["id"], {}))
        for record in advisories["vulnerabilities"]
        for fix in record["fixed"]
        for package in analysis.packages
        if _namespace(package, distro) == record["namespace"] and _is_affected(package, fix)
    ]
    synced = _day(advisories["feeds_last_sync"])
    feeds = (FeedState(distro, 1, synced),) if synced else ()
    known = {record["namespace"] for record in advisories["vulnerabilities"]}
    return VulnerabilityReport(tuple(found), feeds if distro in known else ())


def _distro(analysis: Analysis) -> str:
    """Return the feed's name for a distribution; Alpine's has no patch level."""
    if analysis.distro is None:
        return ""
    return f"{analysis.distro.id}:{'.'.join(analysis.distro.version.split('.')[:2])}"


def _namespace(package: Package, distro: str) -> str:
    return distro if package.type.is_os else f"github:{package.type.value}"


def _is_affected(package: Package, fix: dict[str, Any]) -> bool:
    name = package.source or package.name
    if package.type.canonical(name).lower() != fix["name"].lower():
        return False
    wanted = fix["version"]
    if wanted == "None":
        return True
    if fix["version_format"] in ("dpkg", "apk"):
        order: KeyFunction = dpkg.key if fix["version_format"] == "dpkg" else apk.key
        return bool(order(package.source_version or package.version) < order(wanted))
    order = pep440.key if package.type.value == "python" else semver.key
    return any(_within(order, package.version, part) for part in wanted.split("||"))


def _within(order: KeyFunction, version: str, bounds: str) -> bool:
    own = order(version)
    checks = {
        "<": lambda other: own < other,
        "<=": lambda other: own <= other,
        ">": lambda other: own > other,
        ">=": lambda other: own >= other,
        "=": lambda other: own == other,
        "!=": lambda other: own != other,
    }
    matches = [match for bound in bounds.split(",") if (match := _BOUND.fullmatch(bound.strip()))]
    return bool(matches) and all(checks[match[1] or "="](order(match[2])) for match in matches)


def _vulnerability(
    record: dict[str, Any], fix: dict[str, Any], package: Package, scores: dict[str, Any]
) -> Vulnerability:
    wanted = fix["fix_metadata"].get("first_patched_version") or fix["version"]
    return Vulnerability(
        record["id"],
        package,
        Severity(record["severity"]),
        fix="" if wanted == "None" else wanted,
        url=record["link"],
        cvss=tuple(_scores(scores.get("cvss_v3"))),
        published=_day(record["created"]),
        fixed_at=_day(fix["fix_observed"]),
        will_not_fix=fix["vendor_no_advisory"],
    )


def _scores(score: dict[str, Any] | None) -> Iterator[CvssScore]:
    if score:
        metrics = score["base_metrics"]
        yield CvssScore(
            score["version"],
            score["vector_string"],
            metrics["base_score"],
            metrics["exploitability_score"],
            metrics["impact_score"],
        )


def _day(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
