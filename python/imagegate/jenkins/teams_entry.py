"""A new repository's entry in a teams file: its text, and the file with it. Pure: texts and values in and out."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from imagegate.errors import ConfigError, UsageError
from imagegate.yamlfile import Located


def entry_text(entry: dict[str, Any], indent: int) -> str:
    """Return an entry as an item of the list `repositories`, which begins at this column."""
    import yaml

    lines = yaml.safe_dump([entry], sort_keys=False, width=1000, allow_unicode=True).splitlines()
    return "".join(f"{' ' * indent}{line}\n" for line in lines)


def with_entry(document: Located, team: str, entry: dict[str, Any]) -> Located:
    """Return a teams file's values with an entry more. Raises UsageError for a team or a name that cannot be."""
    top = document.value if isinstance(document.value, dict) else {}
    teams = top.get("teams", Located({}, document.place))
    members = teams.value if isinstance(teams.value, dict) else {}
    if team not in members:
        near = get_close_matches(team, members, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Teams: {', '.join(members)}."
        raise UsageError(f"there is no team {team!r} in {document.place.rpartition(':')[0]}", hint=hint)
    listed = members[team].value.get("repositories") if isinstance(members[team].value, dict) else None
    there = listed.value if listed is not None and isinstance(listed.value, list) else []
    longer = Located([*there, _located(entry, members[team].place)], members[team].place)
    changed = Located({**members[team].value, "repositories": longer}, members[team].place)
    return Located({**top, "teams": Located({**members, team: changed}, teams.place)}, document.place)


def add_entry(text: str, team: str, entry: dict[str, Any]) -> str:
    """Return a teams file's text with an entry more, each of its other lines as it was.

    Raises UsageError where that cannot be done: the list is written in brackets, shared by an alias, or not there.
    """
    import yaml

    listed = _member(_member(_member(yaml.compose(text), "teams"), team), "repositories")
    lines = text.splitlines(keepends=True)
    if isinstance(listed, yaml.SequenceNode) and not listed.flow_style and listed.value:
        end = _last_line(listed)
        if not lines[end].endswith("\n"):
            lines[end] += "\n"
        lines.insert(end + 1, entry_text(entry, listed.start_mark.column))
        longer = "".join(lines)
        if _is_longer(text, longer, team, entry):
            return longer
    raise UsageError(
        f"the entry cannot be added to the repositories of {team} without writing other lines anew",
        hint="Leave --add out, and paste what is printed.",
    )


def _is_longer(before: str, after: str, team: str, entry: dict[str, Any]) -> bool:
    """Whether a text says what another does, and the entry. (So that no way to write YAML can mislead us.)"""
    import yaml

    try:
        wanted, found = yaml.safe_load(before), yaml.safe_load(after)
    except yaml.YAMLError:
        return False
    # A list that is aliased elsewhere is one object in both places, and must not become longer in the other.
    wanted["teams"] = {**wanted["teams"]}
    mine = wanted["teams"][team]
    wanted["teams"][team] = {**mine, "repositories": [*mine["repositories"], entry]}
    return bool(wanted == found)


def _member(node: Any, name: str) -> Any:
    """Return the value of a key, None for what has none."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == name), None)


def _last_line(node: Any) -> int:
    """Return the line that a node's text ends in; the end of a block, as YAML tells it, is behind what follows."""
    import yaml

    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    is_block = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")
    return int(node.end_mark.line) - (1 if is_block and node.end_mark.column == 0 else 0)


def _located(value: Any, place: str) -> Located:
    if isinstance(value, dict):
        return Located({key: _located(each, place) for key, each in value.items()}, place)
    if isinstance(value, list | tuple):
        return Located([_located(each, place) for each in value], place)
    if not isinstance(value, str | int | bool):
        raise ConfigError(f"a {type(value).__name__} cannot be in a teams file")
    return Located(value, place)
