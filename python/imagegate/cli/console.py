"""What goes to the terminal: results on standard output, the rest on standard error, and progress where one watches."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imagegate.progress import NoProgress, Progress, Task

if TYPE_CHECKING:
    import rich.progress


def printable(text: str) -> str:
    """Return text with control characters escaped, so that no name in an image can steer a terminal.

    Line ends stay: in a line of its own that holds a name, the name goes through `line` first.
    """
    if text.isprintable():
        return text
    from imagegate.report.escape import escaped

    return "".join(
        character if character.isprintable() or character in "\n\t" else escaped(character) for character in text
    )


def line(text: str) -> str:
    """Return text as one printable line: a line end in a name would forge another line."""
    from imagegate.report.escape import line as escape

    return escape(text)


def coloured() -> bool:
    """Whether standard output is a terminal that wants colours. (no-color.org)"""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(text: str) -> None:
    """Print a message for a person on standard error."""
    print(printable(text), file=sys.stderr)


class _BarTask:
    def __init__(self, progress: rich.progress.Progress, identifier: rich.progress.TaskID) -> None:
        self._progress, self._identifier = progress, identifier

    def advance(self, amount: int) -> None:
        """Move the bar."""
        self._progress.advance(self._identifier, amount)


class Bars:
    """Progress bars of rich, drawn on standard error while tasks are open."""

    def __init__(self) -> None:
        self._progress: rich.progress.Progress | None = None
        self._open = 0

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Task]:
        """Draw a bar for the length of a `with` block."""
        progress = self._enter()
        identifier = progress.add_task(printable(label), total=total)
        try:
            yield _BarTask(progress, identifier)
        finally:
            progress.remove_task(identifier)
            self._open -= 1
            if not self._open:
                progress.stop()

    def _enter(self) -> rich.progress.Progress:
        if self._progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
            )
            self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        if not self._open:
            self._progress.start()
        self._open += 1
        return self._progress


def progress(quiet: bool) -> Progress:
    """Return bars when a person watches, silence otherwise."""
    return Bars() if not quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else NoProgress()


def width() -> int:
    """Return how many columns a result may take."""
    import shutil

    return min(shutil.get_terminal_size((100, 24)).columns, 160)
