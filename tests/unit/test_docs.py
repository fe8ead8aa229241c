"""The documents say what is true."""

from __future__ import annotations

import re
from pathlib import Path

import click

from imagegate.cli.root import VERBS, root
from imagegate.config import LOOSENING, leaf_types

ROOT = Path(__file__).parents[2]


def rows() -> dict[str, str]:
    text = (ROOT / "docs" / "settings.md").read_text()
    return dict(re.findall(r"^\| `([a-z_.*]+)` \|(.*)$", text, re.MULTILINE))


def test_every_setting_is_documented_and_no_other() -> None:
    assert set(rows()) == set(leaf_types())


def test_what_loosens_the_gate_is_marked_so() -> None:
    assert {key for key, row in rows().items() if "**loosens**" in row} == set(LOOSENING)


def commands() -> list[tuple[str, list[str]]]:
    """Return (place, words) of each imagegate command that the documents show."""
    found = []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for number, line in enumerate(page.read_text().splitlines(), 1):
            shown = re.findall(r"`(imagegate [^`]+)`", line)
            if line.startswith("    ") or "sh '" in line:
                shown += re.findall(r"(?:^ {4}(?:\$ )?|sh ')(imagegate [^'#]+)", line)
            found += [(f"{page.name}:{number}", text.split()[1:]) for text in shown]
    return found


def understands(words: list[str]) -> str:
    """Return what is wrong with a command line: a verb or option that is not there."""
    command: click.Command = root
    options = {"-h", "--help"} | {name for each in root.params for name in each.opts}
    while words:
        word = words[0].partition("=")[0]
        if word.startswith("-"):
            if word not in options:
                return f"no option {word}"
        elif isinstance(command, click.Group):
            found = command.get_command(click.Context(command), word)
            if found is None:
                return f"no verb {word}"
            command = found
            options |= {name for each in found.params for name in each.opts}
        words = words[1:]
    return ""


def test_every_command_in_the_documents_is_one_that_the_command_knows() -> None:
    assert len(commands()) > 10
    wrong = [f"{place}: {' '.join(words)}: {why}" for place, words in commands() if (why := understands(words))]
    assert not wrong


def test_the_readme_lists_every_verb() -> None:
    text = (ROOT / "README.md").read_text().partition("\n| verb |")[2].partition("\n\n")[0]
    table = re.findall(r"^\| (`.+?) \|", text, re.MULTILINE)
    named = {word for row in table for text in re.findall(r"`([^`]+)`", row) for word in text.split()[:1]}
    assert named == set(VERBS) - {"version"}
