"""YAML files whose values know their line, so that a mistake can be shown where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from imagegate.errors import ConfigError


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
        return Located(None, str(path)) if node is None else _locate(node, loader, path)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{place}: no valid YAML", why=getattr(error, "problem", None) or str(error)) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: no valid YAML", why=str(error)) from error
    finally:
        loader.dispose()


def _locate(node: Any, loader: Any, path: Path) -> Located:
    import yaml

    place = f"{path}:{node.start_mark.line + 1}"
    if isinstance(node, yaml.MappingNode):
        members: dict[Any, Located] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            where = f"{path}:{key_node.start_mark.line + 1}"
            if not isinstance(key, str):
                raise ConfigError(f"{where}: the key {key!r} is not text", hint="Put it in quotes.")
            if key in members:
                raise ConfigError(f"{where}: {key!r} stands twice")
            child = _locate(value_node, loader, path)
            members[key] = Located(child.value, where)
        return Located(members, place)
    if isinstance(node, yaml.SequenceNode):
        return Located([_locate(item, loader, path) for item in node.value], place)
    return Located(loader.construct_object(node, deep=True), place)
