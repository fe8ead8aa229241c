"""The documents say what is true."""

from __future__ import annotations

import re
from pathlib import Path

from imagegate.config import LOOSENING, leaf_types

ROOT = Path(__file__).parents[2]


def rows() -> dict[str, str]:
    text = (ROOT / "docs" / "settings.md").read_text()
    return dict(re.findall(r"^\| `([a-z_.*]+)` \|(.*)$", text, re.MULTILINE))


def test_every_setting_is_documented_and_no_other() -> None:
    assert set(rows()) == set(leaf_types())


def test_what_loosens_the_gate_is_marked_so() -> None:
    assert {key for key, row in rows().items() if "**loosens**" in row} == set(LOOSENING)
