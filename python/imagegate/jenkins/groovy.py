"""Values as Groovy source: whatever a value holds, it stays a value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from imagegate.errors import ConfigError

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


class GroovySource(str):
    """Text that is Groovy source. Only `literal` makes it of a value."""

    __slots__ = ()


def literal(value: Any) -> GroovySource:
    """Return the Groovy literal of a text, number, truth value, list or map, in ASCII.

    Texts are in single quotes, where nothing is interpolated. (Groovy 2.4, "Strings", "Character escapes".) Groovy
    turns `\\uXXXX` into the character before it looks for quotes, except after a backslash, so that only what is no
    quote, backslash or line end is written so. Raises ConfigError for what has no literal, NUL characters among it.
    """
    if value is None:
        return GroovySource("null")
    if isinstance(value, bool):
        return GroovySource("true" if value else "false")
    if isinstance(value, int):
        return GroovySource(str(value))
    if isinstance(value, str):
        return GroovySource(f"'{''.join(map(_character, _utf16(value)))}'")
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key(str(name))}: {literal(each)}" for name, each in value.items())
        return GroovySource(f"[{inside or ':'}]")
    if isinstance(value, Sequence):
        return GroovySource(f"[{', '.join(map(literal, value))}]")
    raise ConfigError(f"a {type(value).__name__} cannot be written into a Jenkinsfile")


def key(name: str) -> GroovySource:
    """Return the key of a map, or the name of a named argument: bare where that is all it can be, else a literal."""
    return GroovySource(name) if _IDENTIFIER.fullmatch(name) else GroovySource(f"({literal(name)})")


def comment(text: str) -> GroovySource:
    """Return text for a line comment: one line, printable ASCII; `\\u` in it would be read even there."""
    return GroovySource(
        "".join(each if each.isascii() and each.isprintable() and each != "\\" else "?" for each in text)
    )


def _utf16(text: str) -> str:
    """Return text with each character that Java holds as two as those two."""
    if all(ord(character) <= 0xFFFF for character in text):
        return text
    raw = text.encode("utf-16-be", "surrogatepass")
    return "".join(chr(int.from_bytes(raw[at : at + 2], "big")) for at in range(0, len(raw), 2))


def _character(character: str) -> str:
    if character == "\0":
        raise ConfigError("a NUL character cannot be written into a Jenkinsfile")
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if " " <= character <= "~" else f"\\u{ord(character):04x}"
