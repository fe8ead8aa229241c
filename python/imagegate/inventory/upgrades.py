"""What is to be done about the news: which upgrade, where, clears how many images. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from imagegate.model import Action, Severity
from imagegate.model.news import Change, Hit, HitImage, News, Reaches, TeamNews, Upgrade
from imagegate.vulnerability.ecosystems import version_key

_ECOSYSTEMS = {"npm": "npm", "python": "PyPI", "gem": "RubyGems", "java": "Maven", "go": "Go"}


def news(
    changes: Sequence[Change], images: Sequence[HitImage], reaches: Reaches, problems: tuple[str, ...] = ()
) -> News:
    """Return the news, with what clears what and each team's share. reaches: whether a hit is above the threshold."""
    counted = Counter(image.hits for image in images)
    above = {hits for hits in counted if any(reaches(changes[hit.change], hit) for hit in hits)}
    return News(
        above=sum(counted[hits] for hits in above),
        changes=tuple(changes),
        images=tuple(images),
        upgrades=upgrades(changes, images),
        teams=_teams(images),
        problems=problems,
    )


def upgrades(changes: Sequence[Change], images: Sequence[HitImage]) -> tuple[Upgrade, ...]:
    """Return the upgrades, the one that clears the most images first."""
    # Images with the same hits on the same base are counted at once: there are many, and few kinds of them.
    together: Counter[tuple[str, tuple[Hit, ...]]] = Counter((image.base, image.hits) for image in images)
    places: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    cleared: Counter[tuple[str, str, str]] = Counter()
    for (base, hits), count in together.items():
        touched = set()
        for hit in hits:
            change = changes[hit.change]
            if change.is_worse and not hit.waived:
                key = (change.subject, change.type, (base or "?") if hit.inherited else "")
                places[key].add(hit.change)
                touched.add(key)
        for key in touched:
            cleared[key] += count
    found = [_upgrade(key, [changes[number] for number in sorted(places[key])], cleared[key]) for key in places]
    return tuple(sorted(found, key=lambda each: (-each.images, -each.severity.rank, each.package, each.base)))


def _upgrade(key: tuple[str, str, str], changes: Sequence[Change], images: int) -> Upgrade:
    package, type_, base = key
    severities: list[Severity] = [change.severity for change in changes]
    return Upgrade(
        package=package,
        type=type_,
        to=_highest(changes) if all(change.fix for change in changes) else "",
        base=base,
        vulnerabilities=tuple(sorted({change.vulnerability for change in changes})),
        severity=max(severities, key=lambda each: each.rank),
        images=images,
    )


def _highest(changes: Sequence[Change]) -> str:
    """Return the highest of the fixed versions, which has all the fixes."""
    versions = list(dict.fromkeys(change.fix for change in changes))
    ecosystem = changes[0].release or _ECOSYSTEMS.get(changes[0].type, "")
    if len(versions) == 1 or not ecosystem:
        return versions[-1]
    return max(versions, key=version_key(ecosystem))


def _teams(images: Sequence[HitImage]) -> tuple[TeamNews, ...]:
    hit: Counter[str] = Counter()
    stopped: Counter[str] = Counter()
    stops: dict[tuple[Hit, ...], bool] = {}
    for image in images:
        if image.hits not in stops:
            stops[image.hits] = any(each.action is Action.STOP for each in image.hits)
        hit[image.team] += 1
        stopped[image.team] += stops[image.hits]
    found = [TeamNews(team, count, stopped[team]) for team, count in hit.items()]
    return tuple(sorted(found, key=lambda each: (-each.stopped, -each.images, each.team)))


def with_upgrades(told: News) -> News:
    """Return a part of the news with what clears its images."""
    return msgspec.structs.replace(told, upgrades=upgrades(told.changes, told.images), teams=_teams(told.images))
