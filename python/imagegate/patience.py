"""When to look again at work that somebody else does. Pure."""

from __future__ import annotations

import msgspec


class Patience(msgspec.Struct, frozen=True):
    """Pauses that grow with how long the work has lasted, so that its end is seen late by a share of its own length.

    With these figures, ten minutes of work take some 65 looks, and its end is seen within 8 % of its length, or 1.5 s.
    shortest, longest: seconds of a pause. share: of the time that the work has lasted. While it has not begun nothing
    tells how long it will last, and the longest pause is `queued`.
    """

    shortest: float = 1.5
    longest: float = 60.0
    share: float = 0.08
    queued: float = 10.0

    def pause(self, lasted: float, *, begun: bool, jitter: float) -> float:
        """Return seconds. lasted: since it began, or since it was asked for. jitter: 0 to 1, to spread the lookers."""
        most = self.longest if begun else self.queued
        return min(max(self.shortest, self.share * lasted), most) * (0.85 + 0.15 * jitter)
