"""Gate `metadata`: the image's size, platform, distribution and number of layers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from imagegate.model import Analysis, Part
from imagegate.policy.gates.parameter import COMPARISONS, Parameter, Values, choice, regex, text
from imagegate.policy.gates.trigger import Hit, Scope, Trigger

_NUMBERS = ("size", "layer_count")
_ATTRIBUTES = ("size", "architecture", "os_type", "distro", "distro_version", "like_distro", "layer_count")
_PARTS = {
    "architecture": Part.PLATFORM,
    "os_type": Part.PLATFORM,
    "distro": Part.DISTRO,
    "distro_version": Part.DISTRO,
    "like_distro": Part.DISTRO,
}
"""What must be known for an attribute; the image itself for all others."""
_CHECKS = (*COMPARISONS, "exists", "not_exists", "like", "not_like", "in", "not_in")
_UNITS = {"": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3, "tb": 1024**4}


def _value(analysis: Analysis, attribute: str) -> Any:
    distro = analysis.distro
    return {
        "size": analysis.size,
        "layer_count": len(analysis.layers),
        "architecture": analysis.platform.architecture,
        "os_type": analysis.platform.os,
        "distro": distro.id if distro else "",
        "distro_version": distro.version if distro else "",
        "like_distro": ",".join(distro.like or (distro.id,)) if distro else "",
    }[attribute]


def _attribute(scope: Scope, values: Values) -> Iterator[Hit]:
    attribute, check, wanted = values["attribute"], values["check"], values.get("value", "")
    found = _value(scope.facts.analysis, attribute)
    if _holds(attribute, check, found, wanted, engine=scope.engine):
        yield Hit(
            f"Attribute check for attribute: '{attribute}' check: '{check}' check_value: '{wanted}' "
            f"matched image value: '{found}'"
        )


def _holds(attribute: str, check: str, found: Any, wanted: str, *, engine: bool) -> bool:
    if check in ("exists", "not_exists"):
        return bool(found) == (check == "exists")
    if check in ("in", "not_in"):
        return (str(found) in [entry.strip() for entry in wanted.split(",")]) == (check == "in")
    if check == "like":
        return re.match(wanted, str(found)) is not None
    if check == "not_like":
        return (re.match if engine else re.fullmatch)(wanted, str(found)) is None
    if attribute in _NUMBERS:
        return COMPARISONS[check](found, _size(wanted))
    if attribute == "distro_version" and not engine:
        return COMPARISONS[check](natural(found), natural(wanted))
    return COMPARISONS[check](found, wanted)


def natural(version: str) -> list[tuple[int, str]]:
    """Return a key that puts 9 before 12, which the engine, comparing text, does not."""
    parts = re.findall(r"[0-9]+|[^0-9.]+", version)
    numbers = ((part, part.lstrip("0")) for part in parts)
    return [(len(number) + 1, number) if part[0].isdigit() else (0, part) for part, number in numbers]


def _size(value: str) -> int:
    match = re.fullmatch(r"\s*(\d+)\s*([kmgt]b)?\s*", value, re.ASCII | re.IGNORECASE)
    if not match:
        raise ValueError(f"{value!r} is no number (of bytes, or with kb, mb, gb, tb)")
    return int(match[1]) * _UNITS[(match[2] or "").lower()]


def _lint(values: Values) -> str:
    check, wanted = values["check"], values.get("value")
    if check in ("exists", "not_exists"):
        return ""
    if wanted is None:
        return f"the check {check!r} needs the parameter 'value'"
    try:
        if check in ("like", "not_like"):
            regex(wanted)
        elif check in COMPARISONS and values["attribute"] in _NUMBERS:
            _size(wanted)
    except ValueError as error:
        return str(error)
    return ""


TRIGGERS = (
    Trigger(
        "metadata",
        "attribute",
        _attribute,
        (
            Parameter("attribute", choice(*_ATTRIBUTES), required=True),
            Parameter("check", choice(*_CHECKS), required=True),
            Parameter("value", text),
        ),
        _lint,
        needs=lambda values: (_PARTS.get(values["attribute"], Part.IMAGE),),
    ),
)
