"""What an apply would do: the items that are to be, beside those that are there. Pure.

Only what carries our mark is ever changed or removed. Whatever somebody edited by hand is kept, and said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from xml.etree.ElementTree import Element

import msgspec

from imagegate.jenkins.configxml import Shape, canonical, checksum, marked, overlay, parse, serialized, unmarked
from imagegate.jenkins.items import Item, Listed, Place
from imagegate.jenkins.shapes import KINDS


class State(StrEnum):
    """How an item stands to the teams file."""

    NEW = "new"
    CURRENT = "current"
    OUTDATED = "outdated"
    EDITED = "edited"
    TAKEN = "taken"
    FOREIGN = "foreign"
    BLOCKED = "blocked"
    ORPHAN = "orphan"
    KEPT = "kept"


WORDS = {
    State.NEW: "is not there yet",
    State.CURRENT: "is as the teams file says",
    State.OUTDATED: "is as an earlier apply left it",
    State.EDITED: "was edited by hand, which is kept; --overwrite replaces it",
    State.TAKEN: "was edited by hand, or is not ours; --overwrite takes it over",
    State.FOREIGN: "is there and not ours; it is left alone, --overwrite takes it over",
    State.BLOCKED: "cannot be made: what has its folder's name is no folder of ours to use",
    State.ORPHAN: "is ours, and the teams file has it no longer; --delete removes it",
    State.KEPT: "is ours, and the teams file has it no longer; it holds what is not ours, or was edited by hand",
}

UNSETTLED = frozenset({State.EDITED, State.FOREIGN, State.BLOCKED})
"""What an apply leaves as it is, though the teams file says otherwise."""


class Action(StrEnum):
    """What an apply does."""

    NOTHING = ""
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class Change(msgspec.Struct, frozen=True):
    """One item. before, after: our places of it, as canonical text, for a diff. document: what is written."""

    place: Place
    state: State
    action: Action = Action.NOTHING
    before: str = ""
    after: str = ""
    document: bytes = b""
    is_folder: bool = False


def to_read(wanted: Iterable[Item], there: Iterable[Listed], owner: str, overwrite: Iterable[str] = ()) -> list[Listed]:
    """Return the items whose documents the plan needs: ours, and those that are to be taken over."""
    named = set(overwrite)
    items = {item.place.key for item in wanted if not item.container}
    return [each for each in there if _is_ours(each, owner) or (each.place.key in items and str(each.place) in named)]


def plan(
    wanted: Sequence[Item],
    there: Sequence[Listed],
    read: Mapping[Place, bytes],
    owner: str,
    *,
    overwrite: Iterable[str] = (),
    delete: bool = False,
) -> tuple[Change, ...]:
    """Return what becomes of each item, in the order in which it is to be done.

    read: the documents of `to_read`, by place. overwrite: names of items that are written whoever edited or made them.
    """
    named = set(overwrite)
    found = {each.place.key: each for each in there}
    unusable: set[Place] = set()
    changes = []
    for item in wanted:
        change = _decide(item, found.get(item.place.key), read, owner, named, unusable)
        if change.state in (State.BLOCKED, State.FOREIGN) and not _is_folder(found.get(item.place.key)):
            unusable.add(item.place.key)
        changes.append(change)
    left = _orphans({item.place.key for item in wanted}, there, read, owner, named)
    return (*changes, *(_removal(listed, state, delete=delete) for listed, state in left))


def removals(there: Sequence[Listed], owner: str) -> tuple[Change, ...]:
    """Return how all that is ours goes, the innermost first; a folder that holds what is not ours stays."""
    return tuple(_removal(listed, state, delete=True) for listed, state in _orphans(set(), there, {}, owner, set()))


def _removal(listed: Listed, state: State, *, delete: bool) -> Change:
    action = Action.DELETE if delete and state is State.ORPHAN else Action.NOTHING
    return Change(listed.place, state, action, is_folder=listed.is_folder)


def _decide(
    item: Item, listed: Listed | None, read: Mapping[Place, bytes], owner: str, named: set[str], unusable: set[Place]
) -> Change:
    if item.place.parent.key in unusable:
        return Change(item.place, State.BLOCKED)
    if listed is None:
        return Change(item.place, State.NEW, Action.CREATE, "", item.ours, _marked(item, parse_own(item), owner))
    if item.container and listed.is_folder:
        return Change(listed.place, State.CURRENT)
    of_its_kind, wants = listed.class_name == item.class_name, str(listed.place) in named
    if not of_its_kind or not (_is_ours(listed, owner) or wants):
        return Change(listed.place, State.FOREIGN)
    theirs = unmarked(parse(read[listed.place], f"the configuration of {listed.place}"))
    before = canonical(theirs, item.shape)
    if _is_ours(listed, owner) and listed.mark and listed.mark.checksum == item.checksum and before == item.ours:
        return Change(listed.place, State.CURRENT)
    unedited = _unedited(listed, theirs, owner, item.shape)
    if before == item.ours or unedited or wants:
        overlay(theirs, parse_own(item), unedited or item.shape)
        document = _marked(item, theirs, owner)
        state = State.TAKEN if wants and not unedited else State.OUTDATED
        return Change(listed.place, state, Action.UPDATE, before, item.ours, document)
    return Change(listed.place, State.EDITED, Action.NOTHING, before, item.ours)


def parse_own(item: Item) -> Element:
    """Return the document of an item that is to be."""
    return parse(item.document, str(item.place))


def _marked(item: Item, root: Element, owner: str) -> bytes:
    return serialized(marked(root, item.shape, owner))


def _is_ours(listed: Listed, owner: str) -> bool:
    return listed.mark is not None and listed.mark.owner == owner and listed.class_name in KINDS


def _is_folder(listed: Listed | None) -> bool:
    return listed is not None and listed.is_folder


def _unedited(listed: Listed, theirs: Element, owner: str, least: Shape | None = None) -> Shape | None:
    """Return the shape under which a document is as we once wrote it, None when it was edited since.

    least: what is to be written; a place of it that we did not write, and somebody else did, counts as edited.
    """
    if not listed.mark or listed.mark.owner != owner:
        return None
    shapes = KINDS[listed.class_name].shapes
    shapes = shapes[: shapes.index(least) + 1] if least else shapes
    return next((each for each in shapes if checksum(canonical(theirs, each)) == listed.mark.checksum), None)


def _orphans(
    wanted: set[Place], there: Sequence[Listed], read: Mapping[Place, bytes], owner: str, named: set[str]
) -> Iterator[tuple[Listed, State]]:
    """Yield what is ours and not wanted, the innermost first."""
    staying: set[Place] = set()
    for listed in sorted(there, key=lambda each: (-len(each.place.path), each.place)):
        place = listed.place
        if place.key in wanted or not _is_ours(listed, owner):
            staying.add(place.parent.key)
        elif place.key in staying or (str(place) not in named and _was_edited(listed, read, owner)):
            staying.add(place.parent.key)
            yield listed, State.KEPT
        else:
            yield listed, State.ORPHAN


def _was_edited(listed: Listed, read: Mapping[Place, bytes], owner: str) -> bool:
    raw = read.get(listed.place)
    return raw is not None and _unedited(listed, unmarked(parse(raw, str(listed.place))), owner) is None
