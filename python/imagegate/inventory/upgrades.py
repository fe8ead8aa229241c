"""What is to be done about the news: which upgrade, where, clears how many images. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from imagegate.model import Action, Severity
from imagegate.model.news import Change, Hit, HitImage, News, Reaches, TeamNews, Upgrade, alike
from imagegate.vulnerability.ecosystems import version_key

_ECOSYSTEMS = {"npm": "npm", "python": "PyPI", "gem": "RubyGems", "java": "Maven", "go": "Go"}


_Key = tuple[str, str, str]
"""What is upgraded: package, type, and the base where that is to be done."""


def news(
    changes: Sequence[Change], images: Sequence[HitImage], reaches: Reaches, problems: tuple[str, ...] = ()
) -> News:
    """Return the news, with what clears what and each team's share. reaches: whether a hit is above the threshold."""
    reached: dict[int, bool] = {}

    def is_above(hit: Hit) -> bool:
        if id(hit) not in reached:
            reached[id(hit)] = reaches(changes[hit.change], hit)
        return reached[id(hit)]

    return News(
        above=sum(count for hits, count in alike(images) if any(map(is_above, hits))),
        changes=tuple(changes),
        images=tuple(images),
        upgrades=upgrades(changes, images),
        teams=_teams(images),
        problems=problems,
    )


def upgrades(changes: Sequence[Change], images: Sequence[HitImage]) -> tuple[Upgrade, ...]:
    """Return the upgrades, the one that clears the most images first."""
    places: dict[_Key, set[int]] = defaultdict(set)
    cleared: Counter[_Key] = Counter()
    keys: dict[tuple[int, str], _Key | None] = {}
    for image in images:
        touched = set()
        for hit in image.hits:
            short = (id(hit), image.base if hit.inherited else "")
            if short not in keys:
                change = changes[hit.change]
                counts = change.is_worse and not hit.waived
                keys[short] = (
                    (change.subject, change.type, (image.base or "?") if hit.inherited else "") if counts else None
                )
                if key := keys[short]:
                    places[key].add(hit.change)
            touched.add(keys[short])
        cleared.update(key for key in touched if key)
    found = [_upgrade(key, [changes[number] for number in sorted(places[key])], cleared[key]) for key in places]
    return tuple(sorted(found, key=lambda each: (-each.images, -each.severity.rank, each.package, each.base)))


def _upgrade(key: _Key, changes: Sequence[Change], images: int) -> Upgrade:
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
    stops: dict[int, bool] = {}
    for image in images:
        if id(image.hits) not in stops:
            stops[id(image.hits)] = any(each.action is Action.STOP for each in image.hits)
        hit[image.team] += 1
        stopped[image.team] += stops[id(image.hits)]
    found = [TeamNews(team, count, stopped[team]) for team, count in hit.items()]
    return tuple(sorted(found, key=lambda each: (-each.stopped, -each.images, each.team)))


def with_upgrades(told: News) -> News:
    """Return a part of the news with what clears its images."""
    return msgspec.structs.replace(told, upgrades=upgrades(told.changes, told.images), teams=_teams(told.images))
