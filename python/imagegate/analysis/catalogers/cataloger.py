"""What a package format's cataloger is: which files state packages, and how to read one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from imagegate.model import Package


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
