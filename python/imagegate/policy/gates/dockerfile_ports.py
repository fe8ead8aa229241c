"""The trigger `exposed_ports` of the gate `dockerfile`."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from imagegate.dockerfile import Instruction
from imagegate.errors import BuildError
from imagegate.policy.gates.dockerfile_lines import lines, skipped
from imagegate.policy.gates.parameter import Values
from imagegate.policy.gates.trigger import Hit, Scope
from imagegate.policy.guess import guess

_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(\w+))?", re.ASCII)


class _Port(msgspec.Struct, frozen=True):
    """An exposed port, or range of ports. word: as written."""

    word: str
    first: int
    last: int
    line: int = 0

    @property
    def protocol(self) -> str:
        return self.word.partition("/")[2] or "tcp"


def _ports(scope: Scope) -> list[_Port]:
    """Return what the config exposes and what the Dockerfile does: its wording, where both name a port."""
    dockerfile = scope.facts.dockerfile
    words: list[tuple[str, int]] = []
    if dockerfile:
        for instruction, value in _resolved(scope):
            words += [(word, instruction.line) for word in value.split()]
    else:
        guessed = guess(scope.facts.analysis.config)
        words += [(word, 0) for line in guessed.instructions if line.name == "EXPOSE" for word in line.text.split()]
    words += [(word, 0) for word in sorted(scope.facts.analysis.config.runtime.exposed_ports or ())]
    ports: dict[tuple[int, int, str], _Port] = {}
    for word, line in words:
        match = _PORT.fullmatch(word.strip("\"'").lower())
        if match:
            port = _Port(match[0], int(match[1]), int(match[2] or match[1]), line)
            ports.setdefault((port.first, port.last, port.protocol), port)
    return _without_parts(list(ports.values()))


def _resolved(scope: Scope) -> Iterator[tuple[Instruction, str]]:
    """Yield the EXPOSE instructions of the built image; a variable that cannot be known is known to the config."""
    dockerfile = scope.facts.dockerfile
    try:
        for instruction, value in dockerfile.resolved({}) if dockerfile else ():
            if instruction.name == "EXPOSE":
                yield instruction, value.text
    except BuildError as error:
        scope.undecided("dockerfile", f"the Dockerfile cannot be read: {error}")


def _without_parts(ports: list[_Port]) -> list[_Port]:
    """Drop single ports that a written range covers: the config lists every one of them."""
    ranges = [port for port in ports if port.first != port.last]
    return [
        port
        for port in ports
        if port in ranges or not any(r.first <= port.first <= r.last and r.protocol == port.protocol for r in ranges)
    ]


def exposed_ports(scope: Scope, values: Values) -> Iterator[Hit]:
    if skipped(scope, values):
        return
    if scope.engine:
        yield from _engine_ports(scope, values)
        return
    listed, ports = values["ports"], _ports(scope)
    denying = values["type"] == "blacklist"
    if 0 in listed and ports:
        label = "DENIEDPORTS" if denying else "ALLOWEDPORTS"
        words = [port.word for port in ports]
        yield Hit(
            f"Dockerfile exposes network ports but policy sets {label}=0: {words}",
            line=ports[0].line,
            fix="Remove the EXPOSE instructions.",
        )
        return
    for number in listed if denying else ():
        for port in ports:
            if port.first <= number <= port.last:
                word = port.word if port.first == port.last else str(number)
                yield _denied_port(word, port.line)
    for port in () if denying else ports:
        if any(number not in listed for number in range(port.first, min(port.last, 65535) + 1)):
            yield _unlisted_port(port.word, port.line)


def _denied_port(word: str, line: int) -> Hit:
    return Hit(
        f"Dockerfile exposes port ({word}) which is in policy file DENIEDPORTS list",
        line=line,
        fix=f"Remove EXPOSE {word}; if a base image exposes it, build on another.",
    )


def _unlisted_port(word: str, line: int) -> Hit:
    return Hit(
        f"Dockerfile exposes port ({word}) which is not in policy file ALLOWEDPORTS list",
        line=line,
        fix=f"Remove EXPOSE {word}, or have the port added to the policy.",
    )


def _engine_ports(scope: Scope, values: Values) -> Iterator[Hit]:
    for line in lines(scope):
        if line.name != "EXPOSE":
            continue
        words = line.value.split()
        listed = [str(number) for number in values["ports"]]
        if values["type"] == "blacklist":
            for port in listed:
                word = next((word for word in (port, f"{port}/tcp", f"{port}/udp") if word in words), None)
                if word:
                    yield _denied_port(word, line.line)
        else:
            allowed = {word for port in listed for word in (port, f"{port}/tcp", f"{port}/udp")}
            for word in words:
                if word not in allowed:
                    yield _unlisted_port(word, line.line)
