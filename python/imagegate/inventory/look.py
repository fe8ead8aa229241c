"""From rows of changes to the news that is told: what is hit, by which policy, and what keeps anything undecided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import Connection

from imagegate.inventory.news import Where, changed, judged, lacking, placed, policies
from imagegate.inventory.upgrades import news
from imagegate.inventory.verdicts import Verdicts
from imagegate.model import FeedState
from imagegate.model.news import News, Reaches
from imagegate.policy.model import PolicyBundle
from imagegate.policy.waivers import Waiver
from imagegate.settings import PolicySettings
from imagegate.vex.statement import Statement

_PROBLEMS = 20


class Look(msgspec.Struct, frozen=True):
    """How news is looked at: the policies, what is waived, the threshold and the time.

    parse: reads a recorded document, whose name for messages comes with it. usual: returns the policy of images whose
    own was not recorded; both raise PolicyError.
    """

    parse: Callable[[str, str], PolicyBundle]
    usual: Callable[[], PolicyBundle]
    settings: PolicySettings
    reaches: Reaches
    now: float
    waivers: tuple[Waiver, ...] = ()
    vex: tuple[Statement, ...] = ()

    def __call__(
        self, connection: Connection, where: Where, problems: Sequence[str] = ()
    ) -> tuple[News, tuple[int, ...]]:
        """Return the news of some changes, and the changes' rows. problems: others, told first."""
        found = changed(connection, where)
        documents = policies(connection) if found.numbers else {}

        def load(key: str) -> PolicyBundle:
            document = documents.get(key, "")
            # What an Anchore server evaluated is only named: the server has the document.
            if not document or document.startswith('{"anchore_policy"'):
                return self.usual()
            return self.parse(document, f"recorded policy {key[:12]}")

        verdicts = Verdicts(
            load,
            found.found,
            settings=self.settings,
            now=datetime.fromtimestamp(self.now, UTC),
            waivers=self.waivers,
            vex=self.vex,
        )
        images = judged(placed(connection, found, where), verdicts) if found.numbers else ()
        told = (*problems, *verdicts.problems)
        if len(told) > _PROBLEMS:
            told = (*told[:_PROBLEMS], f"and {len(told) - _PROBLEMS} more")
        return news(found.changes, images, self.reaches, told), found.numbers


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
            f"images have packages of {name}, and the advisory database has nothing on them"
            for name in without
            if name not in old
        ]
    return tuple(problems)
