"""How the whole fleet stands: every promoted image is evaluated again, whatever changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import msgspec
from sqlalchemy import Connection, select

from imagegate.inventory import tables
from imagegate.inventory.covered import images_of
from imagegate.inventory.placed import Placed, holders
from imagegate.inventory.verdicts import Verdicts
from imagegate.model import Action, Vulnerability
from imagegate.model.news import Finding, Hit, HitImage, Standing, TeamStanding

_CHUNK = 400
Known = Callable[[Connection, Sequence[int]], Iterable[tuple[int, dict[str, Vulnerability]]]]
"""Tells of components, by their numbers, what they have."""


class Everything(msgspec.Struct, frozen=True):
    """All that is known of the packages of all images. by_component: places in `vulnerabilities`."""

    vulnerabilities: list[Vulnerability]
    by_component: dict[int, list[int]]


def everything(connection: Connection, known: Known) -> Everything:
    """Collect it."""
    finding = tables.finding
    found = Everything([], {})
    ids = list(connection.execute(select(finding.c.component).distinct().order_by(finding.c.component)).scalars())
    for start in range(0, len(ids), _CHUNK):
        for number, mine in known(connection, ids[start : start + _CHUNK]):
            first = len(found.vulnerabilities)
            found.by_component[number] = list(range(first, first + len(mine)))
            found.vulnerabilities.extend(mine.values())
    return found


def standing(
    connection: Connection,
    found: Everything,
    verdicts: Verdicts,
    team_of: Callable[[str, str], str],
    silent: Collection[str] = (),
) -> Standing:
    """Evaluate every image by its policy's rules on vulnerabilities.

    verdicts: answers for what was found. team_of: returns whose an image is, by its repository and record. silent:
    ecosystems that nothing is known of, so that no image with packages of them can be said to pass.
    """
    tally = _Tally(verdicts, found.vulnerabilities, team_of, images_of(connection, silent))
    for image in holders(connection, found.by_component, select(tables.finding.c.component).distinct()):
        tally.add(image)
    return tally.standing(_all(connection))


class _Image(msgspec.Struct, frozen=True):
    repository: str
    digest: str
    team: str
    policy: str


def _all(connection: Connection) -> Iterator[_Image]:
    """All that count: an image without findings has to be evaluated as well."""
    promotion = tables.promotion
    query = select(promotion.c.repository, promotion.c.digest, promotion.c.team, promotion.c.policy)
    for row in connection.execute(query.where(promotion.c.retired_at.is_(None))):
        yield _Image(*row)


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
        self,
        verdicts: Verdicts,
        vulnerabilities: Sequence[Vulnerability],
        team_of: Callable[[str, str], str],
        silent: Collection[tuple[str, str]],
    ) -> None:
        """silent: images that have packages which nothing is known of."""
        self._verdicts, self._vulnerabilities, self._team_of = verdicts, vulnerabilities, team_of
        self._silent = silent
        self._answers: dict[tuple[object, ...], _Answers] = defaultdict(_Answers)
        self._words: dict[tuple[str, str], str] = {}
        self._places: dict[int, int] = {}
        self._stopped: list[HitImage] = []

    def add(self, image: Placed) -> None:
        """Evaluate one image that has findings."""
        subject = image.subject
        answers = self._answers[self._verdicts.kind(subject)]
        for number in [each for each in image.hits if each not in answers]:
            answers.take(number, self._verdicts.hit(subject, number))
        key = subject.repository, subject.digest
        if stopping := answers.stopping.intersection(image.hits):
            team = self._team_of(subject.repository, image.team)
            hits = tuple(self._moved(answers[number]) for number in sorted(stopping))
            self._stopped.append(HitImage(*key, subject.tags, team, image.base, hits))
            self._words[key] = "stopped"
        elif not answers.unknown.isdisjoint(image.hits):
            self._words[key] = "undecided"
        elif not answers.warning.isdisjoint(image.hits):
            self._words[key] = "warned"

    def _moved(self, hit: Hit) -> Hit:
        """Name a finding by its place among those that stop anything."""
        return msgspec.structs.replace(hit, change=self._places.setdefault(hit.change, len(self._places)))

    def _word(self, image: _Image) -> str:
        key = image.repository, image.digest
        word = self._words.get(key, "")
        if word != "stopped" and (key in self._silent or not self._verdicts.is_usable(image.policy)):
            return "undecided"
        return word

    def standing(self, images: Iterable[_Image]) -> Standing:
        """Return what was counted. images: all."""
        whole: Counter[str] = Counter()
        counts: Counter[tuple[str, str]] = Counter()
        for image in images:
            team = self._team_of(image.repository, image.team)
            whole[team] += 1
            counts[team, self._word(image)] += 1
        teams = [
            TeamStanding(team, count, *(counts[team, each] for each in ("stopped", "warned", "undecided")))
            for team, count in whole.items()
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
