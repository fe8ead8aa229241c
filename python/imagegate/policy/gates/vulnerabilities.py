"""Gate `vulnerabilities`: what the advisories say about the image's packages, and how old they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from imagegate.model import CvssScore, Owner, Package, PackageType, Severity, Vulnerability, VulnerabilityReport
from imagegate.policy.gates.parameter import (
    COMPARISONS,
    Parameter,
    Values,
    boolean,
    choice,
    decimal,
    integer,
    regex,
    strings,
)
from imagegate.policy.gates.trigger import ONLY_PACKAGES, Hit, Scope, Trigger

_SCORES = ("base_score", "exploitability_score", "impact_score")
_EPSS = ("score", "percentile")
_LEVELS = {severity.value.lower(): severity.rank for severity in Severity}
_METADATA = (".dist-info", ".egg-info", ".egg")
"""Ends of the names of what holds a Python package's metadata."""


def _package(scope: Scope, values: Values) -> Iterator[Hit]:
    for vulnerability in _found(scope, values["package_type"]):
        details = _matches(vulnerability, scope, values)
        if details is not None:
            yield _hit(vulnerability, details)


def _found(scope: Scope, wanted: str) -> Iterator[Vulnerability]:
    """Yield what was found in packages of the wanted kind; note which data is missing for that kind."""
    report = scope.facts.vulnerabilities
    _require(scope, report, wanted)
    for vulnerability in report.vulnerabilities if report else ():
        if wanted == "all" or vulnerability.package.type.is_os == (wanted == "os"):
            yield vulnerability


def _require(scope: Scope, report: VulnerabilityReport | None, wanted: str) -> None:
    if scope.missing_passes:
        return
    if report is None:
        scope.undecided("missing_advisories", "no advisories were asked, so rules on vulnerabilities cannot decide")
        return
    missing = [name for name in report.missing if wanted == "all" or _of_distro(name) == (wanted == "os")]
    if missing:
        scope.undecided(
            "missing_advisories",
            f"the image has packages of {', '.join(missing)}, and the advisory database has nothing on them",
        )


def _of_distro(ecosystem: str) -> bool:
    """Say whether a name in `VulnerabilityReport.missing` is a distribution's: `Debian:12`, or a package type."""
    return ":" in ecosystem or ecosystem in (PackageType.DPKG, PackageType.RPM, PackageType.APK)


def _matches(vulnerability: Vulnerability, scope: Scope, values: Values) -> dict[str, str] | None:
    """Return what the message tells of the parameters that matched, None when one did not match."""
    if not _severity_matches(vulnerability, scope, values):
        return None
    if vulnerability.will_not_fix and (values.get("vendor_only", True) or scope.engine):
        return None
    exclude = values.get("package_path_exclude")
    if exclude and not vulnerability.package.type.is_os and exclude.match(location(vulnerability.package)):
        return None
    if not _weighs(vulnerability, scope, values) or not _is_from(vulnerability, scope, values):
        return None
    if values.get("fix_available", bool(vulnerability.fix)) != bool(vulnerability.fix):
        return None
    details = {"scores": "", "times": "", "vendor_scores": ""}
    for group, prefix, scores in (
        ("scores", "cvss_v3_", vulnerability.cvss),
        ("vendor_scores", "vendor_cvss_v3_", vulnerability.vendor_cvss),
    ):
        told = _scores(prefix, scores, values)
        if told is None:
            return None
        details[group] = told
    times = _times(vulnerability, scope, values)
    return None if times is None else details | {"times": times}


def _weighs(vulnerability: Vulnerability, scope: Scope, values: Values) -> bool:
    """Compare the EPSS score where the rule asks. A CVE that FIRST has not scored counts as 0, as on the server."""
    for name in _EPSS:
        limit = values.get(f"epss_{name}")
        if limit is None:
            continue
        _require_exploitation(scope, "EPSS")
        found = getattr(vulnerability.epss, name) if vulnerability.epss else 0.0
        if not COMPARISONS[values.get(f"epss_{name}_comparison", ">=")](found, limit):
            return False
    return True


def _is_from(vulnerability: Vulnerability, scope: Scope, values: Values) -> bool:
    """Say whether the rule is about what the base brought, or this image. What cannot be told apart is asked about."""
    wanted = values.get("inherited_from_base")
    if wanted is None:
        return True
    _, owner = scope.facts.layer_of(vulnerability.package, vulnerability.package.path)
    return owner is None or (owner is Owner.BASE) == wanted


def _require_exploitation(scope: Scope, feed: str) -> None:
    report = scope.facts.vulnerabilities
    if report is not None and feed not in report.exploitation and not scope.missing_passes:
        where = {
            "KEV": "CISA's catalog (known_exploited_vulnerabilities.json)",
            "EPSS": "FIRST's scores (epss_scores-….csv.gz)",
        }
        scope.undecided(
            f"missing_{feed.lower()}",
            f"the advisory database has no {feed} data; import {where[feed]} with `imagegate db import`",
        )


def _exploited(scope: Scope, _: Values) -> Iterator[Hit]:
    _require_exploitation(scope, "KEV")
    for vulnerability in _found(scope, "all"):
        if vulnerability.exploited:
            package = vulnerability.package
            yield Hit(
                f"Known exploited vulnerability {vulnerability.id} found in {package.type.value} package "
                f"{location(package)} {package.version}",
                instance=f"{vulnerability.id}+{_instance(package)}",
                severity=vulnerability.severity,
                package=package,
                vulnerability=vulnerability.id,
                aliases=vulnerability.aliases,
                path=package.path,
                fix=_fix(vulnerability),
            )


def _severity_matches(vulnerability: Vulnerability, scope: Scope, values: Values) -> bool:
    """A rule without severity means every severity. The engine then leaves out those of severity Unknown."""
    if not scope.engine and "severity" not in values and "severity_comparison" not in values:
        return True
    compare = COMPARISONS[values.get("severity_comparison", ">")]
    return compare(vulnerability.severity.rank, _LEVELS[values.get("severity", "unknown")])


def _scores(prefix: str, scores: Iterable[CvssScore], values: Values) -> str | None:
    """A score that nobody gave is -1.0, as the engine has it."""
    told = []
    version_3 = [score for score in scores if score.version.startswith("3")]
    for name in _SCORES:
        limit = values.get(prefix + name)
        if limit is None:
            continue
        highest = max((getattr(score, name.removesuffix("_score")) for score in version_3), default=-1.0)
        if not COMPARISONS[values.get(f"{prefix}{name}_comparison", ">=")](highest, limit):
            return None
        if highest:
            told.append(f"{prefix}{name}={highest}")
    return f"({' '.join(told)})" if told else ""


def _times(vulnerability: Vulnerability, scope: Scope, values: Values) -> str | None:
    """A date that nobody gave excuses nothing."""
    told = []
    if (days := values.get("max_days_since_creation")) is not None:
        # The engine counts from the day that it first matched the record, which for an evaluator without memory is now.
        created = scope.at if scope.engine else vulnerability.published
        if _younger(created, days, scope.at):
            return None
        told += [f"max_days_since_creation={created:%Y-%m-%d}"] if created else []
    if (days := values.get("max_days_since_fix")) is not None and values.get("fix_available"):
        if _younger(vulnerability.fixed_at, days, scope.at):
            return None
        told += [f"max_days_since_fix={vulnerability.fixed_at:%Y-%m-%d}"] if vulnerability.fixed_at else []
    return f"({' '.join(told)})" if told else ""


def _younger(moment: datetime | None, days: int, now: datetime) -> bool:
    return moment is not None and now - moment < timedelta(days=min(days, 999_999))


def _hit(vulnerability: Vulnerability, details: dict[str, str]) -> Hit:
    package = vulnerability.package
    fixed = f"(fixed in: {vulnerability.fix})" if vulnerability.fix else ""
    message = (
        f"{vulnerability.severity.value.upper()} Vulnerability found in {'os' if package.type.is_os else 'non-os'} "
        f"package type ({package.type.value}) - {location(package)} "
        f"{fixed}{details['scores']}{details['times']}{details['vendor_scores']}"
        f"({vulnerability.id} - {vulnerability.url})"
    )
    return Hit(
        message,
        instance=f"{vulnerability.id}+{_instance(package)}",
        severity=vulnerability.severity,
        package=package,
        vulnerability=vulnerability.id,
        aliases=vulnerability.aliases,
        path=package.path,
        fix=_fix(vulnerability),
    )


def location(package: Package) -> str:
    """Return how the engine's messages name a package: by name, or by where it lies when no distro installed it."""
    if package.type.is_os or not package.path:
        return package.name
    if package.type is not PackageType.PYTHON:
        return package.path
    parts = package.path.split("/")
    metadata = next((n for n in range(len(parts) - 1, -1, -1) if parts[n].endswith(_METADATA)), len(parts) - 1)
    return "/".join([*parts[:metadata], package.name])


def _instance(package: Package) -> str:
    """Return the second half of the trigger id. (Anchore Engine, `gates/vulnerabilities.py`.)"""
    if package.type.is_os:
        return package.name
    directory, _, file = package.path.rpartition("/")  # pathlib would take a third of an evaluation's time
    if package.type in (PackageType.JAVA, PackageType.GEM) and file:
        return file
    if package.type is PackageType.NPM and (parent := directory.rpartition("/")[2]):
        return parent
    name = package.name.lower() if package.type is PackageType.PYTHON else package.name
    return f"{name}-{package.version}"


def _fix(vulnerability: Vulnerability) -> str:
    package, fix = vulnerability.package, vulnerability.fix
    if not fix:
        return f"No fixed version is known: remove {package.name}, or allow {vulnerability.id} until a date."
    if package.type is PackageType.NPM:
        return f"Update {package.name} {package.version} to {fix}: npm install {package.name}@{fix}"
    if package.type is PackageType.PYTHON:
        return f"Update {package.name} {package.version} to {fix}: pip install '{package.name}>={fix}'"
    if package.type.is_os:
        return f"Update {package.name} {package.version} to {fix}: rebuild on a newer base, or upgrade it in a RUN."
    return f"Update {package.name} {package.version} to {fix}."


def _stale(scope: Scope, values: Values) -> Iterator[Hit]:
    """Fires when any feed that was asked is old, or none was. The engine looks at the distro's feed alone."""
    report = scope.facts.vulnerabilities
    _require(scope, report, "all")
    feeds = [feed for feed in report.feeds if not scope.engine or _of_distro(feed.ecosystem)] if report else []
    days = values["max_days_since_sync"]
    limit = timedelta(days=min(days, 999_999))
    old = [feed.ecosystem for feed in feeds if scope.at - feed.synced_at > limit]
    if old or not feeds:
        yield Hit(
            f"The vulnerability feed for this image distro is older than MAXAGE ({days}) days",
            fix=f"Import newer advisories for {', '.join(old) or 'the image'} with `imagegate db import`.",
        )


def _unavailable(scope: Scope, _: Values) -> Iterator[Hit]:
    analysis, report = scope.facts.analysis, scope.facts.vulnerabilities
    distro = analysis.distro
    if distro and report and not any(_of_distro(name) for name in report.missing):
        return
    namespace = f"{distro.id}:{distro.version}" if distro else "unknown"
    yield Hit(
        f"Distro-specific feed data not found for distro namespace: {namespace}. Cannot perform CVE scan OS/distro "
        "packages",
        fix="Import the distribution's advisories with `imagegate db import`.",
    )


def _denied(scope: Scope, values: Values) -> Iterator[Hit]:
    keep_unfixed = not values.get("vendor_only", True) and not scope.engine
    by_id: dict[str, Vulnerability] = {}
    for vulnerability in _found(scope, "all"):
        if keep_unfixed or not vulnerability.will_not_fix:
            for name in (vulnerability.id, *(() if scope.engine else vulnerability.aliases)):
                by_id.setdefault(name, vulnerability)
    found = [name for name in values["vulnerability_ids"] if name in by_id]
    if found:
        first = by_id[found[0]]
        yield Hit(
            f"Blacklisted vulnerabilities detected: {found}",
            severity=max((by_id[name].severity for name in found), key=lambda severity: severity.rank),
            package=first.package if len(found) == 1 else None,
            vulnerability=first.id if len(found) == 1 else "",
            fix=" ".join(dict.fromkeys(_fix(by_id[name]) for name in found)),
        )


def _score_parameters(prefix: str) -> Iterator[Parameter]:
    for name in _SCORES:
        yield Parameter(f"{prefix}{name}_comparison", choice(*COMPARISONS))
        yield Parameter(f"{prefix}{name}", decimal)


TRIGGERS = (
    Trigger(
        "vulnerabilities",
        "package",
        _package,
        (
            Parameter("package_type", choice("all", "os", "non-os"), required=True),
            Parameter("severity_comparison", choice(*COMPARISONS)),
            Parameter("severity", choice(*_LEVELS)),
            *_score_parameters("cvss_v3_"),
            Parameter("fix_available", boolean),
            Parameter("vendor_only", boolean),
            Parameter("max_days_since_creation", integer),
            Parameter("max_days_since_fix", integer),
            *_score_parameters("vendor_cvss_v3_"),
            Parameter("package_path_exclude", regex),
            Parameter("inherited_from_base", boolean, beyond=True),
            *(
                parameter
                for name in _EPSS
                for parameter in (
                    Parameter(f"epss_{name}_comparison", choice(*COMPARISONS), beyond=True),
                    Parameter(f"epss_{name}", decimal, beyond=True),
                )
            ),
        ),
        needs=ONLY_PACKAGES,
    ),
    Trigger(
        "vulnerabilities",
        "stale_feed_data",
        _stale,
        (Parameter("max_days_since_sync", integer, required=True),),
        needs=ONLY_PACKAGES,
    ),
    Trigger("vulnerabilities", "kev_list", _exploited, beyond=True, needs=ONLY_PACKAGES),
    Trigger("vulnerabilities", "vulnerability_data_unavailable", _unavailable, needs=ONLY_PACKAGES),
    Trigger(
        "vulnerabilities",
        "blacklist",
        _denied,
        (Parameter("vulnerability_ids", strings, required=True), Parameter("vendor_only", boolean)),
        needs=ONLY_PACKAGES,
    ),
)
