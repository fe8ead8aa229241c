"""Which versions a question is about: `<2.17`, `>=2.0,<2.17`, `2.14.1`. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

import msgspec

from imagegate.errors import UsageError
from imagegate.vulnerability.ecosystems import version_key
from imagegate.vulnerability.versions import INVALID

_PART = re.compile(r"\s*(<=|>=|==|!=|<|>|=|)\s*([\w(][^\s<>=!,*^|]*)\s*")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "!=": operator.ne,
    "==": operator.eq,
    "=": operator.eq,
    "": operator.eq,
}
_ORDERS = {"dpkg": "Debian", "APKG": "Alpine", "rpm": "Red Hat"}
"""An ecosystem of the same order, for packages of a distribution that no advisories are of."""


class Constraint(msgspec.Struct, frozen=True):
    """Comparisons that must all be true. Empty: any version."""

    parts: tuple[tuple[str, str], ...] = ()

    def holds(self, version: str, ecosystem: str, kind: str) -> bool | None:
        """Say whether a version is meant, by its ecosystem's order; None where that order has no place for it.

        ecosystem: empty where no advisories are about the package; kind: the package's type.
        """
        if all(version == value for sign, value in self.parts if sign in ("", "=", "==")) and all(
            sign in ("", "=", "==") for sign, _ in self.parts
        ):
            return True
        order = ecosystem or _ORDERS.get(kind, "")
        if not order:
            return None
        key = version_key(order)
        own = key(version)
        values = [(sign, key(value)) for sign, value in self.parts]
        if own is INVALID or any(value is INVALID for _, value in values):
            return None
        return all(_COMPARE[sign](own, value) for sign, value in values)


def parse_constraint(text: str) -> Constraint:
    """Return the constraint that a text is. Raises UsageError."""
    if not text.strip():
        return Constraint()
    found = [_PART.fullmatch(part) for part in text.split(",")]
    if not all(found):
        raise UsageError(
            f"{text!r} says no versions",
            hint="Write a version, or comparisons by <, <=, >, >=, ==, = and != with commas between: '>=2.0,<2.17'.",
        )
    return Constraint(tuple((match[1], match[2]) for match in found if match))
