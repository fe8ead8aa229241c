"""How one state of the advisory database stands to the states that findings are of.

A state is a lineage and a number. In the lineage that a re-check notes there also stand the program's version, since
another one may match otherwise, and the state's token, since a copy of a database counts on from the same number.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, select

from imagegate import __version__
from imagegate.errors import AdvisoryError
from imagegate.inventory import tables
from imagegate.inventory.buckets import State
from imagegate.vulnerability.database import AdvisoryDatabase


class Changes(msgspec.Struct, frozen=True):
    """What changed since a state. packages: ecosystem and name; exploited: ids that CISA's catalog took in or left."""

    packages: frozenset[tuple[str, str]]
    exploited: frozenset[str]


class Current:
    """The state that a database is in."""

    def __init__(self, advisories: AdvisoryDatabase) -> None:
        self._advisories = advisories
        self._origin = f"{advisories.lineage} {__version__}"
        self._changes: dict[int, Changes | None] = {}
        self.state: State = f"{self._origin} {advisories.token(advisories.number)}".rstrip(), advisories.number

    def is_before(self, other: State) -> bool:
        """Whether a re-check's state is a later one of the same origin."""
        return self._is_mine(other[0]) and other[1] > self.state[1]

    def changes(self, since: State) -> Changes | None:
        """Return what changed since a re-check's state. None: nobody knows, it may be anything."""
        lineage, number = since
        token = lineage[len(self._origin) + 1 :]
        if not self._is_mine(lineage) or (token and token != self._advisories.token(number)):
            return None
        if number not in self._changes:
            self._changes[number] = self._read(number)
        return self._changes[number]

    def later(self, connection: Connection) -> Sequence[int]:
        """Return the numbers of the states, of those that gates went by, which are later than this one."""
        state = tables.state
        query = select(state.c.id).where(
            state.c.lineage == self._advisories.lineage, state.c.number > self._advisories.number
        )
        return connection.execute(query).scalars().all()

    def _is_mine(self, lineage: str) -> bool:
        return lineage == self._origin or lineage.startswith(f"{self._origin} ")

    def _read(self, number: int) -> Changes | None:
        try:
            found = self._advisories.changes(number)
        except AdvisoryError:
            return None
        return Changes(
            frozenset((each.ecosystem, each.name) for each in found if each.name),
            frozenset(each.id for each in found if not each.name),
        )
