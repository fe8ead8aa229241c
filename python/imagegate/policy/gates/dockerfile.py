"""Gate `dockerfile`: instructions, the user and the ports of the image.

The image's config is the truth about user and ports, so it is what counts; the Dockerfile (given, or guessed from the
history) says where. `compat: engine` reads the Dockerfile alone, line by line as the engine does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from imagegate.model import PasswdEntry
from imagegate.policy.gates.dockerfile_lines import lines, skipped
from imagegate.policy.gates.dockerfile_ports import exposed_ports
from imagegate.policy.gates.parameter import Parameter, Values, boolean, choice, numbers, regex, strings, text
from imagegate.policy.gates.trigger import Hit, Scope, Trigger

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
_NUMBER = re.compile(r"[+-]?0*(\d{1,10})", re.ASCII)


def _instruction(scope: Scope, values: Values) -> Iterator[Hit]:
    if skipped(scope, values):
        return
    name, check, wanted = values["instruction"], values["check"], values.get("value", "")
    found = [line for line in lines(scope) if line.name == name]
    if check == "not_exists":
        if not found:
            yield Hit(
                f"Dockerfile directive '{name}' not found, matching condition 'not_exists' check",
                fix=f"Add {'an' if name[0] in 'AEO' else 'a'} {name} instruction to the Dockerfile.",
            )
        return
    holds = _condition(check, wanted, engine=scope.engine)
    for line in found:
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
    listed = values["users"]
    if scope.engine:
        found = [line for line in lines(scope) if line.name == "USER"]
        user = found[-1].value.strip("[] ") if found else "root"
        allowed = denied = user in listed
    else:
        user = scope.facts.analysis.config.runtime.user or "root"
        name, uid = _identity(user, scope.facts.users)
        others = [_identity(entry, scope.facts.users) for entry in listed]
        denied = any(name == other or (uid is not None and uid == number) for other, number in others)
        # Whoever is user 0 is root: /etc/passwd, which the image brings, cannot lend it an allowed name.
        allowed = denied if uid != 0 else not {"root", "0"}.isdisjoint(entry.partition(":")[0] for entry in listed)
    line = _user_line(scope)
    fix = "Add `USER <name>`, not root, after the last step that needs root."
    if values["type"] == "whitelist" and not allowed:
        yield Hit(f"User {user} found as effective user, which is not on the allowed list", line=line, fix=fix)
    elif values["type"] == "blacklist" and denied:
        yield Hit(f"User {user} found as effective user, which is explicity not allowed", line=line, fix=fix)


def _user_line(scope: Scope) -> int:
    """Return the line of the USER that counts, 0 when there is none: those of builder stages do not."""
    dockerfile = scope.facts.dockerfile
    stages = dockerfile.final_stages if dockerfile else ()
    users = [instruction for stage in stages for instruction in stage.instructions if instruction.name == "USER"]
    return users[-1].line if users else 0


def _identity(user: str, entries: tuple[PasswdEntry, ...]) -> tuple[str, int | None]:
    """Return the name as written, without its group, and its number. (Docker looks it up by name first.)"""
    name = user.partition(":")[0].strip()
    entry = next((entry for entry in entries if entry.name == name), None)
    number = entry.uid if entry else {"root": "0", "": "0"}.get(name, name)
    match = _NUMBER.fullmatch(number)
    return name, int(match[1]) if match else None


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
        exposed_ports,
        (Parameter("ports", numbers, required=True), _LIST_TYPE, _ACTUAL_ONLY),
    ),
    Trigger("dockerfile", "no_dockerfile_provided", _none_provided),
)
