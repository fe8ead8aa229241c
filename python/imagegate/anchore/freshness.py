"""Whether what a server knows of vulnerabilities is recent, and whether it knows any of a distribution. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from imagegate.anchore.server import ServerFeed
from imagegate.model import Distro

_GROUPS = {"centos": "rhel", "redhat": "rhel", "almalinux": "rhel", "rocky": "rhel"}
"""Distributions whose vulnerabilities Anchore finds in another's feed."""


def undecided(
    feeds: Sequence[ServerFeed], distros: Iterable[Distro], *, max_age_days: int, missing_passes: bool, now: float
) -> tuple[str, ...]:
    """Return what keeps a re-check by a server from deciding: it has no vulnerabilities' data, or old ones.

    distros: of images. max_age_days: 0 for any. missing_passes: whether the site lets pass what there is no data of.
    now: seconds since the epoch. A server that lists no groups by distribution does not tell what it has of one.
    """
    listed = [each for each in feeds if each.records]
    if not listed:
        return (
            () if missing_passes else ("the Anchore server has no data of vulnerabilities; `imagegate anchore feeds`",)
        )
    limit = now - timedelta(days=max_age_days).total_seconds() if max_age_days else float("-inf")
    dated = [each.synced_at.timestamp() for each in listed if each.synced_at]
    if max_age_days and max(dated, default=0.0) < limit:
        return (f"the Anchore server's data of vulnerabilities is older than {max_age_days} days",)
    groups = {each.group.lower(): each for each in listed}
    by_distro = any(each.feed == "vulnerabilities" and ":" in each.group for each in listed)
    problems: dict[str, None] = {}
    for distro in distros:
        found = next((groups[name] for name in _names(distro) if name in groups), None)
        shown = f"{distro.id} {distro.version}".strip()
        if found and found.synced_at and found.synced_at.timestamp() < limit:
            problems[f"the Anchore server's feed {found.group} is older than {max_age_days} days"] = None
        elif found is None and by_distro and not missing_passes:
            problems[f"images are of {shown}, and the Anchore server has no feed of it"] = None
    return tuple(sorted(problems))


def _names(distro: Distro) -> tuple[str, ...]:
    """Feeds' names of a distribution: with its version as far as they tell it apart, `debian:12`, `alpine:3.18`."""
    name = _GROUPS.get(distro.id.lower(), distro.id.lower())
    parts = distro.version.split(".")
    return tuple(f"{name}:{'.'.join(parts[:length])}" for length in (len(parts), 2, 1))
