"""Moments as VEX documents write them. (RFC 3339, 5.6.)"""

from __future__ import annotations

from datetime import UTC, datetime

NEVER = datetime.min.replace(tzinfo=UTC)
"""Before all others: of a statement that does not say when it was made."""


def moment(text: str, place: str, mistakes: list[str]) -> datetime:
    """Return a moment. One that cannot be read is told as a mistake."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        mistakes.append(f"{place}: {text[:80]!r} is no time, such as 2026-11-24T12:00:00Z")
        return NEVER
