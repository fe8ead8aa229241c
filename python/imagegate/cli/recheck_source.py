"""Who says what is known of promoted images: the advisory database here, or an Anchore server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import msgspec

from imagegate.cli.app import App

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from imagegate.inventory.standing import Known
    from imagegate.inventory.store import Inventory
    from imagegate.vulnerability.database import AdvisoryDatabase


class Done(msgspec.Struct, frozen=True):
    """What a run did. packages: that were matched again, or that an answer changed. problems: what is undecided."""

    changes: int
    packages: int
    problems: tuple[str, ...] = ()


class Source(Protocol):
    """Brings the inventory's findings to what is known now, and notes what is different."""

    def recheck(self, inventory: Inventory, shard: tuple[int, int] | None, *, full: bool, now: float) -> Done:
        """Do a run, or a shard of one. full: whatever changed since the last. now: seconds since the epoch."""

    def undecided(self, inventory: Inventory, now: float) -> tuple[str, ...]:
        """Return what keeps any run from deciding: nothing is known of what images have, or it is old."""

    def known(self) -> Known:
        """Return what tells of packages all that is known of them."""

    def silent(self, connection: Connection) -> tuple[str, ...]:
        """Return the ecosystems of packages that nothing is known of, and that no policy lets pass."""


@contextmanager
def open_source(app: App) -> Iterator[Source]:
    """Open the one that the settings name. Raises AdvisoryError where there is no advisory database to open."""
    if app.settings.scanner == "anchore":
        from imagegate.cli.recheck_server import ServerSource

        yield ServerSource(app)
        return
    from imagegate.vulnerability.database import AdvisoryDatabase

    with AdvisoryDatabase(app.factory.database_file) as advisories:
        yield AdvisorySource(app, advisories)


class AdvisorySource:
    """The advisory database. (`Source`.)"""

    def __init__(self, app: App, advisories: AdvisoryDatabase) -> None:
        self._app, self._advisories = app, advisories

    def recheck(self, inventory: Inventory, shard: tuple[int, int] | None, *, full: bool, now: float) -> Done:
        """Match what changed advisories are about, or everything."""
        from imagegate.inventory.model import SLOTS
        from imagegate.inventory.recheck import recheck
        from imagegate.inventory.recheck import shard as slots_of

        slots = slots_of(*shard) if shard else tuple(range(SLOTS))
        with self._app.progress.task("re-check", len(slots)) as task:
            done = recheck(inventory, self._advisories, slots=slots, now=now, full=full, advance=task.advance)
        skipped = done.skipped and (
            f"{done.skipped} of {len(slots)} parts are of newer advisories than the database here: update it, or do "
            "everything by --full",
        )
        return Done(len(done.deltas), done.components, skipped or ())

    def known(self) -> Known:
        """Return a matcher: the inventory keeps neither scores nor dates, which policies ask for."""
        from imagegate.inventory.rematch import Rematch

        return Rematch(self._advisories)

    def silent(self, connection: Connection) -> tuple[str, ...]:
        """Compare the ecosystems with the database's."""
        from imagegate.inventory.covered import uncovered

        if self._app.settings.policy.missing_advisories == "go":
            return ()
        return uncovered(connection, {feed.ecosystem for feed in self._advisories.feeds()})

    def undecided(self, inventory: Inventory, now: float) -> tuple[str, ...]:
        """Compare the ecosystems that images have packages of with the database's."""
        from imagegate.inventory.look import undecided

        settings = self._app.settings
        with inventory.reading() as connection:
            return undecided(
                connection,
                self._advisories.feeds(),
                max_age_days=settings.advisories.max_age_days,
                missing_passes=settings.policy.missing_advisories == "go",
                now=now,
            )
