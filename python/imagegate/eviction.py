"""Keeping directories of files small: what dead processes left goes, and what was longest unused."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

_DOWN_TO = 0.9
"""Share of the size that eviction goes down to, so that the next file does not start it again."""

_ABANDONED = 6 * 3600.0
"""Seconds after which a temporary file belongs to a process that died."""


def remove_abandoned(directory: Path, pattern: str = "*") -> None:
    """Remove the temporary files of a directory that nobody has written to for hours."""
    now = time.time()
    for path in directory.glob(pattern):
        try:
            if now - path.stat().st_mtime > _ABANDONED:
                path.unlink()
        except FileNotFoundError:
            continue


def evict(directories: Iterable[Path], max_size: int) -> None:
    """Remove files of these directories, by the time of their last use (their mtime), while they hold more bytes.

    Several processes may do so at once: a file that is gone already is passed over.
    """
    entries = sorted(entry for directory in directories for entry in _entries(directory))
    total = sum(size for _, size, _ in entries)
    if total <= max_size:
        return
    for _, size, path in entries:
        path.unlink(missing_ok=True)
        total -= size
        if total <= max_size * _DOWN_TO:
            return


def _entries(directory: Path) -> Iterator[tuple[float, int, Path]]:
    try:
        paths = list(directory.iterdir())
    except FileNotFoundError:
        return
    for path in paths:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        yield status.st_mtime, status.st_size, path
