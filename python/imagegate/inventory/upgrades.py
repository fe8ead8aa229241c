"""What is to be done about the news: which upgrade, where, clears how many images. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from imagegate.model import Action, Severity
from imagegate.model.news import Change, Hit, HitImage, News, Reaches, TeamNews, Upgrade, by_identity, having
from imagegate.vulnerability.ecosystems import version_key

_Key = tuple[str, str, str, str, bool]
"""What is upgraded: package, type, ecosystem, the base where that is to be done, and whether there is a fix."""
_NOTHING: _Key = ("", "", "", "", False)
"""What is to be done about what is waived, or better than before."""


def news(
    changes: Sequence[Change], images: Sequence[HitImage], reaches: Reaches, problems: tuple[str, ...] = ()
) -> News:
    """Return the news, with what clears what and each team's share. reaches: whether a hit is above the threshold."""
    return News(
        above=sum(1 for _ in having(images, lambda hit: reaches(changes[hit.change], hit))),
        changes=tuple(changes),
        images=tuple(images),
        upgrades=upgrades(changes, images),
        teams=_teams(images),
        problems=problems,
    )


def upgrades(changes: Sequence[Change], images: Sequence[HitImage]) -> tuple[Upgrade, ...]:
    """Return the upgrades, the one that clears the most images first."""
    by_base: dict[str, list[HitImage]] = defaultdict(list)
    for image in images:
        by_base[image.base].append(image)
    places: dict[_Key, set[int]] = defaultdict(set)
    cleared: Counter[_Key] = Counter()
    for base, mine in by_base.items():
        keys: dict[int, _Key] = {}
        for identity, hit in by_identity(mine).items():
            keys[identity] = key = _key(changes[hit.change], hit, base)
            places[key].add(hit.change)
        for image in mine:
            cleared.update({keys[id(hit)] for hit in image.hits})
    places.pop(_NOTHING, None)
    found = [_upgrade(key, [changes[number] for number in sorted(places[key])], cleared[key]) for key in places]
    return tuple(sorted(found, key=lambda each: (-each.images, -each.severity.rank, each.package, each.base)))


def _key(change: Change, hit: Hit, base: str) -> _Key:
    """Return what clears a hit."""
    if hit.waived or not change.is_worse:
        return _NOTHING
    where = (base or "?") if hit.inherited else ""
    return change.subject, change.type, change.ecosystem, where, bool(change.fix)


def _upgrade(key: _Key, changes: Sequence[Change], images: int) -> Upgrade:
    package, type_, _, base, is_fixed = key
    severities: list[Severity] = [change.severity for change in changes]
    return Upgrade(
        package=package,
        type=type_,
        to=_highest(changes) if is_fixed else "",
        base=base,
        vulnerabilities=tuple(sorted({change.vulnerability for change in changes})),
        severity=max(severities, key=lambda each: each.rank),
        images=images,
    )


def _highest(changes: Sequence[Change]) -> str:
    """Return the highest of the fixed versions, which has all the fixes."""
    versions = list(dict.fromkeys(change.fix for change in changes))
    if len(versions) == 1:
        return versions[0]
    return max(versions, key=version_key(changes[0].ecosystem))


def _teams(images: Sequence[HitImage]) -> tuple[TeamNews, ...]:
    hit = Counter(image.team for image in images)
    stopped = Counter(image.team for image in having(images, lambda each: each.action is Action.STOP))
    found = [TeamNews(team, count, stopped[team]) for team, count in hit.items()]
    return tuple(sorted(found, key=lambda each: (-each.stopped, -each.images, each.team)))


def with_upgrades(told: News) -> News:
    """Return a part of the news with what clears its images."""
    return msgspec.structs.replace(told, upgrades=upgrades(told.changes, told.images), teams=_teams(told.images))
