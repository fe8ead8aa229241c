"""Who reads a file that is too large to be read whole: told by its name, by its first bytes, and by marks in it.

A file that a native cataloger seeks in is kept on disk while it is hashed, so that a layer with jars or Go programs is
read once. A Go program of which only a mark far within tells what it is, is read again.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from types import TracebackType
from typing import Self

from imagegate.analysis.catalogers import GO, JAVA, FileCataloger, gobuildinfo, is_archive
from imagegate.analysis.catalogers.elf import MAGIC as ELF
from imagegate.analysis.catalogers.elf import Damaged, Elf
from imagegate.analysis.foreign import MARKS, Mark, is_foreign, is_other_program
from imagegate.errors import AnalysisError

_IN_MEMORY = 8 * 1024**2
_GO_NOTE = b"Go\0\0"
"""The name of the note with Go's build id, in the first page of a program."""
_PAGE = 4096


class Kept:
    """A file that lasts for a `with` block: in memory, or on disk where it is large."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.file = tempfile.SpooledTemporaryFile(_IN_MEMORY, prefix="imagegate-")  # noqa: SIM115

    def write(self, chunk: bytes) -> None:
        """Append. Raises AnalysisError when the disk does not take it."""
        try:
            self.file.write(chunk)
        except OSError as error:
            raise no_space(self._path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()


def no_space(path: str, error: OSError) -> AnalysisError:
    """Return the error for a file that cannot be kept."""
    return AnalysisError(f"{path} cannot be unpacked", why=str(error), hint="TMPDIR says where temporary files go.")


class Probe:
    """Fed with a file's content. native: whether native catalogers are to read it; syft: whether syft may be asked.

    cataloger: the native one that reads it, None where none is known to. named: whether its name tells that syft is to
    look at it.
    """

    def __init__(self, path: str, start: bytes, mode: int, *, native: bool, syft: bool) -> None:
        elf = start.startswith(ELF)
        self.archive = is_archive(path)
        self.named = syft and (is_foreign(path) or (self.archive and not native))
        self.cataloger: FileCataloger | None = None
        if native and self.archive:
            self.cataloger = JAVA
        elif native and elf and _GO_NOTE in start[:_PAGE]:
            self.cataloger = GO
        readable = native and elf and not self.archive
        self._go: Mark | None = None
        self._others: list[Mark] = []
        if readable and not self.cataloger:
            self._go = Mark(gobuildinfo.MAGIC, _data(start))
        elif syft and not readable and (elf or is_other_program(start)):
            self._others.append(Mark(gobuildinfo.MAGIC))
        if elf and syft and mode & 0o111 and not self.named:
            self._others.extend(map(Mark, MARKS))

    @property
    def feeds(self) -> tuple[Callable[[bytes], None], ...]:
        """Who wants the content, besides those that keep it."""
        return tuple(each.feed for each in (self._go, *self._others) if each)

    @property
    def again(self) -> bool:
        """Whether the content is a Go program's that was not kept."""
        return self._go is not None and self._go.found

    @property
    def foreign(self) -> bool:
        """Whether what the content is tells that syft is to look at it."""
        return any(each.found for each in self._others)


def _data(start: bytes) -> int:
    """Return where in a program data begin, before which Go has no mark; 0 where its start does not tell."""
    try:
        span = Elf(io.BytesIO(start)).writable()
    except Damaged:
        return 0
    return span.offset if span else 0
