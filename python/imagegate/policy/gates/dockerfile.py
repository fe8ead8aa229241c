"""Gate `dockerfile`: instructions, the user and the ports of the image.

The image's config is the truth about user and ports, so it is what counts; the Dockerfile (given, or guessed from the
history) says where. `compat: engine` reads the Dockerfile alone, line by line as the engine does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from imagegate.dockerfile import Dockerfile, Instruction, Stage
from imagegate.errors import BuildError
from imagegate.model import PasswdEntry
from imagegate.policy.gates.parameter import Parameter, Values, boolean, choice, numbers, regex, strings, text
from imagegate.policy.gates.trigger import Hit, Scope, Trigger
from imagegate.policy.guess import guess

_INSTRUCTIONS = [
    "ADD",
    "ARG",
    "COPY",
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "USER",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "VOLUME",
    "WORKDIR",
]
_CHECKS = ("=", "!=", "exists", "not_exists", "like", "not_like", "in", "not_in")
_PORT = re.compile(r"(\d+)(?:-(\d+))?(?:/(\w+))?", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+", re.ASCII)


class _Line(msgspec.Struct, frozen=True):
    """An instruction as rules see it. line: 0 when it was guessed."""

    name: str
    value: str
    line: int = 0


def _lines(scope: Scope) -> list[_Line]:
    """Return the instructions of all stages."""
    dockerfile = scope.facts.dockerfile
    if dockerfile is None:
        guessed = guess(scope.facts.analysis.config, engine=scope.engine)
        return [_Line(instruction.name, instruction.text) for instruction in guessed.instructions]
    if scope.engine:
        return list(_engine_lines(dockerfile.text))
    lines = [
        _Line(instruction.name, "\n".join((instruction.text, *instruction.heredocs)), instruction.line)
        for instruction in dockerfile.instructions
        if instruction.name != "FROM"
    ]
    images = [
        _Line("FROM", _image(dockerfile, stage), stage.line) for stage in dockerfile.stages if stage.parent is None
    ]
    return sorted([*lines, *images], key=lambda line: line.line)


def _image(dockerfile: Dockerfile, stage: Stage) -> str:
    try:
        return dockerfile.image(stage, {}).text
    except BuildError:
        return stage.base


def _engine_lines(dockerfile: str) -> Iterator[_Line]:
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
                yield _Line(name.upper(), buffer[len(name) :].strip(), number)
            buffer = ""


def _skipped(scope: Scope, values: Values) -> bool:
    return values.get("actual_dockerfile_only", False) and scope.facts.dockerfile is None


def _instruction(scope: Scope, values: Values) -> Iterator[Hit]:
    if _skipped(scope, values):
        return
    name, check, wanted = values["instruction"], values["check"], values.get("value", "")
    lines = [line for line in _lines(scope) if line.name == name]
    if check == "not_exists":
        if not lines:
            yield Hit(
                f"Dockerfile directive '{name}' not found, matching condition 'not_exists' check",
                fix=f"Add {'an' if name[0] in 'AEO' else 'a'} {name} instruction to the Dockerfile.",
            )
        return
    holds = _condition(check, wanted, engine=scope.engine)
    for line in lines:
        if holds(line.value):
            yield Hit(
                f"Dockerfile directive '{name}' check '{check}' matched against '{wanted}' for line '{line.value}'",
                line=line.line,
                fix=f"Change or remove this {name} instruction.",
            )


def _condition(check: str, wanted: str, *, engine: bool) -> Callable[[str], bool]:
    """In doubt a rule fires: `like` needs the beginning to match, `not_like` all. The engine: always the beginning."""
    listed = [entry.strip() for entry in wanted.split(",")]
    pattern = re.compile(wanted, re.NOFLAG if engine else re.DOTALL) if check.endswith("like") else re.compile("")
    excused = pattern.match if engine else pattern.fullmatch
    conditions: dict[str, Callable[[str], bool]] = {
        "=": lambda value: value == wanted,
        "!=": lambda value: value != wanted,
        "exists": lambda _: True,
        "like": lambda value: pattern.match(value) is not None,
        "not_like": lambda value: excused(value) is None,
        "in": lambda value: value in listed,
        "not_in": lambda value: value not in listed,
    }
    return conditions[check]


def _lint_instruction(values: Values) -> str:
    check, wanted = values["check"], values.get("value")
    if wanted is None and check not in ("exists", "not_exists"):
        return f"the check {check!r} needs the parameter 'value'"
    if wanted is not None and check.endswith("like"):
        try:
            regex(wanted)
        except ValueError as error:
            return str(error)
    return ""


def _effective_user(scope: Scope, values: Values) -> Iterator[Hit]:
    lines = [line for line in _lines(scope) if line.name == "USER"]
    listed = values["users"]
    if scope.engine:
        user = lines[-1].value.strip("[] ") if lines else "root"
        allowed = denied = user in listed
    else:
        user = scope.facts.analysis.config.runtime.user or "root"
        name, uid = _identity(user, scope.facts.users)
        others = [_identity(entry, scope.facts.users) for entry in listed]
        denied = any(name == other or (uid is not None and uid == number) for other, number in others)
        # Whoever is user 0 is root: /etc/passwd, which the image brings, cannot lend it an allowed name.
        allowed = denied if uid != 0 else not {"root", "0"}.isdisjoint(entry.partition(":")[0] for entry in listed)
    line = lines[-1].line if lines else 0
    fix = "Add `USER <name>`, not root, after the last step that needs root."
    if values["type"] == "whitelist" and not allowed:
        yield Hit(f"User {user} found as effective user, which is not on the allowed list", line=line, fix=fix)
    elif values["type"] == "blacklist" and denied:
        yield Hit(f"User {user} found as effective user, which is explicity not allowed", line=line, fix=fix)


def _identity(user: str, entries: tuple[PasswdEntry, ...]) -> tuple[str, int | None]:
    """Return the name as written, without its group, and its number. (Docker looks it up by name first.)"""
    name = user.partition(":")[0].strip()
    entry = next((entry for entry in entries if entry.name == name), None)
    number = entry.uid if entry else {"root": "0", "": "0"}.get(name, name)
    return name, int(number) if _NUMBER.fullmatch(number) else None


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


def _exposed_ports(scope: Scope, values: Values) -> Iterator[Hit]:
    if _skipped(scope, values):
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
    for line in _lines(scope):
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


def _none_provided(scope: Scope, _: Values) -> Iterator[Hit]:
    if scope.facts.dockerfile is None:
        yield Hit("Image was not analyzed with an actual Dockerfile", fix="Give the Dockerfile with --dockerfile.")


_ACTUAL_ONLY = Parameter("actual_dockerfile_only", boolean)
_LIST_TYPE = Parameter("type", choice("whitelist", "blacklist"), required=True)

TRIGGERS = (
    Trigger(
        "dockerfile",
        "instruction",
        _instruction,
        (
            Parameter("instruction", choice(*_INSTRUCTIONS), required=True),
            Parameter("check", choice(*_CHECKS), required=True),
            Parameter("value", text),
            _ACTUAL_ONLY,
        ),
        _lint_instruction,
    ),
    Trigger("dockerfile", "effective_user", _effective_user, (Parameter("users", strings, required=True), _LIST_TYPE)),
    Trigger(
        "dockerfile",
        "exposed_ports",
        _exposed_ports,
        (Parameter("ports", numbers, required=True), _LIST_TYPE, _ACTUAL_ONLY),
    ),
    Trigger("dockerfile", "no_dockerfile_provided", _none_provided),
)
