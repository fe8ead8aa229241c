"""The parts of a re-check over several agents: what each call of `recheckImages` is given, and what is handed on. Pure.

The first call makes the plan, the library follows it: shards at once, each on an agent, then one report of all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from imagegate.errors import UsageError
from imagegate.jenkins.catalogue import BY_NAME
from imagegate.jenkins.request import Ended, Handed, Invocation

REPORT = "report"
SHARDS = "recheckImages, a shard"
"""In the library's table: which credentials a shard may be given."""
MOST = 256
_SHARD = re.compile(r"([1-9]\d{0,2})/([1-9]\d{0,2})")
_OF_SHARDS = ("full", "config", "quiet", "install", "anchoreCredentials", "inventoryPassword")
_OF_ALL = ("only", "shards", "update", "stashAdvisories", "agent")
"""What the report is not asked again."""


class Part(msgspec.Struct, frozen=True, rename="camel"):
    """A call of the step. parameters: as a Jenkinsfile would give them. handed: what the library puts beside them."""

    name: str
    parameters: dict[str, Any]
    handed: Handed


class FanOut(msgspec.Struct, frozen=True, rename="camel"):
    """What is done after the first call: the shards at once, then the report, which is told how each of them ended."""

    shards: tuple[Part, ...]
    report: Part


def shard_of(text: str) -> tuple[int, int]:
    """Return the numbers of `I/N`. Raises UsageError."""
    match = _SHARD.fullmatch(text)
    if not match or not int(match[1]) <= int(match[2]) <= MOST:
        raise UsageError(
            f"only must be a shard such as '1/4', or '{REPORT}', not {text!r}", hint=f"There are {MOST} shards at most."
        )
    return int(match[1]), int(match[2])


def check(invocation: Invocation) -> None:
    """Raise UsageError for parameters that do not go together."""
    only, shards = invocation.text("only"), invocation.number("shards")
    if not 1 <= shards <= MOST:
        raise UsageError(f"recheckImages: shards must be a number from 1 to {MOST}, not {shards}")
    if only and "shards" in invocation.values:
        raise UsageError("recheckImages: only is one part, shards are all: give one of them")
    if only and only != REPORT:
        shard_of(only)
        if "since" in invocation.values or invocation.values.get("outputs"):
            raise UsageError("recheckImages: a shard tells nothing", hint="Give since and outputs to the report.")


def fan_out(invocation: Invocation, handed: Handed) -> FanOut:
    """Return the calls. handed: what they all are told of the first agent."""
    count = invocation.number("shards")
    values = invocation.values
    shards = [f"{index}/{count}" for index in range(1, count + 1)]
    of_shard = msgspec.structs.replace(handed, bindings=SHARDS, problems=())
    return FanOut(
        tuple(Part(each, {**_only(values, _OF_SHARDS), "only": each}, of_shard) for each in shards),
        Part(
            REPORT,
            {**{name: value for name, value in values.items() if name not in _OF_ALL}, "only": REPORT},
            msgspec.structs.replace(handed, shards=tuple(shards)),
        ),
    )


def undecided(handed: Handed) -> tuple[str, ...]:
    """Return, for the report, what shards could not decide, and which did not come to their end."""
    problems: list[str] = []
    for name in handed.shards:
        ended = handed.ended.get(name, Ended())
        if ended.done:
            problems += ended.problems
        else:
            problems.append(f"shard {name} is not done{f': {ended.message}' if ended.message else ''}")
    return tuple(dict.fromkeys(problems))


def _only(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    known = {each.name for each in BY_NAME["recheckImages"].all_parameters}
    return {name: values[name] for name in names if name in values and name in known}
