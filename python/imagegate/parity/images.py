"""Two evaluations of one image, the server's and ours, finding by finding. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

import msgspec

from imagegate.model import Evaluation, Finding


class ImageDifference(msgspec.Struct, frozen=True):
    """What one side has and the other has not, or says otherwise.

    side: `only server`, `only local` or `both`; expected: it is in the allowed list.
    """

    image: str
    side: str
    finding: str
    expected: bool


def compare(server: Evaluation, local: Evaluation, allowed: Iterable[str] = ()) -> Iterator[ImageDifference]:
    """Yield the differences. allowed: `GATE/TRIGGER` or `GATE/TRIGGER/TRIGGER-ID`, `*` for any text."""
    patterns = tuple(allowed)
    ours, theirs = Counter(map(_key, local.findings)), Counter(map(_key, server.findings))
    for side, rest in (("only server", theirs - ours), ("only local", ours - theirs)):
        for key in sorted(rest.elements()):
            gate_trigger, trigger_id = f"{key[0]}/{key[1]}", key[2]
            names = (gate_trigger, f"{gate_trigger}/{trigger_id}")
            expected = any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
            allowlisted = ", allowlisted" if key[4] else ""
            told = f"{gate_trigger} {trigger_id} {key[3]}{allowlisted}"
            yield ImageDifference(server.tag, side, told, expected)
    if server.final_action is not local.final_action:
        told = f"final action: {server.final_action.value} on the server, {local.final_action.value} here"
        yield ImageDifference(server.tag, "both", told, expected=False)


def _key(finding: Finding) -> tuple[str, str, str, str, bool]:
    """The messages are left out: they tell paths and versions in which catalogers differ. The id is the contract."""
    name = finding.trigger.replace("denylist", "blacklist")
    return finding.gate, name, finding.trigger_id, finding.action.value, finding.allowlisted is not None
