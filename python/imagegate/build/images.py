"""Which images a build takes in, and putting others in their place. Pure: text in, text out.

Every image whose bytes can reach the result counts: `FROM image`, `COPY --from=image` and `RUN --mount=from=image`.
(Dockerfile reference; stages are found by name, in COPY by number too, as BuildKit's dockerfile2llb does.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

import msgspec

from imagegate.dockerfile import Dockerfile, Instruction, Stage, expand, parse
from imagegate.errors import BuildError
from imagegate.image.reference import parse_platform
from imagegate.model import Platform

SCRATCH = "scratch"


class Kind(StrEnum):
    """The instruction that takes an image in."""

    FROM = "FROM"
    COPY = "COPY --from"
    MOUNT = "RUN --mount"


class ImageUse(msgspec.Struct, frozen=True):
    """An image that a Dockerfile takes in. line: of its instruction; written: as it stands there; name: expanded.

    platform: the one that the build takes of it; platform_written: its `--platform`, empty when there is none.
    final: whether the stage that is built last stands on it.
    """

    kind: Kind
    line: int
    written: str
    name: str
    platform: Platform
    platform_written: str = ""
    final: bool = False


class Replacement(msgspec.Struct, frozen=True):
    """What to write in place of a use's image, and of its platform where platform is not None."""

    use: ImageUse
    name: str
    platform: Platform | None = None


def images(
    dockerfile: Dockerfile,
    build_args: Mapping[str, str],
    *,
    target: str,
    platform: Platform,
    build_platform: Platform | None = None,
) -> tuple[ImageUse, ...]:
    """Return the images of all stages up to the target (empty: the last), in the order of the Dockerfile.

    platform: what is built for; build_platform: what is built on, the same by default.
    Raises BuildError for a Dockerfile that builds nothing, an unknown target, or a name that has no value.
    """
    last = _target(dockerfile, target)
    values = dockerfile.arguments({**_platform_arguments(platform, build_platform or platform), **build_args})
    found: list[ImageUse] = []
    parents: list[int | None] = []
    uses_of: dict[int, ImageUse] = {}
    for stage in dockerfile.stages[: last + 1]:
        earlier = {other.name.lower(): other.index for other in dockerfile.stages[: stage.index] if other.name}
        use = _from(dockerfile, stage, values, platform)
        parents.append(earlier.get(use.name.lower()))
        if parents[-1] is None and use.name != SCRATCH:
            uses_of[stage.index] = use
            found.append(use)
        found += _taken_in(stage, earlier, use.platform)
    bottom = last
    while (parent := parents[bottom]) is not None:
        bottom = parent
    final = uses_of.get(bottom)
    return tuple(msgspec.structs.replace(use, final=True) if use is final else use for use in found)


def _target(dockerfile: Dockerfile, target: str) -> int:
    """Return the index of the stage that is built: by name or number, the last by default."""
    if not dockerfile.stages:
        raise BuildError("the Dockerfile has no FROM")
    if not target:
        return len(dockerfile.stages) - 1
    for stage in dockerfile.stages:
        if target.lower() == stage.name.lower() or target == str(stage.index):
            return stage.index
    names = ", ".join(stage.name for stage in dockerfile.stages if stage.name) or "none"
    raise BuildError(f"the Dockerfile has no stage {target!r}", hint=f"Its named stages: {names}.")


def _platform_arguments(target: Platform, build: Platform) -> dict[str, str]:
    """Return the arguments that need no ARG. (Dockerfile reference, "Automatic platform ARGs in the global scope".)"""
    return {
        f"{prefix}{suffix}": value
        for prefix, platform in (("TARGET", target), ("BUILD", build))
        for suffix, value in (
            ("PLATFORM", str(platform)),
            ("OS", platform.os),
            ("ARCH", platform.architecture),
            ("VARIANT", platform.variant),
        )
    }


def _from(dockerfile: Dockerfile, stage: Stage, values: Mapping[str, str], platform: Platform) -> ImageUse:
    def expanded(word: str) -> str:
        expansion = expand(word, values, dockerfile.escape)
        text = expansion.text.replace('"', "").replace("'", "")
        if not text:
            missing = ", ".join(expansion.missing) or "it"
            raise BuildError(
                f"line {stage.line}: FROM {stage.base}: {missing} has no value",
                hint="Give it with --build-arg NAME=VALUE.",
            )
        return text

    name = expanded(stage.base)
    own = parse_platform(expanded(stage.platform)) if stage.platform else platform
    return ImageUse(Kind.FROM, stage.line, stage.base, name, own, stage.platform)


def _taken_in(stage: Stage, earlier: Mapping[str, int], platform: Platform) -> Iterator[ImageUse]:
    for instruction in stage.instructions[1:]:
        for kind, source in _sources(instruction):
            if "$" in source:
                raise BuildError(
                    f"line {instruction.line}: {kind}={source}: no variables are expanded here",
                    hint="Make it a stage, FROM image AS name, and take from that.",
                )
            numbered = kind is Kind.COPY and source.isdecimal()
            if numbered and int(source) >= stage.index:
                raise BuildError(f"line {instruction.line}: {kind}={source}: there is no such stage before this one")
            if not numbered and source.lower() not in earlier:
                yield ImageUse(kind, instruction.line, source, source.strip("\"'"), platform)


def _sources(instruction: Instruction) -> Iterator[tuple[Kind, str]]:
    for flag in instruction.flags:
        name, _, value = flag.partition("=")
        if instruction.name in ("COPY", "ADD") and name.lower() == "--from":
            yield Kind.COPY, value
        elif instruction.name == "RUN" and name.lower() == "--mount":
            for option in value.strip("\"'").split(","):
                key, _, source = option.partition("=")
                if key.strip().lower() == "from" and source.strip():
                    yield Kind.MOUNT, source.strip()


def rewrite(text: str, replacements: Iterable[Replacement]) -> str:
    """Return a Dockerfile's text with images replaced where they are used; every other byte stays as it is.

    Raises BuildError when an image does not stand in one piece (a name that is continued on the next line).
    """
    lines = text.split("\n")
    starts = [instruction.line for instruction in parse(text).instructions]
    for replacement in replacements:
        use = replacement.use
        end = next((start - 1 for start in starts if start > use.line), len(lines))
        new = _written(use, replacement.name)
        _replace_word(lines, use.line - 1, end, _written(use, use.written), new, use)
        if replacement.platform is not None and use.platform_written:
            old = f"--platform={use.platform_written}"
            _replace_word(lines, use.line - 1, end, old, f"--platform={replacement.platform}", use)
    return "\n".join(lines)


def _written(use: ImageUse, name: str) -> str:
    return {Kind.FROM: name, Kind.COPY: f"--from={name}", Kind.MOUNT: f"from={name}"}[use.kind]


def _replace_word(lines: list[str], start: int, end: int, old: str, new: str, use: ImageUse) -> None:
    """Replace the first `old` that stands alone in the instruction's lines; comments between them do not count."""
    before, after = (
        (r"(?<=[,=\"'])", r"(?=[\s,\"']|\Z)") if use.kind is Kind.MOUNT else (r"(?<!\S)", r"(?=[\\`]?\s|[\\`]?\Z)")
    )
    word = re.compile(before + re.escape(old) + after)
    for number in range(start, end):
        if number > start and lines[number].lstrip().startswith("#"):
            continue
        lines[number], count = word.subn(lambda _: new, lines[number], count=1)
        if count:
            return
    raise BuildError(f"line {use.line}: {use.written} cannot be replaced", hint="Write the image's name in one piece.")
