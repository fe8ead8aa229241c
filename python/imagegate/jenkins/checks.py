"""What a check of a Jenkins says."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec

from imagegate.errors import AuthenticationFailed
from imagegate.jenkins.server import JenkinsError


class Health(StrEnum):
    """How a thing is."""

    OK = "ok"
    MISSING = "missing"
    OPTIONAL = "optional"
    UNKNOWN = "unknown"


class Check(msgspec.Struct, frozen=True):
    """One thing. found: what there is; todo: what to do where that is not enough."""

    name: str
    health: Health
    found: str
    todo: str = ""


def readable(ask: Callable[[], Any]) -> Any:
    """Return an answer, None where we may not see it or it is not there."""
    try:
        return ask()
    except AuthenticationFailed:
        return None
    except JenkinsError as error:
        if error.status in (404, 405):
            return None
        raise


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version of Jenkins or of a plugin begins with: `(2, 516, 1)`, `(1234,)` of 1234.v5."""
    leading = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(each) for each in leading[0].split(".")) if leading else ()
