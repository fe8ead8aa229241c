"""Patterns of mappings and allowlists: `*` stands for any text, `regexp:` opens a regular expression.

Anchore Engine, `util/matcher.py`.
"""

from __future__ import annotations

import re
from functools import lru_cache

_RAW = "regexp:"


def is_literal(pattern: str) -> bool:
    """Say whether a pattern stands for one text only, itself."""
    return "*" not in pattern and not pattern.strip().startswith(_RAW)


@lru_cache(maxsize=4096)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a pattern. Raises ValueError when it is none."""
    raw = pattern.strip()
    if raw.startswith(_RAW):
        try:
            return re.compile(raw.removeprefix(_RAW), re.DOTALL)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return re.compile(r"\A" + ".*".join(map(re.escape, pattern.split("*"))) + r"\Z", re.DOTALL)


def matches(pattern: str, text: str, *, beginning: bool = False) -> bool:
    """Say whether a pattern matches text whole; beginning: it is enough that a `regexp:` matches its beginning."""
    compiled = compile_pattern(pattern)
    return (compiled.match if beginning else compiled.fullmatch)(text) is not None
