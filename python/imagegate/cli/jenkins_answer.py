"""What `imagegate jenkins` tells of changes: a line for each item, or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagegate.cli.app import App, titled
from imagegate.cli.console import printable

if TYPE_CHECKING:
    from imagegate.jenkins.changes import Change

_DONE = {"create": "made", "update": "written", "delete": "removed"}


class Told(msgspec.Struct, frozen=True):
    """One item in the answer. action: `create`, `update`, `delete`, or nothing; done: whether it was."""

    name: str
    state: str
    action: str
    done: bool
    diff: str = ""


def answer(app: App, kind: str, changes: tuple[Change, ...], *, diff: bool, done: bool = False) -> None:
    """Tell changes. kind: of the JSON document; done: whether they were carried out."""
    told = [
        Told(str(each.place), each.state, each.action, done and bool(each.action), _diff(each) if diff else "")
        for each in changes
    ]
    app.answer(titled(kind, {"items": told}), lambda: _text(changes, told))


def answer_removals(app: App, changes: tuple[Change, ...], *, done: bool) -> None:
    """Tell what of ours goes, and what stays."""
    told = [Told(str(each.place), each.state, each.action, done and bool(each.action)) for each in changes]
    app.answer(titled("jenkins-destroy", {"items": told}), lambda: _removals(told, done=done))


def _removals(told: list[Told], *, done: bool) -> str:
    goes = "removed" if done else "would be removed"
    lines = [f"{each.name}: {goes if each.action else 'stays: it holds what is not ours'}" for each in told]
    return printable("\n".join(lines) or "there is nothing of ours")


def _text(changes: tuple[Change, ...], told: list[Told]) -> str:
    from imagegate.jenkins.changes import WORDS, State

    lines = []
    for change, each in zip(changes, told, strict=True):
        if change.state is State.CURRENT:
            continue
        action = f"; {_DONE[each.action]}" if each.done else f"; would be {_DONE[each.action]}" if each.action else ""
        lines.append(f"{each.state:<9} {each.name}: {WORDS[change.state]}{action}")
        lines += each.diff.splitlines()
    current = sum(change.state is State.CURRENT or each.done for change, each in zip(changes, told, strict=True))
    lines.append(f"{current} of {len(changes)} as the teams file says")
    return printable("\n".join(lines))


def _diff(change: Change) -> str:
    from difflib import unified_diff

    before, after = change.before.splitlines(), change.after.splitlines()
    return "\n".join(unified_diff(before, after, f"{change.place} there", f"{change.place} wanted", lineterm=""))
