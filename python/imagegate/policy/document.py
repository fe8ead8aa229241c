"""Reading policy documents: JSON or YAML bytes in, a checked `PolicyBundle` or all mistakes at once out.

The document is Anchore's, of version `1_0` or `2`. What a server refuses is refused here with the place and the nearest
right name; so is what a server knows and this evaluator does not, because a rule that is ignored would pass images.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from imagegate.errors import PolicyError
from imagegate.model import Digest
from imagegate.policy.bundle import read_bundle
from imagegate.policy.model import PolicyBundle

__all__ = ["PolicyBundle", "load_bundle", "load_document", "parse_bundle", "parse_document", "read_document"]

_MAX_SIZE = 16 * 1024**2


def load_bundle(path: Path, *, allow_deprecated: bool = False) -> PolicyBundle:
    """Read and check a policy document. Raises PolicyError that lists every mistake."""
    return parse_bundle(read_document(path), str(path), allow_deprecated=allow_deprecated)


def load_document(path: Path) -> dict[str, Any]:
    """Read a policy document as plain values, unchecked. Raises PolicyError."""
    return parse_document(read_document(path), str(path))


def read_document(path: Path) -> bytes:
    """Return a policy document's bytes. Raises PolicyError for a file that is not there, or too large."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_SIZE + 1)
    except OSError as error:
        raise PolicyError(f"the policy {path} cannot be read", why=error.strerror or str(error)) from error
    if len(raw) > _MAX_SIZE:
        raise PolicyError(f"the policy {path} is larger than {_MAX_SIZE // 1024**2} MiB")
    return raw


def parse_document(raw: bytes, source: str) -> dict[str, Any]:
    """Return a policy document as plain values. Raises PolicyError when it is no mapping of keys, in JSON or YAML."""
    try:
        text = raw.decode()
        document = _json(text) if text.lstrip()[:1] in ("{", "[") else _yaml(text)
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"{source} is no valid policy document", why=str(error)) from error
    if not isinstance(document, dict):
        raise PolicyError(f"{source} is no policy document", why="it is no mapping of keys")
    return document


def parse_bundle(raw: bytes, source: str, *, allow_deprecated: bool = False, beyond: bool = True) -> PolicyBundle:
    """Check a policy document. source: its name, for messages. Raises PolicyError that lists every mistake.

    allow_deprecated: leave out rules of gates that ended, in place of refusing them.
    beyond: take also what Anchore Engine does not have.
    """
    document = parse_document(raw, source)
    digest = Digest("sha256:" + hashlib.sha256(raw).hexdigest())
    bundle, mistakes = read_bundle(document, digest, source, allow_deprecated=allow_deprecated, beyond=beyond)
    if bundle is None:
        count = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "1 mistake"
        raise PolicyError(
            f"the policy {source} has {count}",
            why="\n  " + "\n  ".join(mistakes),
            hint="docs/policies.md lists every gate, trigger and parameter.",
        )
    return bundle


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise ValueError(f"the key {key!r} stands twice")
        members[key] = value
    return members


def _yaml(text: str) -> Any:
    """Read YAML with every scalar as text, which all values of a policy are: `1_0`, `22` and `true` stay as written."""
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)(text)
    try:
        node = loader.get_single_node()
        return _plain(node, yaml) if node else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ValueError(f"line {mark.line + 1}: {getattr(error, 'problem', error)}" if mark else str(error)) from error
    finally:
        loader.dispose()


def _plain(node: Any, yaml: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        members: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in members:
                what = f"the key {key.value!r} stands twice" if isinstance(key, yaml.ScalarNode) else "a key is no text"
                raise ValueError(f"line {key.start_mark.line + 1}: {what}")
            members[key.value] = _plain(value, yaml)
        return members
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, yaml) for item in node.value]
    return node.value
