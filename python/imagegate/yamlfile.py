"""YAML files whose values know their line, so that a mistake can be shown where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from imagegate.errors import ConfigError

_MOST_NODES = 1_000_000


class Located(msgspec.Struct, frozen=True):
    """A value with the place it stands at, `file:line`. Members of mappings and lists are Located too."""

    value: Any
    place: str

    def plain(self) -> Any:
        """Return the value without its places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def load_yaml(path: Path) -> Located:
    """Read one YAML (or JSON) document. Raises ConfigError; a key given twice is a mistake, no tag is ever run."""
    import yaml

    loader_type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        loader = loader_type(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read", why=str(error)) from error
    try:
        node = loader.get_single_node()
        return Located(None, str(path)) if node is None else _Locator(loader, path).locate(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{place}: no valid YAML", why=getattr(error, "problem", None) or str(error)) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: no valid YAML", why=str(error)) from error
    finally:
        loader.dispose()


class _Locator:
    """Turns YAML's nodes into values. Aliases are written out, so their number is bounded."""

    def __init__(self, loader: Any, path: Path) -> None:
        self._loader, self._path, self._left = loader, path, _MOST_NODES

    def locate(self, node: Any) -> Located:
        """Return a node's value with its place."""
        import yaml

        self._left -= 1
        if not self._left:
            raise ConfigError(f"{self._path} holds more than {_MOST_NODES:,} values", hint="Are its aliases meant?")
        if isinstance(node, yaml.MappingNode):
            return Located(self._members(node), self._place(node))
        if isinstance(node, yaml.SequenceNode):
            return Located([self.locate(item) for item in node.value], self._place(node))
        try:
            return Located(self._loader.construct_object(node, deep=True), self._place(node))
        except ValueError as error:  # what looks like a day and is none, 2026-99-99
            raise ConfigError(f"{self._place(node)}: {node.value!r} is no value", why=str(error)) from error

    def _members(self, node: Any) -> dict[str, Located]:
        members: dict[str, Located] = {}
        for key_node, value_node in node.value:
            key, where = self._loader.construct_object(key_node, deep=True), self._place(key_node)
            if not isinstance(key, str):
                raise ConfigError(f"{where}: the key {key!r} is not text", hint="Put it in quotes.")
            if key in members:
                raise ConfigError(f"{where}: {key!r} stands twice")
            members[key] = Located(self.locate(value_node).value, where)
        return members

    def _place(self, node: Any) -> str:
        return f"{self._path}:{node.start_mark.line + 1}"
