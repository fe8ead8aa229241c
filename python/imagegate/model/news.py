"""What new and changed advisories mean for the images that run: the news that a re-check tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum

import msgspec

from imagegate.model.evaluation import Action
from imagegate.model.vulnerability import Severity

NO_TEAM = ""
"""The team of an image that nobody said whose it is."""


class Kind(StrEnum):
    """What happened to a finding between two states of the advisories."""

    NEW = "new"
    RESOLVED = "resolved"
    SEVERITY = "severity"
    FIXABLE = "fixable"
    EXPLOITED = "exploited"


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """A change to what is known of one package in one version, wherever it is installed.

    at: when it was found, in seconds since the epoch. severity: now, or the last one of what is resolved; before: the
    severity that it had. source: the distribution's source package. fix: the first fixed version. ecosystem: whose
    order its versions are in.
    """

    at: float
    kind: Kind
    vulnerability: str
    severity: Severity
    package: str
    version: str
    type: str
    release: str = ""
    source: str = ""
    fix: str = ""
    before: Severity | None = None
    exploited: bool = False
    aliases: tuple[str, ...] = ()
    url: str = ""
    ecosystem: str = ""

    @property
    def is_worse(self) -> bool:
        """Whether it is a reason to look: what is resolved, or less grave than before, is none."""
        if self.kind is Kind.SEVERITY and self.before:
            return self.severity.rank > self.before.rank
        return self.kind is not Kind.RESOLVED

    @property
    def subject(self) -> str:
        """The name of what is upgraded: distributions fix source packages."""
        return self.source or self.package


class Hit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A change that hits an image. change: its place in `News.changes`; inherited: the image has it from its base.

    action: of the image's policy, None when the policy could not decide; waived: by whom the finding is let through.
    """

    change: int
    inherited: bool = False
    action: Action | None = None
    waived: str = ""


class HitImage(msgspec.Struct, frozen=True):
    """A promoted image that changes hit. base: the reference that it was built on, empty when that is not known."""

    repository: str
    digest: str
    tags: tuple[str, ...]
    team: str
    base: str
    hits: tuple[Hit, ...]

    @property
    def name(self) -> str:
        return f"{self.repository}:{self.tags[0]}" if self.tags else f"{self.repository}@{self.digest}"


class Upgrade(msgspec.Struct, frozen=True):
    """What one upgrade clears. base: where to do it, empty: in the images.

    to: empty where there is no fix yet: then `images` are those that wait for one.
    """

    package: str
    type: str
    to: str
    base: str
    vulnerabilities: tuple[str, ...]
    severity: Severity
    images: int


class TeamNews(msgspec.Struct, frozen=True):
    """A team's share: how many of its images are hit, and how many of them its policies would stop today."""

    team: str
    images: int
    stopped: int


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """A vulnerability of a package in one version, wherever it is installed. fix: the first fixed version."""

    vulnerability: str
    severity: Severity
    package: str
    version: str
    type: str
    fix: str = ""


class TeamStanding(msgspec.Struct, frozen=True):
    """How many images a team has, and what their policies would do to how many of them today."""

    team: str
    images: int
    stopped: int
    warned: int
    undecided: int


class Standing(msgspec.Struct, frozen=True):
    """How all promoted images stand by their policies' rules on vulnerabilities.

    findings: those that stop an image; stopped: the images, whose hits name them by their place.
    """

    teams: tuple[TeamStanding, ...]
    findings: tuple[Finding, ...]
    stopped: tuple[HitImage, ...]

    @property
    def images(self) -> int:
        return sum(each.images for each in self.teams)


class News(msgspec.Struct, frozen=True, tag_field="schema", tag="imagegate/recheck/1"):
    """Changes, and the images that they hit. above: images with a hit at or above the threshold, if it is no better.

    problems: what kept anything from being decided. standing: of all images, where all were evaluated.
    """

    above: int
    changes: tuple[Change, ...]
    images: tuple[HitImage, ...]
    upgrades: tuple[Upgrade, ...] = ()
    teams: tuple[TeamNews, ...] = ()
    problems: tuple[str, ...] = ()
    standing: Standing | None = None


class Message(msgspec.Struct, frozen=True):
    """News for one team, ready to send. document: the news as JSON."""

    team: str
    subject: str
    markdown: str
    html: str
    document: str


def by_identity(images: Iterable[HitImage]) -> dict[int, Hit]:
    """Return each hit once. Images share their hits, of which there are few; to compare them takes far longer."""
    found: dict[int, Hit] = {}
    for image in images:
        found.update(zip(map(id, image.hits), image.hits, strict=True))
    return found


def having(images: Iterable[HitImage], wanted: Callable[[Hit], object]) -> Iterator[HitImage]:
    """Yield the images that have a hit that something is true of."""
    images = tuple(images)
    ids = {identity for identity, hit in by_identity(images).items() if wanted(hit)}
    return (image for image in images if not ids.isdisjoint(map(id, image.hits)))


Reaches = Callable[[Change, Hit], bool]


def threshold(words: Sequence[str]) -> Reaches:
    """Return what tells whether a hit is at or above a threshold: of some words, severities and actions, one suffices.

    What is waived, resolved or less grave than before never is; what a policy could not decide always is.
    """
    severities = [each.rank for each in Severity if each.value.lower() in words]
    actions = [each.rank for each in Action if each.value in words]
    lowest = min(severities, default=len(Severity))
    mildest = min(actions, default=len(Action))

    def reaches(change: Change, hit: Hit) -> bool:
        if hit.waived or not change.is_worse:
            return False
        return hit.action is None or change.severity.rank >= lowest or hit.action.rank >= mildest

    return reaches


def part(news: News, reaches: Reaches, team: str | None = None) -> News:
    """Return the hits that are at or above a threshold, of one team or of all, and the changes that they are of."""
    kept: dict[int, int] = {}
    images = []
    narrowed: dict[int, tuple[Hit, ...]] = {}
    for image in news.images:
        if team is not None and image.team != team:
            continue
        if id(image.hits) not in narrowed:
            narrowed[id(image.hits)] = tuple(
                msgspec.structs.replace(hit, change=kept.setdefault(hit.change, len(kept)))
                for hit in image.hits
                if reaches(news.changes[hit.change], hit)
            )
        if narrowed[id(image.hits)]:
            images.append(msgspec.structs.replace(image, hits=narrowed[id(image.hits)]))
    return News(len(images), tuple(news.changes[number] for number in kept), tuple(images), problems=news.problems)
