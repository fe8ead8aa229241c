"""Making text that an image's author chose safe to show: names of packages, paths, messages that quote them."""

from __future__ import annotations

import html
import re

_INVALID_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BACKTICKS = re.compile("`+")


def line(text: str) -> str:
    """Return text as one printable line: control, format and bidirectional characters, and line ends, are escaped."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else escaped(character) for character in text)


def escaped(character: str) -> str:
    """Return a character by its number."""
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def xml(text: str) -> str:
    """Return text without what no XML 1.0 document may hold. Markup is left to the serializer. (XML 1.0, 2.2, Char.)"""
    return _INVALID_XML.sub(lambda match: escaped(match[0]), text)


def markup(text: str, *, lines: bool = False) -> str:
    """Return text as HTML that is only text, also in a quoted attribute. lines: its line ends are ours, and stay."""
    return html.escape("\n".join(map(line, text.split("\n"))) if lines else line(text))


def code(text: str) -> str:
    """Return text as a Markdown code span that is safe in a table cell: nothing in it is markup, a link or a mention.

    (GitHub Flavored Markdown, 6.1 code spans and 4.10 tables: a cell's `|` is escaped even in code.)
    """
    shown = line(text).strip()
    if not shown:
        return ""
    fence = "`" * (1 + max(map(len, _BACKTICKS.findall(shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith(("`", "\\")) else ""
    return fence + pad + shown.replace("|", "\\|") + pad + fence
