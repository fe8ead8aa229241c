"""How the whole fleet stands: every promoted image is evaluated again, whatever changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from sqlalchemy import Connection, select

from imagegate.inventory import tables
from imagegate.inventory.placed import Placed, having
from imagegate.inventory.verdicts import Verdicts
from imagegate.model import Action, Vulnerability
from imagegate.model.news import Finding, Hit, HitImage, Standing, TeamStanding

_CHUNK = 400
Known = Callable[[Connection, Sequence[int]], Iterable[tuple[int, dict[str, Vulnerability]]]]
"""Tells of components, by their numbers, what they have."""


def standing(
    connection: Connection,
    known: Known,
    verdicts_on: Callable[[Sequence[Vulnerability]], Verdicts],
    team_of: Callable[[str, str], str],
) -> Standing:
    """Evaluate every image by its policy's rules on vulnerabilities.

    verdicts_on: returns what answers for findings. team_of: returns whose an image is, by its repository and record.
    """
    vulnerabilities: list[Vulnerability] = []
    by_component: dict[int, list[int]] = {}
    for number, found in _known(connection, known):
        by_component[number] = list(range(len(vulnerabilities), len(vulnerabilities) + len(found)))
        vulnerabilities += found.values()
    tally = _Tally(verdicts_on(vulnerabilities), vulnerabilities, team_of)
    for image in having(connection, by_component, select(tables.finding.c.component).distinct()):
        tally.add(image)
    return tally.standing(_by_team(connection, team_of))


def _known(connection: Connection, known: Known) -> Iterator[tuple[int, dict[str, Vulnerability]]]:
    finding = tables.finding
    ids = list(connection.execute(select(finding.c.component).distinct().order_by(finding.c.component)).scalars())
    for start in range(0, len(ids), _CHUNK):
        yield from known(connection, ids[start : start + _CHUNK])


def _by_team(connection: Connection, team_of: Callable[[str, str], str]) -> Counter[str]:
    """How many images each team has: those without findings are evaluated as well, and pass."""
    promotion = tables.promotion
    rows = connection.execute(select(promotion.c.repository, promotion.c.team).where(promotion.c.retired_at.is_(None)))
    return Counter(team_of(repository, team) for repository, team in rows)


class _Answers(dict[int, Hit]):
    """What policies of one kind make of hits. stopping, warning, unknown: the hits that they do this to."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping: set[int] = set()
        self.warning: set[int] = set()
        self.unknown: set[int] = set()

    def take(self, number: int, hit: Hit) -> None:
        self[number] = hit
        if hit.action is None:
            self.unknown.add(number)
        elif hit.action is Action.STOP:
            self.stopping.add(number)
        elif hit.action is Action.WARN:
            self.warning.add(number)


class _Tally:
    """Counts images, and keeps those that would be stopped."""

    def __init__(
        self, verdicts: Verdicts, vulnerabilities: Sequence[Vulnerability], team_of: Callable[[str, str], str]
    ) -> None:
        self._verdicts, self._vulnerabilities, self._team_of = verdicts, vulnerabilities, team_of
        self._answers: dict[tuple[object, ...], _Answers] = defaultdict(_Answers)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._places: dict[int, int] = {}
        self._stopped: list[HitImage] = []

    def add(self, image: Placed) -> None:
        """Evaluate one image."""
        subject = image.subject
        team = self._team_of(subject.repository, image.team)
        answers = self._answers[self._verdicts.kind(subject)]
        for number in [each for each in image.hits if each not in answers]:
            place, inherited = number >> 1, bool(number & 1)
            answers.take(number, Hit(place, inherited, *self._verdicts.answer(subject, place, inherited)))
        if stopping := answers.stopping.intersection(image.hits):
            hits = tuple(self._moved(answers[number]) for number in sorted(stopping))
            self._stopped.append(HitImage(subject.repository, subject.digest, subject.tags, team, image.base, hits))
            self._counts[team, "stopped"] += 1
        elif not answers.unknown.isdisjoint(image.hits):
            self._counts[team, "undecided"] += 1
        elif not answers.warning.isdisjoint(image.hits):
            self._counts[team, "warned"] += 1

    def _moved(self, hit: Hit) -> Hit:
        """Name a finding by its place among those that stop anything."""
        return msgspec.structs.replace(hit, change=self._places.setdefault(hit.change, len(self._places)))

    def standing(self, by_team: Counter[str]) -> Standing:
        """Return what was counted."""
        teams = [
            TeamStanding(team, images, *(self._counts[team, each] for each in ("stopped", "warned", "undecided")))
            for team, images in by_team.items()
        ]
        return Standing(
            tuple(sorted(teams, key=lambda each: (-each.stopped, -each.warned, each.team))),
            tuple(_finding(self._vulnerabilities[number]) for number in self._places),
            tuple(self._stopped),
        )


def _finding(vulnerability: Vulnerability) -> Finding:
    package = vulnerability.package
    return Finding(
        vulnerability.id,
        vulnerability.severity,
        package.name,
        package.version,
        package.type.value,
        vulnerability.fix,
    )
