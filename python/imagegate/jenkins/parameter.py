"""Parameters of the steps of the Jenkins library: their kinds, and reading the values that a Jenkinsfile gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

_BETWEEN = re.compile(r"[ \t\r\n,]+")
"""What is between the values in one text. Other white space, which nobody sees, is an error of the value."""


class Kind(StrEnum):
    """What a value must be. The words stand in the tables of the help."""

    TEXT = "text"
    TEXTS = "texts"
    FLAG = "true or false"
    NUMBER = "number"
    MAP = "map"
    IMAGES = "list of maps"
    CREDENTIALS = "credentials id"
    CLOSURE = "closure"


class Parameter(msgspec.Struct, frozen=True):
    """One parameter of a step.

    help: one line of the table. option: the command's option that it becomes; empty with `positional` false: the step
    itself uses it. variable: the environment variable that a value is taken from where none is given. choices: the
    only values. words: whether one text holds several values, apart by white space or commas.
    """

    name: str
    kind: Kind
    help: str
    option: str = ""
    positional: bool = False
    required: bool = False
    default: str = ""
    variable: str = ""
    choices: tuple[str, ...] = ()
    words: bool = False


def read(step: str, parameters: tuple[Parameter, ...], given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the values by name, and what is wrong with them, a line each. A null stands for a value not given."""
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {}
    problems = [_unknown(step, name, known) for name in given if name not in known]
    for name, value in given.items():
        if value is None or name not in known:
            continue
        try:
            values[name] = _READERS[known[name].kind](known[name], value)
        except ValueError as error:
            problems.append(f"{step}: {name} must be {error}")
    problems += [
        f"{step}: {parameter.name} is missing: {parameter.help}"
        for parameter in parameters
        if parameter.required and (given.get(parameter.name) is None or values.get(parameter.name) in ("", []))
    ]
    return values, problems


def _unknown(step: str, name: str, known: Mapping[str, Parameter]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), {each.lower() for each in known}, n=1, cutoff=0.6)
    right = next((each for each in known if near and each.lower() == near[0]), "")
    hint = f"did you mean {right!r}?" if right else f"It takes {', '.join(known)}."
    return f"{step}: there is no parameter {name!r}; {hint}"


def _text(parameter: Parameter, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"a text, not {_described(value)}")
    if isinstance(value, float):
        raise ValueError(f"a text, not the number {value}, which has lost what was written; put it in quotes")
    text = str(value)
    if "\0" in text:
        raise ValueError("a text without NUL characters")
    if parameter.choices and text not in parameter.choices:
        raise ValueError(f"one of {', '.join(parameter.choices)}, not {text!r}")
    return text


def _texts(parameter: Parameter, value: Any) -> list[str]:
    if isinstance(value, list):
        if any(isinstance(each, list | dict | bool) or each is None for each in value):
            raise ValueError("a list of texts")
        return [_text(parameter, each) for each in value]
    if isinstance(value, dict | bool):
        raise ValueError(f"a text or a list of texts, not {_described(value)}")
    text = _text(parameter, value)
    return [word for word in _BETWEEN.split(text) if word] if parameter.words else [text]


def _flag(_: Parameter, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"true or false, not {_described(value)}")
    return value


def _number(_: Parameter, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int) or not re.fullmatch(r"[0-9]{1,9}", str(value)):
        raise ValueError(f"a whole number, not {_described(value)}")
    return int(value)


def _map(parameter: Parameter, value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"a map, not {_described(value)}")
    return {name: _text(parameter, each) for name, each in value.items() if each is not None}


def _images(_: Parameter, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
        raise ValueError("a list of maps, one for each image")
    return value


def _closure(_: Parameter, value: Any) -> bool:
    if value != {"closure": True}:
        raise ValueError("a closure { … }")
    return True


def _described(value: Any) -> str:
    if value == {"closure": True}:
        return "a closure"
    words = {bool: "true or false", str: "a text", int: "a number", float: "a number", list: "a list", dict: "a map"}
    shown = f" ({str(value)[:40]!r})" if isinstance(value, str | int | float) else ""
    return words.get(type(value), "that") + shown


_READERS: Mapping[Kind, Callable[[Parameter, Any], Any]] = {
    Kind.TEXT: _text,
    Kind.TEXTS: _texts,
    Kind.FLAG: _flag,
    Kind.NUMBER: _number,
    Kind.MAP: _map,
    Kind.IMAGES: _images,
    Kind.CREDENTIALS: _text,
    Kind.CLOSURE: _closure,
}
