"""What new and changed advisories hit: only what changed since the last run is joined with the packages' index.

For each slot of components the inventory knows the state of the advisory database that its findings are of. A run
takes what changed since, matches the components that it can be about again, and writes what is different, with the new
state, in one transaction a slot group: a run that dies has done some groups, and the next goes on with the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, select, update

from imagegate import __version__
from imagegate.errors import AdvisoryError
from imagegate.inventory import tables
from imagegate.inventory.buckets import finding_row, state_number
from imagegate.inventory.covered import of, uncovered
from imagegate.inventory.deltas import delta_row
from imagegate.inventory.model import OF_SERVER, SLOTS, Delta, Known, compare
from imagegate.inventory.recording import known_of
from imagegate.inventory.rematch import Rematch
from imagegate.inventory.slots import lock
from imagegate.inventory.store import Inventory, untangled
from imagegate.vulnerability.database import AdvisoryDatabase

_CHUNK = 400
_GROUPS, _FULL_GROUPS = 4, 16
"""How many transactions a run is made of."""


class Progressed(msgspec.Struct, frozen=True):
    """What a run did. components: those that were matched again; skipped: slots that another run has done meanwhile."""

    deltas: tuple[Delta, ...]
    components: int
    slots: int
    skipped: int


def shard(index: int, count: int) -> tuple[int, ...]:
    """Return the slots of shard `index` (from 1) of `count`: disjoint, and together all."""
    return tuple(range(index - 1, SLOTS, count))


def recheck(
    inventory: Inventory,
    advisories: AdvisoryDatabase,
    *,
    slots: Sequence[int],
    now: float,
    full: bool = False,
    advance: Callable[[int], object] = lambda _: None,
) -> Progressed:
    """Bring the findings of slots to the state of the advisories, and note what is different.

    now: the run's time, in seconds since the epoch. full: match every component, whatever changed. advance: told of
    each slot that is done. Raises InventoryError, AdvisoryError.
    """
    run = _Run(inventory, advisories, now, full)
    deltas: list[Delta] = []
    components = skipped = 0
    size = -(-len(slots) // (_FULL_GROUPS if full else _GROUPS))
    for start in range(0, len(slots), size):
        group = slots[start : start + size]
        done = untangled(partial(run.group, group))
        deltas += done.deltas
        components += done.components
        skipped += done.skipped
        advance(len(group))
    return Progressed(tuple(deltas), components, len(slots), skipped)


class _Run:
    """One run over one state of the advisory database."""

    def __init__(self, inventory: Inventory, advisories: AdvisoryDatabase, now: float, full: bool) -> None:
        self._inventory, self._advisories, self._now, self._full = inventory, advisories, now, full
        # Another version of this program may match otherwise, so that what it knows is not taken for what we know.
        self._origin = f"{advisories.lineage} {__version__}"
        self._state = (f"{self._origin} {advisories.token(advisories.number)}".rstrip(), advisories.number)
        self._rematch = Rematch(advisories)
        self._changes: dict[int, frozenset[tuple[str, str]]] = {}
        self._exploited: dict[int, frozenset[str]] = {}
        self._feeds = frozenset(feed.ecosystem for feed in advisories.feeds())

    def group(self, slots: Sequence[int]) -> Progressed:
        """Do some slots in one transaction, but for those that another run has done by newer advisories."""
        with self._inventory.transaction() as connection:
            states = {slot: known for slot, known in lock(connection, slots).items() if not self._is_newer(known)}
            count, slots = len(slots), sorted(states)
            # Of what there are no advisories of, nothing is learnt: what is known of it stays, of the state that it is.
            absent = uncovered(connection, self._feeds)
            wanted = self._wanted(connection, states)
            if absent:
                for number in self._of(connection, slots, absent):
                    wanted.pop(number, False)
            deltas: list[Delta] = []
            ids = sorted(wanted)
            for start in range(0, len(ids), _CHUNK):
                deltas += self._match(connection, ids[start : start + _CHUNK], wanted)
            self._finish(connection, states, deltas, absent)
        return Progressed(tuple(deltas), len(wanted), count, count - len(slots))

    def _is_newer(self, known: tuple[str, int]) -> bool:
        """Whether a slot is of a later state of these advisories, which a run that does everything goes back from."""
        lineage, number = known
        return not self._full and self._is_mine(lineage) and number > self._state[1]

    def _is_mine(self, lineage: str) -> bool:
        return lineage == self._origin or lineage.startswith(f"{self._origin} ")

    def _leads_here(self, lineage: str, number: int) -> bool:
        """Whether a state is one that these advisories were in: a copy of them has other states by the same numbers."""
        token = lineage[len(self._origin) + 1 :]
        return self._is_mine(lineage) and (not token or token == self._advisories.token(number))

    def _later(self, connection: Connection) -> Sequence[int]:
        """Return the states of these advisories that are later than this one: a gate had newer ones."""
        state = tables.state
        query = select(state.c.id).where(
            state.c.lineage == self._advisories.lineage, state.c.number > self._advisories.number
        )
        return connection.execute(query).scalars().all()

    def _wanted(self, connection: Connection, states: Mapping[int, tuple[str, int]]) -> dict[int, bool]:
        """Components to match again, each with whether what is found first is news.

        It is not where nothing was ever known of a component, or only what a server said: that is where one starts.
        """
        component, state = tables.component, tables.state
        wanted: dict[int, bool] = {}
        slots = sorted(states)
        for identity, lineage in connection.execute(
            select(component.c.id, state.c.lineage)
            .join(state, state.c.id == component.c.state)
            .where(component.c.slot.in_(slots), state.c.id.not_in(self._later(connection)))
        ):
            wanted[identity] = bool(lineage) and not lineage.startswith(OF_SERVER)
        by_state: dict[tuple[str, int], list[int]] = defaultdict(list)
        for slot, known in states.items():
            by_state[known].append(slot)
        for (lineage, number), members in by_state.items():
            if self._full or not self._leads_here(lineage, number) or self._has_forgotten(number):
                rows = connection.execute(
                    select(component.c.id).where(component.c.slot.in_(members), component.c.state.is_(None))
                )
                wanted.update((identity, True) for (identity,) in rows)
            elif number < self._state[1]:
                wanted.update((identity, True) for identity in self._hit(connection, members, number))
        return wanted

    def _has_forgotten(self, number: int) -> bool:
        """Whether so much time has passed that nobody knows what changed since."""
        try:
            self._since(number)
        except AdvisoryError:
            return True
        return False

    def _since(self, number: int) -> None:
        if number not in self._changes:
            found = self._advisories.changes(number)
            self._changes[number] = frozenset((each.ecosystem, each.name) for each in found if each.name)
            self._exploited[number] = frozenset(each.id for each in found if not each.name)

    def _hit(self, connection: Connection, slots: Collection[int], number: int) -> Iterator[int]:
        """The components that what changed since a state can be about."""
        self._since(number)
        subject, component, finding = tables.subject, tables.component, tables.finding
        by_ecosystem: dict[str, list[str]] = defaultdict(list)
        for ecosystem, name in self._changes[number]:
            by_ecosystem[ecosystem].append(name)
        here = component.c.slot.in_(slots) & component.c.state.is_(None)
        for ecosystem, names in by_ecosystem.items():
            for chunk in _chunks(names):
                yield from connection.execute(
                    select(subject.c.component)
                    .join(component, component.c.id == subject.c.component)
                    .where(subject.c.ecosystem == ecosystem, subject.c.name.in_(chunk), here)
                ).scalars()
        for chunk in _chunks(sorted(self._exploited[number])):
            yield from connection.execute(
                select(finding.c.component)
                .join(component, component.c.id == finding.c.component)
                .where(finding.c.vulnerability.in_(chunk), here)
            ).scalars()

    def _match(self, connection: Connection, ids: Sequence[int], news: Mapping[int, bool]) -> list[Delta]:
        """Match components again, write what is found, and return what is different and news."""
        before = self._before(connection, ids)
        deltas: list[Delta] = []
        gone: list[dict[str, Any]] = []
        fresh: list[dict[str, Any]] = []
        for number, found in self._rematch(connection, ids):
            known = before[number]
            after = {name: known_of(each) for name, each in found.items()}
            if news[number]:
                deltas += (
                    msgspec.structs.replace(each, found=found.get(each.vulnerability))
                    for each in compare(number, (each for each, _ in known.values()), after.values())
                )
            for name, (old, since) in known.items():
                if after.get(name) != old:
                    gone.append({"v": name, "c": number})
                    if name in after:
                        fresh.append(finding_row(number, after[name], since))
            fresh += (finding_row(number, each, self._now) for name, each in after.items() if name not in known)
        finding = tables.finding
        if gone:
            lost = (finding.c.vulnerability == bindparam("v")) & (finding.c.component == bindparam("c"))
            connection.execute(delete(finding).where(lost), gone)
        if fresh:
            connection.execute(finding.insert(), fresh)
        return deltas

    def _before(self, connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, tuple[Known, float]]]:
        finding = tables.finding
        found: dict[int, dict[str, tuple[Known, float]]] = defaultdict(dict)
        for number, name, facts, since in connection.execute(
            select(finding.c.component, finding.c.vulnerability, finding.c.facts, finding.c.since).where(
                finding.c.component.in_(ids)
            )
        ):
            found[number][name] = msgspec.json.decode(facts, type=Known), since
        return found

    def _finish(
        self,
        connection: Connection,
        states: Mapping[int, tuple[str, int]],
        deltas: Sequence[Delta],
        absent: Collection[str],
    ) -> None:
        """Note what is different, and the state that the slots have now. absent: ecosystems without advisories."""
        if deltas:
            connection.execute(tables.delta.insert(), [delta_row(each, self._now) for each in deltas])
        component, slot = tables.component, tables.slot
        slots = sorted(states)
        later = self._later(connection)
        matched = component.c.slot.in_(slots) & component.c.state.is_not(None) & component.c.state.not_in(later)
        if absent:
            self._keep(connection, states, absent)
            matched &= component.c.id.not_in(of(absent))
        connection.execute(update(component).where(matched).values(state=None))
        lineage, number = self._state
        connection.execute(
            update(slot).where(slot.c.slot.in_(slots)).values(lineage=lineage, number=number, at=self._now)
        )

    def _of(self, connection: Connection, slots: Collection[int], absent: Collection[str]) -> Sequence[int]:
        """Return the components of slots that are of ecosystems."""
        component = tables.component
        query = select(component.c.id).where(component.c.slot.in_(slots), component.c.id.in_(of(absent)))
        return connection.execute(query).scalars().all()

    def _keep(self, connection: Connection, states: Mapping[int, tuple[str, int]], absent: Collection[str]) -> None:
        """Have components of ecosystems say themselves of which state they are, before their slots get another."""
        component = tables.component
        for slot, known in states.items():
            mine = (component.c.slot == slot) & component.c.state.is_(None) & component.c.id.in_(of(absent))
            if connection.execute(select(component.c.id).where(mine).limit(1)).first():
                connection.execute(update(component).where(mine).values(state=state_number(connection, known)))


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
