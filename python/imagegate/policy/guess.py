"""A Dockerfile guessed from an image's history and config, where nobody gave the real one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from imagegate.dockerfile import Dockerfile, Instruction
from imagegate.model import HistoryEntry, ImageConfig, RuntimeConfig

_CLASSIC = re.compile(r"/bin/sh -c #\(nop\)\s*(.*)", re.DOTALL)
_SHELL = re.compile(r"(?:\|\d+ .*?)?/bin/sh -c\s+(.*)", re.DOTALL)
_NAMED = re.compile(
    r"(ADD|ARG|COPY|CMD|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|RUN|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR)"
    r"\s+(.*)",
    re.DOTALL,
)
_MAP = re.compile(r"map\[(.*)\]\Z")


def guess(config: ImageConfig, *, engine: bool = False) -> Dockerfile:
    """Return a Dockerfile that could have led to the image; lines are 0, the FROM is `scratch`.

    The history of base images is part of it. What the config has and no step of the history says is added, except
    for engine, which reads the history alone.
    """
    instructions = [_make("FROM", "scratch")]
    instructions += [instruction for entry in config.history or () if (instruction := _step(entry, engine))]
    if not engine:
        named = {instruction.name for instruction in instructions}
        instructions += [_make(name, text) for name, text in _configured(config.runtime) if name not in named]
    text = "\n".join(f"{instruction.name} {instruction.text}" for instruction in instructions)
    return Dockerfile(text, tuple(instructions), ())


def _make(name: str, text: str) -> Instruction:
    return Instruction(name, text, 0, text)


def _step(entry: HistoryEntry, engine: bool) -> Instruction | None:
    command = (entry.created_by or "").strip()
    classic = _CLASSIC.match(command)
    named = _NAMED.match(classic[1].strip() if classic else command)
    if classic or (named and not engine):
        if not named:
            return None
        text = named[2].removesuffix("# buildkit").strip()
        if named[1] == "EXPOSE" and (ports := _MAP.match(text)):
            text = re.sub(r":\{\}", "", ports[1])
        shell = _SHELL.match(text) if named[1] == "RUN" else None
        return _make(named[1], shell[1] if shell else text)
    shell = _SHELL.match(command)
    return _make("RUN", shell[1] if shell else command) if command else None


def _configured(runtime: RuntimeConfig) -> Iterator[tuple[str, str]]:
    if runtime.user:
        yield "USER", runtime.user
    if runtime.exposed_ports:
        yield "EXPOSE", " ".join(sorted(runtime.exposed_ports))
    if runtime.env:
        yield "ENV", " ".join(runtime.env)
    if runtime.labels:
        yield "LABEL", " ".join(f"{name}={value}" for name, value in sorted(runtime.labels.items()))
    if runtime.entrypoint:
        yield "ENTRYPOINT", json.dumps(runtime.entrypoint)
    if runtime.cmd:
        yield "CMD", json.dumps(runtime.cmd)
    if runtime.healthcheck and runtime.healthcheck.test:
        yield "HEALTHCHECK", " ".join(runtime.healthcheck.test)
    if runtime.volumes:
        yield "VOLUME", json.dumps(sorted(runtime.volumes))
    if runtime.working_dir:
        yield "WORKDIR", runtime.working_dir
    if runtime.stop_signal:
        yield "STOPSIGNAL", runtime.stop_signal
