"""Allowlists: which finding a waiver lets through, until when."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from operator import itemgetter

import msgspec

from imagegate.model import AllowlistMatch
from imagegate.policy.model import Allowlist, AllowlistItem
from imagegate.policy.pattern import compile_pattern, is_literal

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)


_Entry = tuple[int, Allowlist, AllowlistItem]


class Waived(msgspec.Struct, frozen=True):
    """match: the item that lets a finding through; expired: items that would have, until when they did."""

    match: AllowlistMatch | None = None
    expired: tuple[AllowlistItem, ...] = ()


def parse_expiry(text: str) -> datetime:
    """Return the moment of an RFC 3339 `date-time`, which has a time zone. Raises ValueError."""
    if not _RFC3339.match(text):
        raise ValueError(f"{text!r} is no RFC 3339 time; write it like 2026-12-31T23:59:59Z")
    return datetime.fromisoformat(text.upper())


class Waivers:
    """The items of some allowlists, indexed: a finding is looked up among thousands of items of no interest to it."""

    def __init__(self, lists: Iterable[Allowlist], *, beginning: bool = False) -> None:
        """beginning: it is enough that a `regexp:` matches the beginning of a trigger id."""
        self._exact: dict[tuple[str, str], list[_Entry]] = {}
        self._patterns: dict[str, list[tuple[_Entry, Callable[[str], object]]]] = {}
        entries = ((allowlist, item) for allowlist in lists for item in allowlist.items)
        for position, (allowlist, item) in enumerate(entries):
            entry, gate = (position, allowlist, item), item.gate.lower()
            if is_literal(item.trigger_id):
                self._exact.setdefault((gate, item.trigger_id), []).append(entry)
            else:
                pattern = compile_pattern(item.trigger_id)
                matches = pattern.match if beginning else pattern.fullmatch
                self._patterns.setdefault(gate, []).append((entry, matches))

    def waive(self, gate: str, trigger_id: str, now: datetime) -> Waived:
        """Return what lets the finding through. The gate is compared in any case, the trigger id exactly."""
        found = list(self._exact.get((gate, trigger_id), ()))
        found += [entry for entry, matches in self._patterns.get(gate, ()) if matches(trigger_id)]
        expired: list[AllowlistItem] = []
        for _, allowlist, item in sorted(found, key=itemgetter(0)):
            if item.expires is None or now < item.expires:
                return Waived(AllowlistMatch(allowlist.id, allowlist.name, item.id), tuple(expired))
            expired.append(item)
        return Waived(None, tuple(expired))
