"""Reading Dockerfiles as BuildKit does: logical lines, heredocs, stages, variables. Shared by policies and builds.

What is read follows BuildKit's `frontend/dockerfile/parser` and `shell/lex.go` and the Dockerfile reference: parser
directives, comments and empty lines inside continued lines, `--flag`s, heredocs, `${VAR:-word}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import takewhile

import msgspec

from imagegate.errors import BuildError

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*\Z")
_DIRECTIVES = ("syntax", "escape", "check")
_FLAG = re.compile(r"""--[a-z](?:"[^"]*"|'[^']*'|[^\s"'])*(?:\s+|\Z)""", re.IGNORECASE)
_WORD = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+""", re.DOTALL)
_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)\Z")
_TAKES_HEREDOC = re.compile(r"(?:ONBUILD\s+)?(?:ADD|COPY|RUN)\b", re.IGNORECASE)
_STAGE = re.compile(r"(\S+)(?:\s+AS\s+(\S+))?\Z", re.IGNORECASE)
_MAX_NESTING = 50
_MAX_EXPANSION = 1024**2
_PAIR = re.compile(r"""([A-Za-z_][\w.-]*)=((?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])*)""", re.DOTALL)


class Instruction(msgspec.Struct, frozen=True):
    """One instruction. name: upper case; line: its first, from 1; text: all after the name, continued lines joined.

    flags: the leading `--name=value` words; value: text without them; heredocs: their bodies, in order.
    """

    name: str
    text: str
    line: int
    value: str
    flags: tuple[str, ...] = ()
    heredocs: tuple[str, ...] = ()

    def flag(self, name: str) -> str:
        """Return the value of `--name=value`, empty when it is not given."""
        return next((flag.partition("=")[2] for flag in self.flags if flag.partition("=")[0] == f"--{name}"), "")


class Stage(msgspec.Struct, frozen=True):
    """A build stage. base: the image or stage as written, without flags and `AS`; platform: its `--platform`.

    parent: the index of the earlier stage that base names, None when base is an image. The FROM is instructions[0].
    """

    index: int
    name: str
    base: str
    platform: str
    parent: int | None
    line: int
    instructions: tuple[Instruction, ...]


class Expansion(msgspec.Struct, frozen=True):
    """A word with its variables replaced; missing: the variables that have no value (they count as empty)."""

    text: str
    missing: tuple[str, ...] = ()


class Dockerfile(msgspec.Struct, frozen=True, dict=True):
    """A parsed Dockerfile. text: as it was given; escape: its escape character. Made by `parse`."""

    text: str
    instructions: tuple[Instruction, ...]
    stages: tuple[Stage, ...]
    escape: str = "\\"

    def arguments(self, build_args: Mapping[str, str]) -> dict[str, str]:
        """Return the values that FROM lines see: ARGs before the first FROM, build_args first.

        build_args may also hold the predefined ones (`TARGETARCH` …), which need no ARG there.
        """
        values = dict(build_args)
        for instruction in takewhile(lambda instruction: instruction.name != "FROM", self.instructions):
            for name, default in assignments(instruction.value):
                if default is not None:
                    values.setdefault(name, expand(default, values, self.escape).text)
        return values

    def image(self, stage: Stage, build_args: Mapping[str, str]) -> Expansion:
        """Return the reference that a stage is FROM, variables replaced."""
        return expand(stage.base, self.arguments(build_args), self.escape)

    @cached_property
    def final_stages(self) -> tuple[Stage, ...]:
        """The stages that the built image is made of: the last one, before it those that it is FROM, base first."""
        chain: list[Stage] = []
        index: int | None = len(self.stages) - 1 if self.stages else None
        while index is not None:
            chain.insert(0, self.stages[index])
            index = self.stages[index].parent
        return tuple(chain)

    def resolved(self, build_args: Mapping[str, str]) -> Iterator[tuple[Instruction, Expansion]]:
        """Yield every instruction of the final image with its value, variables replaced as that line sees them."""
        arguments = self.arguments(build_args)
        environment: dict[str, str] = {}
        for stage in self.final_stages:
            local: dict[str, str] = {}
            for instruction in stage.instructions[1:]:
                expansion = expand(instruction.value, {**local, **environment}, self.escape)
                yield instruction, expansion
                if instruction.name == "ENV":
                    environment.update((name, value or "") for name, value in assignments(expansion.text))
                elif instruction.name == "ARG":
                    for name, default in assignments(expansion.text):
                        value = build_args.get(name, arguments.get(name) if default is None else default)
                        local |= {} if value is None else {name: value}


def parse(text: str) -> Dockerfile:
    """Parse a Dockerfile. Raises BuildError, with the line, for what BuildKit would refuse to read."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    escape = _escape(lines)
    instructions = tuple(_instructions(lines, escape))
    return Dockerfile(text, instructions, _stages(instructions), escape)


def _escape(lines: list[str]) -> str:
    """Return the escape character: directives count only at the very top, before any other line."""
    for number, line in enumerate(lines, 1):
        match = _DIRECTIVE.match(line.strip())
        if not match or match[1].lower() not in _DIRECTIVES:
            break
        if match[1].lower() == "escape":
            if match[2] not in ("\\", "`"):
                raise BuildError(f"line {number}: the escape character is {match[2]!r}", hint="It is \\ or `.")
            return match[2]
    return "\\"


def _instructions(lines: list[str], escape: str) -> Iterator[Instruction]:
    continued = re.compile(rf"(?:(?<!{re.escape(escape)})|\A){re.escape(escape)}[ \t]*\Z")
    at = 0
    while at < len(lines):
        line = lines[at].lstrip()
        start, at = at + 1, at + 1
        if not line or line.startswith("#"):
            continue
        logical = [continued.sub("", line)]
        while continued.search(line) and at < len(lines):
            following = lines[at]
            at += 1
            if following.strip() and not following.lstrip().startswith("#"):
                line = following
                logical.append(continued.sub("", line))
        joined = "".join(logical).strip()
        if not joined:
            continue
        heredocs, at = _heredocs(joined, lines, at, start)
        yield _instruction(joined, start, heredocs)


def _instruction(logical: str, line: int, heredocs: list[str]) -> Instruction:
    name, _, text = logical.partition(" ") if " " in logical else logical.partition("\t")
    if "\t" in name:
        name, _, text = logical.partition("\t")
    text = text.strip()
    flags: list[str] = []
    value = text
    while match := _FLAG.match(value):
        flags.append(match[0].strip())
        value = value[match.end() :]
    return Instruction(name.upper(), text, line, value, tuple(flags), tuple(heredocs))


def _heredocs(logical: str, lines: list[str], at: int, start: int) -> tuple[list[str], int]:
    """Read the heredocs that a logical line opens; the exec form (JSON) opens none."""
    if not _TAKES_HEREDOC.match(logical) or re.match(r"\S+\s+\[", logical):
        return [], at
    bodies: list[str] = []
    for word in _WORD.findall(logical):
        match = _HEREDOC.match(word)
        if not match:
            continue
        end = re.sub(r"""["'\\]""", "", match[2])
        body: list[str] = []
        while True:
            if at >= len(lines):
                raise BuildError(f"line {start}: the heredoc {end!r} has no end")
            line = lines[at].lstrip("\t") if match[1] else lines[at]
            at += 1
            if line == end:
                break
            body.append(line)
        bodies.append("\n".join(body))
    return bodies, at


def _stages(instructions: tuple[Instruction, ...]) -> tuple[Stage, ...]:
    starts = [index for index, instruction in enumerate(instructions) if instruction.name == "FROM"]
    stages: list[Stage] = []
    names: dict[str, int] = {}
    for index, (start, end) in enumerate(zip(starts, [*starts[1:], len(instructions)], strict=False)):
        instruction = instructions[start]
        match = _STAGE.match(instruction.value)
        if not match:
            raise BuildError(
                f"line {instruction.line}: FROM takes an image and perhaps `AS name`, not {instruction.text!r}"
            )
        base, name = match[1], match[2] or ""
        parent = names.get(base.lower())
        body = instructions[start:end]
        stages.append(Stage(index, name, base, instruction.flag("platform"), parent, instruction.line, body))
        if name:
            names[name.lower()] = index
    return tuple(stages)


def assignments(value: str) -> Iterator[tuple[str, str | None]]:
    """Yield the names and values of an ARG or ENV, quotes kept out; a name alone has the value None."""
    if not re.match(r"[A-Za-z_][\w.-]*=", value):
        name, _, rest = value.partition(" ")
        if not rest:
            yield name, None
            return
        if "=" not in rest.split()[0]:
            yield name, rest.strip()  # the old form, ENV name value
            return
    for word in _WORD.findall(value):
        match = _PAIR.fullmatch(word)
        yield (match[1], _unquote(match[2])) if match else (word, None)


def _unquote(word: str) -> str:
    def plain(match: re.Match[str]) -> str:
        if match[0][0] == "'":
            return match[0][1:-1]
        return re.sub(r"\\(.)", r"\1", match[0][1:-1] if match[0][0] == '"' else match[0])

    return re.sub(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.""", plain, word)


def expand(word: str, variables: Mapping[str, str], escape: str = "\\") -> Expansion:
    """Replace `$NAME`, `${NAME}`, `${NAME:-word}` and `${NAME:+word}` (and both without the colon).

    Single quotes and the escape character keep a `$` as it is; quotes stay in the text. (BuildKit, shell/lex.go.)
    Raises BuildError for a modifier that is none of these, and for what grows without measure.
    """
    text, at, quote = "", 0, ""
    missing: list[str] = []
    while at < len(word):
        char = word[at]
        if char == escape and at + 1 < len(word) and quote != "'":
            text += word[at + 1] if word[at + 1] == "$" else word[at : at + 2]
            at += 2
            continue
        if char in "'\"" and quote in ("", char):
            quote = "" if quote else char
        elif char == "$" and quote != "'":
            replaced, at = _variable(word, at, variables, escape)
            text += replaced.text
            missing += replaced.missing
            if len(text) > _MAX_EXPANSION:
                raise BuildError(f"a value with its variables replaced is longer than {_MAX_EXPANSION} characters")
            continue
        text += char
        at += 1
    return Expansion(text, tuple(dict.fromkeys(missing)))


def _variable(word: str, at: int, variables: Mapping[str, str], escape: str) -> tuple[Expansion, int]:
    plain = re.compile(r"\$(\w+)", re.ASCII).match(word, at)
    if plain:
        name = plain[1]
        return Expansion(variables.get(name, ""), () if name in variables else (name,)), plain.end()
    braced = re.compile(r"\$\{(\w+)", re.ASCII).match(word, at)
    if not braced:
        return Expansion("$"), at + 1
    name, end = braced[1], _closing(word, braced.end())
    modifier = re.match(r"(:?[-+?])(.*)\Z", word[braced.end() : end], re.DOTALL)
    if end > braced.end() and not modifier:
        raise BuildError(f"{word[at : end + 1]!r} has a modifier that is not supported", hint="Supported: :- :+ - +")
    has = bool(variables.get(name)) if modifier and modifier[1][0] == ":" else name in variables
    if modifier and modifier[1][-1] == "+":
        return (expand(modifier[2], variables, escape) if has else Expansion("")), end + 1
    if has or not modifier:
        return Expansion(variables.get(name, ""), () if name in variables else (name,)), end + 1
    if modifier[1][-1] == "?":
        raise BuildError(f"{name} has no value", why=modifier[2])
    return expand(modifier[2], variables, escape), end + 1


def _closing(word: str, at: int) -> int:
    depth = 1
    for index in range(at, len(word)):
        depth += {"{": 1, "}": -1}.get(word[index], 0)
        if not depth:
            return index
        if depth > _MAX_NESTING:
            raise BuildError(f"variables are nested more than {_MAX_NESTING} deep")
    raise BuildError(f"{word!r} has a ${{ that is not closed")
