"""Gate `always`: fires on every image, for tests and for "nothing passes"."""

from __future__ import annotations

from collections.abc import Iterator

from imagegate.policy.gates.parameter import Values
from imagegate.policy.gates.trigger import Hit, Scope, Trigger, needs


def _always(_: Scope, __: Values) -> Iterator[Hit]:
    yield Hit("Unconditional trigger match", instance="always")


TRIGGERS = (Trigger("always", "always", _always, needs=needs()),)
