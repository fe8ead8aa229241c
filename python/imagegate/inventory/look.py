"""From rows of changes to the news that is told: what is hit, by which policy, and what keeps anything undecided."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import Connection

from imagegate.inventory.changed import Where, changed
from imagegate.inventory.covered import lacking
from imagegate.inventory.judged import judged, policies
from imagegate.inventory.placed import Placed, placed
from imagegate.inventory.standing import Known, everything, standing
from imagegate.inventory.upgrades import news
from imagegate.inventory.verdicts import Verdicts
from imagegate.model import FeedState, Vulnerability
from imagegate.model.news import HitImage, News, Reaches
from imagegate.policy.model import PolicyBundle
from imagegate.policy.waivers import Waiver
from imagegate.settings import PolicySettings
from imagegate.vex.statement import Statement

_PROBLEMS = 20


class Look(msgspec.Struct, frozen=True):
    """How news is looked at: the policies, what is waived, the threshold and the time.

    parse: reads a recorded document, whose name for messages comes with it. usual: returns the policy of images whose
    own was not recorded; both raise PolicyError. team_of: returns whose repositories are, for images whose record does
    not say it.
    """

    parse: Callable[[str, str], PolicyBundle]
    usual: Callable[[], PolicyBundle]
    settings: PolicySettings
    reaches: Reaches
    now: float
    waivers: tuple[Waiver, ...] = ()
    vex: tuple[Statement, ...] = ()
    team_of: Callable[[], Mapping[str, str]] = dict

    def __call__(
        self, connection: Connection, where: Where, problems: Sequence[str] = ()
    ) -> tuple[News, tuple[int, ...]]:
        """Return the news of some changes, and the changes' rows. problems: others, told first."""
        found = changed(connection, where)
        verdicts = self._verdicts(policies(connection) if found.numbers else {}, found.found)
        images: tuple[HitImage, ...] = ()
        if found.numbers:
            images = tuple(judged(map(self._owned, placed(connection, found, where)), verdicts))
        return news(found.changes, images, self.reaches, _few((*problems, *verdicts.problems))), found.numbers

    def standing(self, connection: Connection, news: News, known: Known, silent: Collection[str] = ()) -> News:
        """Return the news with how all images stand.

        known: tells what components have. silent: ecosystems that it knows nothing of, which no policy lets pass.
        """
        found = everything(connection, known)
        verdicts = self._verdicts(policies(connection), found.vulnerabilities)
        stand = standing(connection, found, verdicts, self._team, silent)
        problems = dict.fromkeys((*news.problems, *verdicts.problems))
        return msgspec.structs.replace(news, standing=stand, problems=_few(tuple(problems)))

    def _owned(self, image: Placed) -> Placed:
        if image.team:
            return image
        return msgspec.structs.replace(image, team=self._team(image.subject.repository, ""))

    def _team(self, repository: str, recorded: str) -> str:
        return recorded or self.team_of().get(repository, "")

    def _verdicts(self, documents: Mapping[str, str], found: Sequence[Vulnerability | None]) -> Verdicts:
        def load(key: str) -> PolicyBundle:
            document = documents.get(key, "")
            # What an Anchore server evaluated is only named: the server has the document.
            if not document or document.startswith('{"anchore_policy"'):
                return self.usual()
            return self.parse(document, f"recorded policy {key[:12]}")

        return Verdicts(
            load,
            found,
            settings=self.settings,
            now=datetime.fromtimestamp(self.now, UTC),
            waivers=self.waivers,
            vex=self.vex,
        )


def _few(problems: tuple[str, ...]) -> tuple[str, ...]:
    if len(problems) <= _PROBLEMS:
        return problems
    return (*problems[:_PROBLEMS], f"and {len(problems) - _PROBLEMS} more")


def undecided(
    connection: Connection, feeds: Sequence[FeedState], *, max_age_days: int, missing_passes: bool, now: float
) -> tuple[str, ...]:
    """Return what keeps a re-check from deciding: images have packages that there are no advisories of, or old ones.

    missing_passes: whether the site lets images pass that have such packages.
    """
    limit = now - timedelta(days=max_age_days).total_seconds() if max_age_days else 0.0
    old = {feed.ecosystem for feed in feeds if feed.synced_at.timestamp() < limit}
    without = lacking(connection, {feed.ecosystem for feed in feeds} - old)
    problems = [
        f"the advisories for {name} are older than {max_age_days} days; `imagegate db update` fetches newer ones"
        for name in without
        if name in old
    ]
    if not missing_passes:
        problems += [
            f"images have packages of {name}, and the advisory database has nothing on them; `imagegate db update` "
            "fetches what there is, policy.missing_advisories says whether they pass"
            for name in without
            if name not in old
        ]
    return tuple(problems)
