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
from sqlalchemy import ColumnElement, Connection, bindparam, delete, select, update

from imagegate.inventory import tables
from imagegate.inventory.buckets import State, finding_row, state_number
from imagegate.inventory.covered import packages_of, uncovered
from imagegate.inventory.deltas import delta_row
from imagegate.inventory.model import OF_SERVER, SLOTS, Delta, Known, compare
from imagegate.inventory.recording import known_of
from imagegate.inventory.rematch import Rematch
from imagegate.inventory.slots import lock
from imagegate.inventory.states import Changes, Current
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
        self._inventory, self._now, self._full = inventory, now, full
        self._current = Current(advisories)
        self._rematch = Rematch(advisories)
        self._feeds = frozenset(feed.ecosystem for feed in advisories.feeds())

    def group(self, slots: Sequence[int]) -> Progressed:
        """Do some slots in one transaction, but for those that another run has done by newer advisories."""
        component = tables.component
        with self._inventory.transaction() as connection:
            states = {
                slot: state
                for slot, state in lock(connection, slots).items()
                if self._full or not self._current.is_before(state)
            }
            # Of what there are no advisories of, nothing is learnt: what is known of it stays, of the state that it is.
            absent = uncovered(connection, self._feeds)
            later = self._current.later(connection)
            wanted = self._wanted(connection, states)
            silent = _components(connection, states, component.c.id.in_(packages_of(absent))) if absent else ()
            for number in silent:
                wanted.pop(number, False)
            ahead = frozenset(_components(connection, states, component.c.state.in_(later)) if later else ())
            deltas: list[Delta] = []
            ids = sorted(wanted)
            for start in range(0, len(ids), _CHUNK):
                deltas += self._match(connection, ids[start : start + _CHUNK], wanted, ahead)
            self._finish(connection, states, deltas, absent, later)
        return Progressed(tuple(deltas), len(wanted), len(slots), len(slots) - len(states))

    def _wanted(self, connection: Connection, states: Mapping[int, State]) -> dict[int, bool]:
        """Components to match again, each with whether what is found first is news.

        It is not where nothing was ever known of a component, or only what a server said: that is where one starts.
        """
        component, state = tables.component, tables.state
        wanted: dict[int, bool] = {}
        for identity, lineage in connection.execute(
            select(component.c.id, state.c.lineage)
            .join(state, state.c.id == component.c.state)
            .where(component.c.slot.in_(sorted(states)))
        ):
            wanted[identity] = bool(lineage) and not lineage.startswith(OF_SERVER)
        by_state: dict[State, list[int]] = defaultdict(list)
        for slot, known in states.items():
            by_state[known].append(slot)
        for known, members in by_state.items():
            changes = None if self._full else self._current.changes(known)
            of_slots = component.c.state.is_(None)
            found = self._hit(connection, members, changes) if changes else _components(connection, members, of_slots)
            wanted.update((identity, True) for identity in found)
        return wanted

    def _hit(self, connection: Connection, slots: Collection[int], changes: Changes) -> Iterator[int]:
        """The components that changes can be about."""
        subject, component, finding = tables.subject, tables.component, tables.finding
        by_ecosystem: dict[str, list[str]] = defaultdict(list)
        for ecosystem, name in changes.packages:
            by_ecosystem[ecosystem].append(name)
        here = component.c.slot.in_(slots) & component.c.state.is_(None)
        for ecosystem, names in by_ecosystem.items():
            for chunk in _chunks(names):
                yield from connection.execute(
                    select(subject.c.component)
                    .join(component, component.c.id == subject.c.component)
                    .where(subject.c.ecosystem == ecosystem, subject.c.name.in_(chunk), here)
                ).scalars()
        for chunk in _chunks(sorted(changes.exploited)):
            yield from connection.execute(
                select(finding.c.component)
                .join(component, component.c.id == finding.c.component)
                .where(finding.c.vulnerability.in_(chunk), here)
            ).scalars()

    def _match(
        self, connection: Connection, ids: Sequence[int], news: Mapping[int, bool], ahead: Collection[int]
    ) -> list[Delta]:
        """Match components again, write what is found, and return what is different and news.

        ahead: of which a gate with later advisories said something. That stays; only what it did not know counts.
        """
        before = self._before(connection, ids)
        deltas: list[Delta] = []
        gone: list[dict[str, Any]] = []
        fresh: list[dict[str, Any]] = []
        for number, found in self._rematch(connection, ids):
            known = before[number]
            after = {name: known_of(each) for name, each in found.items()}
            if number in ahead:
                after |= {name: old for name, (old, _) in known.items()}
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
        states: Mapping[int, State],
        deltas: Sequence[Delta],
        absent: Collection[str],
        later: Collection[int],
    ) -> None:
        """Note what is different, and the state that the slots have now.

        absent: ecosystems without advisories; later: states of gates that knew more: what is of those keeps its state.
        """
        if deltas:
            connection.execute(tables.delta.insert(), [delta_row(each, self._now) for each in deltas])
        component, slot = tables.component, tables.slot
        slots = sorted(states)
        own = component.c.slot.in_(slots) & component.c.state.is_not(None) & component.c.state.not_in(later)
        if absent:
            self._keep(connection, states, absent)
            own &= component.c.id.not_in(packages_of(absent))
        connection.execute(update(component).where(own).values(state=None))
        lineage, number = self._current.state
        connection.execute(
            update(slot).where(slot.c.slot.in_(slots)).values(lineage=lineage, number=number, at=self._now)
        )

    def _keep(self, connection: Connection, states: Mapping[int, State], absent: Collection[str]) -> None:
        """Have components of ecosystems say themselves of which state they are, before their slots get another."""
        component = tables.component
        for slot, known in states.items():
            mine = (component.c.slot == slot) & component.c.state.is_(None) & component.c.id.in_(packages_of(absent))
            if connection.execute(select(component.c.id).where(mine).limit(1)).first():
                connection.execute(update(component).where(mine).values(state=state_number(connection, known)))


def _components(connection: Connection, slots: Collection[int], condition: ColumnElement[bool]) -> Sequence[int]:
    """Return the components of slots that a condition is true of."""
    component = tables.component
    query = select(component.c.id).where(component.c.slot.in_(sorted(slots)), condition)
    return connection.execute(query).scalars().all()


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
