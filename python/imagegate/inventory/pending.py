"""Promotions that could not be recorded, kept as files until a later run records them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from imagegate.inventory.model import Promoted
from imagegate.model import Vulnerability


class Pending(msgspec.Struct, frozen=True, tag_field="schema", tag="imagegate/pending/1"):
    """A promotion with what its packages were matched with. state: of the advisories, as `record` takes it."""

    promoted: Promoted
    state: tuple[str, int]
    vulnerabilities: tuple[Vulnerability, ...] = ()


def keep(pending: Pending, directory: Path) -> Path | None:
    """Write it into a directory, and return where; None where that cannot be. A file is there whole or not at all."""
    raw = msgspec.json.encode(pending)
    moment = f"{pending.promoted.promoted_at:%Y%m%dT%H%M%S}"
    path = directory / f"{moment}-{hashlib.sha256(raw).hexdigest()[:16]}.json"
    partial = path.with_suffix(f".{os.getpid()}")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(raw)
        partial.replace(path)
    except OSError:
        return None
    return path


def kept(directory: Path) -> Iterator[tuple[Path, Pending]]:
    """Yield what is kept, the oldest first. What is damaged, or was taken by another run meanwhile, stays out."""
    for path in sorted(directory.glob("*.json")):
        try:
            yield path, msgspec.json.decode(path.read_bytes(), type=Pending)
        except (OSError, msgspec.MsgspecError):
            continue
