"""Looking at a Jenkins and carrying out changes, several requests at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from itertools import groupby
from typing import TypeVar

from imagegate.jenkins import changes
from imagegate.jenkins.changes import Action, Change
from imagegate.jenkins.configxml import parse, read_mark
from imagegate.jenkins.items import Item, Place
from imagegate.jenkins.server import JenkinsError, JenkinsServer, Unsure

_LOOKS = 5
_ORDER = {Action.CREATE: 0, Action.UPDATE: 0, Action.DELETE: 1}

Given = TypeVar("Given")
Got = TypeVar("Got")


class Sync:
    """Keeps the items of one owner on one Jenkins."""

    def __init__(self, server: JenkinsServer, owner: str, concurrency: int = 8) -> None:
        self._server, self._owner, self._concurrency = server, owner, concurrency

    def plan(
        self, wanted: Sequence[Item], *, overwrite: Iterable[str] = (), delete: bool = False
    ) -> tuple[Change, ...]:
        """Return what an apply would do. Nothing is written."""
        named = frozenset(overwrite)
        there = self._server.items()
        asked = [each.place for each in changes.to_read(wanted, there, self._owner, named)]
        read = dict(zip(asked, self._all(self._server.read, asked), strict=True))
        return changes.plan(wanted, there, read, self._owner, overwrite=named, delete=delete)

    def removals(self) -> tuple[Change, ...]:
        """Return how all that is ours would go. Nothing is written."""
        return changes.removals(self._server.items(), self._owner)

    def apply(self, planned: Sequence[Change]) -> None:
        """Carry changes out: folders before what is in them, removals last and the other way round.

        Ends at the first error, when what is under way is done; the next apply goes on from there.
        """
        todo = [change for change in planned if change.action]
        for _, rank in groupby(sorted(todo, key=_rank), key=_rank):
            self._all(self._carry_out, list(rank))

    def _carry_out(self, change: Change) -> None:
        if change.action is Action.CREATE:
            self._create(change)
        elif change.action is Action.UPDATE:
            self._server.update(change.place, change.document)
        else:
            self._delete(change)

    def _delete(self, change: Change) -> None:
        """Remove an item; a folder only while it is empty, as what is in it would go with it."""
        if change.is_folder and not self._server.is_empty(change.place):
            raise JenkinsError(
                f"{change.place} is not removed", why="somebody has put a job into it since", hint="Plan again."
            )
        self._server.delete(change.place)

    def _create(self, change: Change) -> None:
        """Make an item. Where that may have happened, by us or by another apply, look before it is said or repeated."""
        for look in range(1, _LOOKS + 1):
            try:
                self._server.create(change.place, change.document)
                return
            except (Unsure, JenkinsError) as error:
                if isinstance(error, JenkinsError) and error.status != 400:
                    raise
                if self._is_made(change):
                    return
                if isinstance(error, JenkinsError) or look == _LOOKS:
                    raise
            time.sleep(random.uniform(0.1, 0.25 * 2**look))  # noqa: S311 - jitter

    def _is_made(self, change: Change) -> bool:
        try:
            raw = self._server.read(change.place)
        except JenkinsError as error:
            if error.status == 404:
                return False
            raise
        return _mark_of(raw, change.place) == _mark_of(change.document, change.place)

    def _all(self, do: Callable[[Given], Got], given: Sequence[Given]) -> list[Got]:
        """Return what `do` makes of each, in order. Raises the first error, and starts nothing more after it."""
        if not given:
            return []
        with ThreadPoolExecutor(min(self._concurrency, len(given)), "jenkins") as pool:
            futures = [pool.submit(do, each) for each in given]
            done, pending = wait(futures, return_when=FIRST_EXCEPTION)
            for each in pending:
                each.cancel()
        failed = next((each for each in done if each.exception()), None)
        if failed:
            failed.result()
        return [each.result() for each in futures]


def _mark_of(raw: bytes, place: Place) -> object:
    return read_mark(parse(raw, str(place)).findtext("description"))


def _rank(change: Change) -> tuple[int, bool, int]:
    depth = len(change.place.path)
    late = _ORDER[change.action]
    return late, change.place.is_view != bool(late), -depth if late else depth
