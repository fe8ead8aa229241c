"""How long work tells a watcher how far it is. The command line draws it; everything else only reports to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Task(Protocol):
    """One piece of work under way."""

    def advance(self, amount: int) -> None:
        """Say that `amount` more (bytes, mostly) is done. May be called from any thread."""


class Progress(Protocol):
    """A place that tasks report to."""

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Task]:
        """Open a task for the length of a `with` block. total: in the unit of `advance`, None when unknown."""
        ...


class _Silent:
    def advance(self, amount: int) -> None:
        """Nobody watches."""


class NoProgress:
    """The Progress for when nobody watches."""

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Task]:  # noqa: ARG002 - the protocol's names
        yield _Silent()
