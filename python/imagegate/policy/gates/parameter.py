"""The parameters of a trigger: their types, and how their text is read. (Anchore Engine, `policy/params.py`.)"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

Values = Mapping[str, Any]
"""The parameters that a rule gives, read; those that it does not give are absent."""


class Parameter(msgspec.Struct, frozen=True):
    """A parameter. read: turns its text into a value, raises ValueError with what is wrong.

    beyond: whether Anchore Engine does not have it.
    """

    name: str
    read: Callable[[str], Any]
    required: bool = False
    beyond: bool = False


def text(value: str) -> str:
    """Any text."""
    return value


def strings(value: str) -> tuple[str, ...]:
    """A list with commas between, blanks around each entry dropped, no entry empty."""
    entries = tuple(entry.strip() for entry in value.split(","))
    if not all(entries):
        raise ValueError(f"{value!r} is no comma-separated list: an entry is empty")
    return entries


def numbers(value: str) -> tuple[int, ...]:
    """A list of whole numbers with commas between."""
    if not re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*)*", value, re.ASCII):
        raise ValueError(f"{value!r} is no comma-separated list of numbers")
    return tuple(int(entry) for entry in value.split(","))


def boolean(value: str) -> bool:
    """`true` or `false`, in any case."""
    if value.strip().lower() not in ("true", "false"):
        raise ValueError(f"{value!r} is neither true nor false")
    return value.strip().lower() == "true"


def integer(value: str) -> int:
    """A whole number, zero or more."""
    if not re.fullmatch(r"\s*\d+\s*", value, re.ASCII):
        raise ValueError(f"{value!r} is no whole number")
    return int(value)


def decimal(value: str) -> float:
    """A decimal number."""
    if not re.fullmatch(r"\s*-?(\d+(\.\d*)?|\.\d+)\s*", value, re.ASCII):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def octal(value: str) -> int:
    """A file mode in octal, such as `00644`."""
    if not re.fullmatch(r"\s*(0o)?[0-7]+\s*", value):
        raise ValueError(f"{value!r} is no octal file mode")
    return int(value, 8)


def regex(value: str) -> re.Pattern[str]:
    """A regular expression in Python's syntax."""
    try:
        return re.compile(value, re.DOTALL)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from error


def choice(*allowed: str) -> Callable[[str], str]:
    """One of the given words."""

    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"{value!r} is none of {', '.join(allowed)}{nearest(value, allowed)}")
        return value

    return read


def nearest(name: str, known: tuple[str, ...] | list[str]) -> str:
    """Return `; did you mean X?` when a known name is near, else nothing."""
    lower = {entry.lower(): entry for entry in known}
    close = get_close_matches(name.lower(), list(lower), n=1, cutoff=0.6)
    return f"; did you mean {lower[close[0]]!r}?" if close else ""


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: bool(left == right),
    "!=": lambda left, right: bool(left != right),
    "<": lambda left, right: bool(left < right),
    ">": lambda left, right: bool(left > right),
    "<=": lambda left, right: bool(left <= right),
    ">=": lambda left, right: bool(left >= right),
}
