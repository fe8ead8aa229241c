"""Findings by a server's answers about images: what is worse at once, what is milder when all images say so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, update

from imagegate.inventory import tables
from imagegate.inventory.asked import asked, note
from imagegate.inventory.buckets import NEVER, state_number
from imagegate.inventory.deltas import delta_row
from imagegate.inventory.finding_rows import Before, Rows, before, chunks, lineages
from imagegate.inventory.hold import TOGETHER
from imagegate.inventory.holdings import Holdings, Part
from imagegate.inventory.model import SLOTS, Delta, Known, compare
from imagegate.inventory.recording import known_of
from imagegate.inventory.server_names import Places, graver
from imagegate.inventory.slots import lock
from imagegate.inventory.store import Inventory
from imagegate.model import Vulnerability

Said = dict[str, Vulnerability]
"""What is said of a component, by id."""


class Answer(msgspec.Struct, frozen=True):
    """What a server said of an image. at: when it was asked for, in seconds since the epoch."""

    digest: str
    at: float
    found: tuple[Vulnerability, ...]


class ServerFindings:
    """One run's answers. Every method that writes is one transaction, and raises InventoryError."""

    def __init__(self, inventory: Inventory, lineage: str, now: float) -> None:
        self._inventory, self._lineage, self._now = inventory, lineage, now
        self._holdings = Holdings()
        self._said: dict[int, Said] = {}
        """By component, what the images of this run say: the graver where they differ."""
        self._first: set[int] = set()
        """Components that the server says something of for the first time: that is where one starts from."""
        self._milder: dict[int, frozenset[str]] = {}
        """By component, the vulnerabilities that no image of this run says to be as grave as they were."""
        self._held: dict[str, tuple[float, frozenset[int]]] = {}
        """Images with such components, each with when its answer was asked for."""
        self.changed = 0
        """How many components' findings were written."""

    def take(self, answers: Sequence[Answer]) -> tuple[Delta, ...]:
        """Write what answers say that is new or graver, and return what is news of it."""
        if not answers:
            return ()
        with self._inventory.transaction() as connection:
            TOGETHER.take(connection)
            lock(connection, range(SLOTS))
            known = asked(connection, self._lineage)
            # Another run may have asked later, and have written already.
            answers = [each for each in answers if each.digest not in known or known[each.digest].at <= each.at]
            parts = self._holdings.parts(connection, [each.digest for each in answers])
            fresh: dict[int, Said] = {}
            for answer in answers:
                told = self._placed(connection, answer, parts, was_asked=answer.digest in known)
                for part in parts[answer.digest]:
                    here = fresh[part.number] if part.number in fresh else dict(self._said.get(part.number, {}))
                    for each in told.get(part.number, ()):
                        here[each.id] = graver(here.get(each.id), each)
                    fresh[part.number] = here
            deltas = self._write(
                connection, {number: each for number, each in fresh.items() if self._is_new(number, each)}
            )
            self._note(connection, answers, parts)
        return deltas

    def holders(self) -> set[str]:
        """Return the images that count and have packages of which something milder is said."""
        with self._inventory.reading() as connection:
            return self._holdings.holders(connection, self._milder)

    def settle(self, silent: Collection[str]) -> tuple[Delta, ...]:
        """Write what is milder, unless an image may say otherwise that could not be asked about. Return what is news.

        Images that wait for such a one are not noted as asked about: the next run asks about them again.
        """
        with self._inventory.transaction() as connection:
            lock(connection, range(SLOTS))
            parts = self._holdings.parts(connection, silent)
            unsure = {part.number for each in parts.values() for part in each} & self._milder.keys()
            sure = [number for number in self._milder if number not in unsure]
            known_before, deltas = before(connection, sure), []
            rows = Rows()
            for number in sure:
                said, old = self._said[number], known_before[number]
                after = {name: known for name, (known, _) in old.items()}
                for name in self._milder[number] & after.keys():
                    if name in said:
                        after[name] = known_of(said[name])
                    else:
                        del after[name]
                deltas += self._compared(number, old, after)
                rows.change(number, old, after, self._now)
            self._finish(connection, rows, deltas)
            ready = {digest: at for digest, (at, waits) in self._held.items() if not waits & unsure}
            note(connection, self._lineage, ready)
        return tuple(deltas)

    def _placed(
        self, connection: Connection, answer: Answer, parts: dict[str, tuple[Part, ...]], *, was_asked: bool
    ) -> Mapping[int, list[Vulnerability]]:
        """Return an answer by component. A package that the image's record lacks is given to it."""
        mine = parts[answer.digest]
        places = Places((part.package, part) for part in mine)
        strays = [each.package for each in answer.found if not places.of(each.package)]
        if strays:
            # Of an image that the server was asked about before, also by its gate, what such a package has is news.
            is_known = was_asked or (bool(mine) and all(map(self._was_ours, mine)))
            state = (self._lineage, 0) if is_known else NEVER
            self._holdings.add(connection, answer.digest, strays, state)
            parts.update(self._holdings.parts(connection, [answer.digest]))
            places = Places((part.package, part) for part in parts[answer.digest])
        found: dict[int, list[Vulnerability]] = defaultdict(list)
        for each in answer.found:
            for part in places.of(each.package):
                found[part.number].append(msgspec.structs.replace(each, package=part.package))
        return found

    def _was_ours(self, part: Part) -> bool:
        """Whether a component's findings were the server's before this run."""
        return part.lineage == self._lineage and part.number not in self._first

    def _is_new(self, number: int, said: Said) -> bool:
        return number not in self._said or self._said[number] != said

    def _write(self, connection: Connection, fresh: Mapping[int, Said]) -> tuple[Delta, ...]:
        numbers = sorted(fresh)
        known_before, owners = before(connection, numbers), lineages(connection, numbers)
        self._first.update(number for number in numbers if owners.get(number) != self._lineage)
        rows, deltas = Rows(), []
        for number in numbers:
            old, said = known_before[number], fresh[number]
            self._said[number] = said
            after = {name: known_of(each) for name, each in said.items()}
            if number not in self._first:
                milder = frozenset(name for name, (known, _) in old.items() if _is_milder(known, after.get(name)))
                after |= {name: old[name][0] for name in milder}
                deltas += self._compared(number, old, after)
                if milder:
                    self._milder[number] = milder
                else:
                    self._milder.pop(number, None)
            rows.change(number, old, after, self._now)
        self._finish(connection, rows, deltas)
        self._own(connection, [number for number in numbers if owners.get(number) != self._lineage])
        return tuple(deltas)

    def _compared(self, number: int, old: Before, after: Mapping[str, Known]) -> list[Delta]:
        said = self._said[number]
        deltas = compare(number, (known for known, _ in old.values()), after.values())
        return [msgspec.structs.replace(each, found=said.get(each.vulnerability)) for each in deltas]

    def _own(self, connection: Connection, numbers: Sequence[int]) -> None:
        """Note that the findings of components are the server's from now on."""
        if not numbers:
            return
        state, component = state_number(connection, (self._lineage, 0)), tables.component
        for chunk in chunks(numbers):
            connection.execute(update(component).where(component.c.id.in_(chunk)).values(state=state))

    def _note(self, connection: Connection, answers: Iterable[Answer], parts: Mapping[str, tuple[Part, ...]]) -> None:
        """Note that images were asked about, but for those of which something milder is still to be settled."""
        done: dict[str, float] = {}
        for answer in answers:
            waits = frozenset(part.number for part in parts[answer.digest]) & self._milder.keys()
            if waits:
                self._held[answer.digest] = answer.at, waits
            else:
                done[answer.digest] = answer.at
        note(connection, self._lineage, done)

    def _finish(self, connection: Connection, rows: Rows, deltas: Sequence[Delta]) -> None:
        rows.write(connection)
        self.changed += len(rows.components)
        if deltas:
            connection.execute(tables.delta.insert(), [delta_row(each, self._now) for each in deltas])


def _is_milder(before: Known, after: Known | None) -> bool:
    return (
        after is None
        or after.severity.rank < before.severity.rank
        or (before.exploited and not after.exploited)
        or (bool(before.fix) and not after.fix)
    )
