"""Allowlists: which finding a waiver lets through, until when."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

import msgspec

from imagegate.model import AllowlistMatch
from imagegate.policy.model import Allowlist, AllowlistItem
from imagegate.policy.pattern import matches

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)


class Waived(msgspec.Struct, frozen=True):
    """match: the item that lets a finding through; expired: items that would have, until when they did."""

    match: AllowlistMatch | None = None
    expired: tuple[AllowlistItem, ...] = ()


def parse_expiry(text: str) -> datetime:
    """Return the moment of an RFC 3339 `date-time`, which has a time zone. Raises ValueError."""
    if not _RFC3339.match(text):
        raise ValueError(f"{text!r} is no RFC 3339 time; write it like 2026-12-31T23:59:59Z")
    return datetime.fromisoformat(text.upper())


def waive(lists: Iterable[Allowlist], gate: str, trigger_id: str, now: datetime, *, beginning: bool = False) -> Waived:
    """Return what lets the finding through. The gate is compared in any case, the trigger id exactly."""
    expired: list[AllowlistItem] = []
    for allowlist in lists:
        for item in allowlist.items:
            if item.gate.lower() != gate or not matches(item.trigger_id, trigger_id, beginning=beginning):
                continue
            if item.expires is None or now < item.expires:
                return Waived(AllowlistMatch(allowlist.id, allowlist.name, item.id), tuple(expired))
            expired.append(item)
    return Waived(None, tuple(expired))
