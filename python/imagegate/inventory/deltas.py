"""Changes as the inventory keeps them until they are told."""

from __future__ import annotations

from typing import Any

import msgspec

from imagegate.inventory.model import Delta, Known
from imagegate.model import Vulnerability


def delta_row(delta: Delta, at: float, promotion: int | None = None) -> dict[str, Any]:
    """Return the row of a change. at: when it was found. promotion: of whose image alone it is news, None: of all."""
    return {
        "at": at,
        "component": delta.component,
        "promotion": promotion,
        "vulnerability": delta.vulnerability,
        "kind": delta.kind.value,
        "before": _text(delta.before),
        "after": _text(delta.after),
        "found": _text(delta.found),
    }


def _text(value: Known | Vulnerability | None) -> str | None:
    return msgspec.json.encode(value).decode() if value else None
