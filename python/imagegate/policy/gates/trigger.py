"""What a gate is made of: triggers, which look at the facts and fire."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from datetime import datetime

import msgspec

from imagegate.model import Package, Part, Problem, Severity
from imagegate.policy.facts import Facts
from imagegate.policy.gates.parameter import Parameter, Values


class Scope(msgspec.Struct, kw_only=True):
    """What a trigger sees beside its parameters.

    at: the time of the evaluation; engine: reproduce the engine's quirks; missing_passes: missing advisories keep
    nothing from being decided; rule_id: of the rule that is asked; problems: where a trigger notes what keeps its rule
    from being decided.
    """

    facts: Facts
    at: datetime
    engine: bool = False
    missing_passes: bool = False
    rule_id: str = ""
    problems: list[Problem] = msgspec.field(default_factory=list)

    def undecided(self, kind: str, details: str) -> None:
        """Note that a rule could not be decided, once for each reason."""
        problem = Problem("error", kind, details)
        if problem not in self.problems:
            self.problems.append(problem)


class Hit(msgspec.Struct, frozen=True):
    """A trigger that fired once. instance: its trigger id, empty: made from gate, trigger, message; rest: `Finding`."""

    message: str
    instance: str = ""
    severity: Severity | None = None
    package: Package | None = None
    vulnerability: str = ""
    path: str = ""
    line: int = 0
    fix: str = ""
    aliases: tuple[str, ...] = ()


Check = Callable[[Scope, Values], Iterator[Hit]]
Needs = Callable[[Values], Collection[Part]]


def needs(*parts: Part) -> Needs:
    """Return the `needs` of a trigger whose parameters make no difference."""
    return lambda _: parts


ALL_PARTS, ONLY_PACKAGES = needs(*Part), needs(Part.PACKAGES)


class Trigger(msgspec.Struct, frozen=True):
    """A trigger of a gate. check: yields a Hit for each time that it fires.

    lint: says what is wrong with parameters that are each valid, empty when nothing is. beyond: whether Anchore Engine
    does not have it. needs: what must be known of an image for the trigger to be decided; a new trigger needs all.
    """

    gate: str
    name: str
    check: Check
    parameters: tuple[Parameter, ...] = ()
    lint: Callable[[Values], str] = lambda _: ""
    beyond: bool = False
    needs: Needs = ALL_PARTS


def trigger_id(trigger: Trigger, hit: Hit) -> str:
    """Return the id that allowlists name. (Anchore Engine, `policy/gate.py`: md5 of gate, trigger and message.)"""
    text = f"{trigger.gate}{trigger.name}{hit.message}"
    return hit.instance or hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
