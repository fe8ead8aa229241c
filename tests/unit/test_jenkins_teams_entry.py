"""Entries of a teams file: what is added is read back, and no other line changes."""

from __future__ import annotations

import difflib
from typing import Any

import pytest
import yaml

from imagegate.errors import UsageError
from imagegate.jenkins.scaffold import new_repository
from imagegate.jenkins.teams_entry import add_entry, entry_text

ENTRY: dict[str, Any] = new_repository("base-image", "payments/new", base="").entry

PLAIN = """\
# Who has what.
library: v0.1.0
teams:
  Payments:   # the first
    repositories:
      - name: payments/api
        images: [{to: payments/api}]
        stages:
          - name: Lint
            run: |
              make lint
              make more
      # above the owners
    owners: [a@example.com]

  Other: {owners: [b@example.com], repositories: [{name: o/p, images: [{to: o/p}]}]}
"""


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("      - name: p", "    - name: p")
        .replace("        images", "      images")
        .replace("        stages", "      stages"),
        PLAIN.partition("      # above")[0].replace(
            "    repositories", "    owners: [a@example.com]\n    repositories"
        ),
        PLAIN.partition("        stages")[0]
        .replace("    repos", "    owners: [a@example.com]\n    repos")
        .rstrip("\n"),
        PLAIN.replace("run: |", "run: |+"),
        PLAIN.replace("run: |", "run: >-"),
        PLAIN.replace("[{to: payments/api}]", "[{to: payments/api,\n    tags: ['1']}]"),
    ],
)
def test_an_entry_is_added_and_nothing_else_changes(text: str) -> None:
    after = add_entry(text, "Payments", ENTRY)
    wanted = yaml.safe_load(text)
    wanted["teams"]["Payments"]["repositories"].append(ENTRY)
    assert yaml.safe_load(after) == wanted
    changes = [line for line in difflib.ndiff(text.splitlines(), after.splitlines()) if line[0] == "-"]
    assert changes == []


def test_two_can_be_added() -> None:
    second = {**ENTRY, "name": "payments/second"}
    after = add_entry(add_entry(PLAIN, "Payments", ENTRY), "Payments", second)
    names = [each["name"] for each in yaml.safe_load(after)["teams"]["Payments"]["repositories"]]
    assert names == ["payments/api", "payments/new", "payments/second"]


@pytest.mark.parametrize(
    ("text", "team"),
    [
        (PLAIN, "Other"),
        (PLAIN, "None"),
        ("teams: {Payments: {repositories: []}}\n", "Payments"),
        ("teams:\n  Payments:\n    repositories:\n", "Payments"),
        (
            "teams:\n  A:\n    repositories: &r\n      - name: a/b\n        images: []\n"
            "  Payments:\n    repositories: *r\n",
            "Payments",
        ),
        ("", "Payments"),
    ],
)
def test_where_that_cannot_be_done_it_is_said(text: str, team: str) -> None:
    with pytest.raises(UsageError, match="cannot be added"):
        add_entry(text, team, ENTRY)


def test_an_entry_stands_at_its_column() -> None:
    assert entry_text({"name": "a/b"}, 4) == "    - name: a/b\n"
