"""What a package format's cataloger is: which files state packages, and how to read one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from imagegate.model import Package


@dataclass(frozen=True)
class Cataloger:
    """Reads one package format.

    pattern: a regular expression that the absolute paths of its files match whole. parse: path and content to the
    packages that the file states; text that is no such file states none, and raises nothing.
    """

    name: str
    pattern: str
    parse: Callable[[str, bytes], tuple[Package, ...]]
