"""What a package format's cataloger is: which files state packages, and how to read one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from imagegate.model import Package


class Seekable(Protocol):
    """A binary file, or what reads as one."""

    def read(self, size: int, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...


class Unreadable(Exception):
    """A package database is damaged, or of a kind that nobody knows; its text says how."""


@dataclass(frozen=True)
class Cataloger:
    """Reads one package format.

    pattern: a regular expression that the absolute paths of its files match whole. endings: what these end with, or
    have in them where it ends with a slash: the pattern costs ten times as much.
    parse: path and content to the packages that the file states; what is no such file states none. Raises Unreadable
    where a package manager's own database is damaged: then it is not known what is installed.
    files: content to what its packages brought, absolute path and checksum (MD5, SHA-1 or SHA-256 in hex), where the
    database tells; raises Unreadable too.
    """

    name: str
    pattern: str
    endings: tuple[str, ...]
    parse: Callable[[str, bytes], tuple[Package, ...]]
    files: Callable[[bytes], Iterable[tuple[str, str]]] | None = None


@dataclass(frozen=True)
class Found:
    """packages: of one file. complete: whether these are all; where not, syft may know more."""

    packages: tuple[Package, ...]
    complete: bool = True


@dataclass(frozen=True)
class FileCataloger:
    """Reads a format in which what matters is here and there in a large file: it is kept on disk, and sought in.

    endings: of the paths of its files; empty where only the content tells them.
    parse: path and file to what it states. Raises Unreadable where the rest of it cannot be known, and that may matter.
    """

    name: str
    endings: tuple[str, ...]
    parse: Callable[[str, Seekable], Found]
