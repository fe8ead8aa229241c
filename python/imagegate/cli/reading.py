"""What every verb that reads the inventory says beside its answer: that it is empty, and what is unknown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imagegate.cli.app import App
from imagegate.errors import AdvisoryError, ConfigError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from imagegate.inventory.selection import Whose
    from imagegate.inventory.store import Inventory


@contextmanager
def reading(app: App) -> Iterator[Connection]:
    """Open the inventory for questions, and say where there is nothing in it."""
    with app.factory.keeper.open() as opened:
        tell_if_empty(app, opened)
        with opened.reading() as connection:
            yield connection


def tell_if_empty(app: App, inventory: Inventory) -> None:
    """Say on standard error that nothing was ever recorded: an inventory that is another than meant looks so."""
    from imagegate.inventory.selection import ANYBODY, has_any

    with inventory.reading() as connection:
        if has_any(connection, ANYBODY):
            return
    shown = inventory.engine.url.database if inventory.is_sqlite else inventory.shown
    app.say(f"note: the inventory {shown} has no images")


def whose(app: App, team: str) -> Whose:
    """Return whose images are meant, with the owners that the teams file names.

    A teams file that cannot be read leaves images whose record names no team without one, unless a team is asked for.
    """
    from imagegate.inventory.selection import Whose

    owners = app.factory.owners
    try:
        return Whose(team, owners.team_of)
    except ConfigError as error:
        if team:
            raise
        app.say(f"note: teams are those of the records only: {error}")
        return Whose()


def of_nobody(app: App, connection: Connection, meant: Whose) -> tuple[str, ...]:
    """Return a note where neither the inventory nor the teams file has the team."""
    from imagegate.inventory.selection import has_any

    if not meant.team or meant.team in app.factory.owners.names or has_any(connection, meant):
        return ()
    return (f"no image, and no entry of the teams file, is of team {meant.team}",)


def uncovered(app: App, connection: Connection, promotions: Sequence[int] | None = None) -> tuple[str, ...]:
    """Return notes on what the advisories at hand say nothing of. promotions: their numbers, None: all that count."""
    from imagegate.inventory.covered import lacking, lacking_in

    if app.settings.scanner == "anchore":
        return ()
    file = app.factory.database_file
    if not file.is_file():
        return (f"there is no advisory database here, {file}: what it would have nothing on cannot be told",)
    try:
        known = {feed.ecosystem for feed in app.factory.feeds()}
    except AdvisoryError as error:
        return (str(error),)
    missing = lacking(connection, known) if promotions is None else lacking_in(connection, promotions, known)
    if not missing:
        return ()
    return (f"the advisory database has nothing on {', '.join(missing)}: no finding is no evidence",)
