"""The instructions that rules of the gate `dockerfile` look at, given or guessed."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from imagegate.dockerfile import Dockerfile, Stage
from imagegate.errors import BuildError
from imagegate.policy.gates.parameter import Values
from imagegate.policy.gates.trigger import Scope
from imagegate.policy.guess import guess


class Line(msgspec.Struct, frozen=True):
    """An instruction as rules see it. line: 0 when it was guessed."""

    name: str
    value: str
    line: int = 0


def lines(scope: Scope) -> list[Line]:
    """Return the instructions of all stages."""
    dockerfile = scope.facts.dockerfile
    if dockerfile is None:
        guessed = guess(scope.facts.analysis.config, engine=scope.engine)
        return [Line(instruction.name, instruction.text) for instruction in guessed.instructions]
    if scope.engine:
        return list(_engine_lines(dockerfile.text))
    lines = [
        Line(instruction.name, "\n".join((instruction.text, *instruction.heredocs)), instruction.line)
        for instruction in dockerfile.instructions
        if instruction.name != "FROM"
    ]
    images = [
        Line("FROM", _image(dockerfile, stage), stage.line) for stage in dockerfile.stages if stage.parent is None
    ]
    return sorted([*lines, *images], key=lambda line: line.line)


def _image(dockerfile: Dockerfile, stage: Stage) -> str:
    try:
        return dockerfile.image(stage, {}).text
    except BuildError:
        return stage.base


def _engine_lines(dockerfile: str) -> Iterator[Line]:
    """The engine takes a literal `\\$` for a continued line, so that in practice every line is an instruction."""
    buffer = ""
    for number, raw in enumerate(dockerfile.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        buffer += line.removesuffix("\\$")
        if not line.endswith("\\$"):
            name, blank, _ = buffer.partition(" ")
            if blank:
                yield Line(name.upper(), buffer[len(name) :].strip(), number)
            buffer = ""


def skipped(scope: Scope, values: Values) -> bool:
    return values.get("actual_dockerfile_only", False) and scope.facts.dockerfile is None
