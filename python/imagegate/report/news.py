"""What a re-check found, for people: tables that text, Markdown and HTML share. Pure.

Names of packages and images are their authors' choice, so each format makes them safe in its own way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Protocol

import msgspec

from imagegate.errors import UsageError
from imagegate.model import Action
from imagegate.model.news import Change, HitImage, Kind, News, Reaches, Standing, TeamStanding, Upgrade, having

_KINDS = {
    Kind.NEW: "new",
    Kind.RESOLVED: "resolved",
    Kind.SEVERITY: "severity changed",
    Kind.FIXABLE: "has a fix now",
    Kind.EXPLOITED: "exploited now",
}
_SHOWN = 4


class Table(msgspec.Struct, frozen=True):
    """Rows under a heading. more: how many were left out."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int = 0


class Renderer(Protocol):
    """Makes the text of a report. reaches: whether a hit is at or above the threshold."""

    def __call__(self, news: News, reaches: Reaches) -> str: ...


FORMATS = ("html", "json", "junit", "markdown", "text")
"""What `imagegate recheck --output FORMAT=FILE` can write."""


def check_format(name: str) -> None:
    """Raise UsageError for what is not one of FORMATS."""
    if name not in FORMATS:
        raise UsageError(f"--output: a re-check is not written as {name!r}", hint=f"Formats: {', '.join(FORMATS)}.")


def render(name: str, news: News, reaches: Reaches) -> str:
    """Return a report in one of FORMATS. Raises UsageError for another."""
    check_format(name)
    renderer: Renderer = import_module(f"imagegate.report.news_{name}").render
    return renderer(news, reaches)


def title(news: News) -> str:
    """Return the news in one line."""
    found, images = totals(news)
    what = _many(found, "new or changed vulnerability", "new or changed vulnerabilities")
    if not images:
        if found:
            return f"{what}, and no image is hit"
        return "not everything could be decided" if news.problems else "no promoted image is hit by anything new"
    told = f"{what} in {_many(images, 'image')}"
    stopped = sum(each.stopped for each in news.teams)
    return f"{told}; {stopped} would be stopped today" if stopped else told


def totals(news: News) -> tuple[int, int]:
    """Return how many vulnerabilities are a reason to look, and how many images they hit."""
    worse = [change.is_worse for change in news.changes]
    images = sum(1 for _ in having(news.images, lambda hit: worse[hit.change]))
    return len({change.vulnerability for change in news.changes if change.is_worse}), images


def subject(news: News, team: str) -> str:
    """Return the news for one team in one line, as the subject of a mail."""
    return f"imagegate: {team}: {title(news)}" if team else f"imagegate: {title(news)}"


def tables(news: News, most: int) -> tuple[Table, ...]:
    """Return all there is to tell. most: rows of a table."""
    return (
        _table(
            "What to do", ("upgrade", "to", "where", "clears", "severity", "for"), map(_upgrade, news.upgrades), most
        ),
        _table(
            "Teams",
            ("team", "images hit", "would be stopped"),
            ((each.team or "(none)", str(each.images), str(each.stopped)) for each in news.teams),
            most,
        ),
        _table(
            "What changed", ("change", "vulnerability", "severity", "package", "fix", "images"), _changes(news), most
        ),
        _table(
            "Images",
            ("policy", "image", "team", "hit by", "from its base"),
            _images(news, most),
            most,
            len(news.images),
        ),
        *(_standing(news.standing, most) if news.standing else ()),
    )


def _standing(standing: Standing, most: int) -> tuple[Table, ...]:
    counted = Counter(hit.change for image in standing.stopped for hit in image.hits)
    whole = TeamStanding(
        "all teams",
        standing.images,
        *(sum(getattr(each, name) for each in standing.teams) for name in ("stopped", "warned", "undecided")),
    )
    return (
        _table(
            "How all images stand",
            ("team", "images", "would be stopped", "warned about", "undecided"),
            (
                (each.team or "(none)", str(each.images), str(each.stopped), str(each.warned), str(each.undecided))
                for each in (whole, *standing.teams)
            ),
            most,
        ),
        _table(
            "What would stop them",
            ("vulnerability", "severity", "package", "fix", "images"),
            (
                (each.vulnerability, each.severity.value, f"{each.package} {each.version}", each.fix or "-", str(count))
                for each, count in ((standing.findings[number], count) for number, count in counted.most_common())
            ),
            most,
        ),
    )


def _table(heading: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]], most: int, count: int = 0) -> Table:
    """count: of all rows, where not all were made."""
    found = tuple(rows)
    return Table(heading, columns, found[:most], max((count or len(found)) - most, 0))


def _upgrade(each: Upgrade) -> tuple[str, ...]:
    where = f"base {each.base}" if each.base not in ("", "?") else "base" if each.base else "image"
    return (
        each.package,
        each.to or "no fix yet",
        where,
        _many(each.images, "image") if each.to else f"none of {_many(each.images, 'image')}",
        each.severity.value,
        _few(each.vulnerabilities),
    )


def _changes(news: News) -> list[tuple[str, ...]]:
    counted: Counter[int] = Counter()
    for image in news.images:
        counted.update({hit.change for hit in image.hits})
    order = sorted(enumerate(news.changes), key=lambda each: (-each[1].severity.rank, -counted[each[0]], each[0]))
    return [
        (
            _KINDS[change.kind],
            change.vulnerability,
            severity(change),
            f"{change.package} {change.version}",
            change.fix or "-",
            str(counted[number]),
        )
        for number, change in order
    ]


def severity(change: Change) -> str:
    """Return the severity, with the one before where it changed."""
    changed = change.before if change.kind is Kind.SEVERITY else None
    known = f"{changed.value} → {change.severity.value}" if changed else change.severity.value
    return f"{known}, exploited" if change.exploited else known


def _images(news: News, most: int) -> list[tuple[str, ...]]:
    ordered = sorted(((action(image), image) for image in news.images), key=lambda each: (-each[0][0], each[1].name))
    return [(word, image.name, image.team, *_hit_by(image, news)) for (_, word), image in ordered[:most]]


def _hit_by(image: HitImage, news: News) -> tuple[str, str]:
    """Return what hits an image itself, and what it has from its base."""
    own, base = (
        _few(tuple(dict.fromkeys(news.changes[hit.change].vulnerability for hit in image.hits if hit.inherited is of)))
        for of in (False, True)
    )
    return own or "-", base or "-"


def action(image: HitImage) -> tuple[int, str]:
    """Return what the image's policy makes of its hits together: its rank and its word."""
    ranks = [9 if hit.action is None else hit.action.rank for hit in image.hits]
    gravest = max(ranks)
    if gravest == 9:
        return 9, "undecided"
    word = list(Action)[gravest].value
    waived = gravest == Action.GO.rank and any(hit.waived for hit in image.hits)
    return gravest, "waived" if waived else word


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _many(count: int, one: str, several: str = "") -> str:
    return f"{count} {one if count == 1 else several or f'{one}s'}"
