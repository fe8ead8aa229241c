"""Searching contents for patterns, line by line, at a cost that is linear in the content.

Patterns are Python's. RE2, which knows no look-around but is linear, looks at the whole content first: without its
look-around a pattern matches at least what it matches with it. Only a content that it lets through is cut into lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from imagegate.errors import ConfigError
from imagegate.model import ContentMatch, SearchKind

_LONGEST_LINE = 4096
_OVERLAP = 512
"""A longer line is searched in overlapping pieces, because Python's patterns may cost the square of a line."""
_MOST_LINES = 20
"""Lines told of one file and pattern; what matters is that there is one."""
_MEMORY = 64 * 1024**2
"""RE2 forgets states when it has none left of this, and gives up only where it is too little to begin with."""
_LOOK_AROUND = re.compile(r"\(\?<?[=!]")


class Search:
    """The patterns of a kind, by name. One for each scan of a layer."""

    def __init__(self, patterns: Mapping[SearchKind, Mapping[str, str]]) -> None:
        """Raises ConfigError that names the setting of a pattern that is none."""
        self._patterns = [
            (kind, name, regex, _compile(kind, name, regex))
            for kind, named in patterns.items()
            for name, regex in named.items()
        ]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def find(self, path: str, content: bytes) -> Iterator[ContentMatch]:
        """Yield a match for each pattern that a line of the content has, with the first of those lines."""
        for index in self._candidates(content):
            kind, name, regex, compiled = self._patterns[index]
            lines, anchored = _lines(compiled, content)
            if lines:
                yield ContentMatch(kind, path, name, regex, lines, anchored)

    def _candidates(self, content: bytes) -> list[int]:
        prefilter, always = self._prefilter
        if prefilter is None:
            return always
        return sorted({*(prefilter.Match(content) or ()), *always})

    @cached_property
    def _prefilter(self) -> tuple[Any, list[int]]:
        """Return RE2's set of all patterns in their order, and the indexes of those that RE2 cannot read."""
        import re2

        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.log_errors = False
        options.max_mem = _MEMORY
        found = re2.Set.SearchSet(options)
        always = []
        for index, (_, _, regex, _) in enumerate(self._patterns):
            try:
                if r"\A" in regex:  # of a line to Python, of the whole content to RE2
                    raise ValueError
                found.Add(b"(?m)" + without_look_around(regex).encode())
            except (re2.error, ValueError):
                found.Add(rb"\z.")  # keeps the numbers in step, and matches nothing
                always.append(index)
        found.Compile()
        return (found if len(always) < len(self._patterns) else None), always


def without_look_around(regex: str) -> str:
    """Return the pattern without its look-around groups: it matches all that the pattern matches, and more."""
    kept, at = [], 0
    while at < len(regex):
        if regex[at] == "\\":
            kept.append(regex[at : at + 2])
            at += 2
        elif regex[at] == "[":
            end = _class_end(regex, at)
            kept.append(regex[at:end])
            at = end
        elif _LOOK_AROUND.match(regex, at):
            at = _group_end(regex, at)
        else:
            kept.append(regex[at])
            at += 1
    return "".join(kept)


def _class_end(regex: str, start: int) -> int:
    """Return where a character class ends. A `]` that comes first, after a `^` too, is one of its characters."""
    at = start + 1
    at += regex[at : at + 1] == "^"
    at += regex[at : at + 1] == "]"
    while at < len(regex) and regex[at] != "]":
        at += 2 if regex[at] == "\\" else 1
    return at + 1


def _group_end(regex: str, start: int) -> int:
    at, depth = start, 0
    while at < len(regex):
        if regex[at] == "\\":
            at += 1
        elif regex[at] == "[":
            at = _class_end(regex, at) - 1
        elif regex[at] in "()":
            depth += 1 if regex[at] == "(" else -1
            if not depth:
                return at + 1
        at += 1
    return at


def _compile(kind: SearchKind, name: str, regex: str) -> re.Pattern[bytes]:
    try:
        return re.compile(regex.encode())
    except re.error as error:
        key = "analysis.secrets" if kind is SearchKind.SECRET else "analysis.contents"
        raise ConfigError(f"{key}.{name} is no regular expression", why=str(error)) from error


def _lines(compiled: re.Pattern[bytes], content: bytes) -> tuple[tuple[int, ...], bool]:
    """Return the first lines with a match, and whether one of them has it where it begins, as the engine wants it."""
    found: list[int] = []
    anchored = False
    for number, line in enumerate(content.split(b"\n"), 1):
        if any(compiled.search(piece) for piece in _pieces(line)):
            anchored = anchored or compiled.match(line[:_LONGEST_LINE]) is not None
            if len(found) < _MOST_LINES:
                found.append(number)
    return tuple(found), anchored


def _pieces(line: bytes) -> Iterator[bytes]:
    if len(line) <= _LONGEST_LINE:
        yield line
        return
    for start in range(0, len(line), _LONGEST_LINE - _OVERLAP):
        yield line[start : start + _LONGEST_LINE]
