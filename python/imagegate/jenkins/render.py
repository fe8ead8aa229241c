"""Writes what stands under `vars/`, `resources/` and in `docs/jenkins.md` from the catalogue of steps.

`make steps` runs it in the project's root; a test fails when they are not up to date.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from imagegate import __version__
from imagegate.jenkins.catalogue import BY_NAME, STEPS
from imagegate.jenkins.parameter import Parameter
from imagegate.jenkins.recheck_plan import SHARDS
from imagegate.jenkins.step import BINDINGS, Binding, Step, Use

_ARGUMENTS = {
    "UsernamePasswordMultiBinding": ("usernameVariable", "passwordVariable"),
    "StringBinding": ("variable",),
    "FileBinding": ("variable",),
    "ZipFileBinding": ("variable",),
}
"""Names of a binding's variables. (Credentials Binding plugin, step `withCredentials`.)

By class, not by symbol: where Pipeline Utility Steps is installed, `zip` is a step of its own, which hides the symbol.
"""

DELEGATED = "gateImage, delegated"
"""In the library's table: gateImage where another job signs. It is not given what only that job needs."""


def table() -> str:
    """Return `resources/org/imagegate/steps.json`: the version, and which credentials each step may be given."""
    steps = {step.name: _bindings(step, step.credentials) for step in STEPS}
    gate, recheck = BY_NAME["gateImage"], BY_NAME["recheckImages"]
    steps[DELEGATED] = _bindings(gate, tuple(each for each in gate.credentials if each.use is Use.READ))
    # A shard asks no registry, and tells nobody.
    shard = tuple(each for each in recheck.credentials if each.name in ("anchoreCredentials", "inventoryPassword"))
    steps[SHARDS] = _bindings(recheck, shard)
    # The plan of a pipeline needs none: the steps that it plans are given theirs.
    steps["imagePipeline"] = {}
    bindings = {
        each.name: {"$class": each.kind, **dict(zip(_ARGUMENTS[each.kind], each.variables, strict=True))}
        for each in BINDINGS
    }
    return json.dumps({"version": __version__, "bindings": bindings, "steps": steps}, indent=2) + "\n"


def _bindings(step: Step, bindings: tuple[Binding, ...]) -> dict[str, str]:
    return {each.name: each.default if step.default_bindings else "" for each in bindings}


def help_text(step: Step) -> str:
    """Return `vars/STEP.txt`. Plain lines: Jenkins's markup formatter, which it goes through, may escape all markup."""
    lines = [f"* {each.name} ({_kind(each)}): {_described(each)}".replace("`", "") for each in step.all_parameters]
    return "\n".join([step.summary, "", step.example, "", "Parameters, all by name:", *lines, ""])


def markdown(step: Step) -> str:
    """Return the step's part of `docs/jenkins.md`."""
    rows = [f"| `{each.name}` | {_kind(each)} | {_described(each)} |" for each in step.all_parameters]
    head = f"### {step.name}\n{step.summary}\n\n```groovy\n{step.example}\n```\n\n"
    return head + "| parameter | kind | meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _kind(parameter: Parameter) -> str:
    return f"{parameter.kind.value}, required" if parameter.required else parameter.kind.value


def _described(parameter: Parameter) -> str:
    text = parameter.help
    if parameter.choices:
        text += f" One of {', '.join(parameter.choices)}."
    if parameter.variable:
        text += f" Default: `${parameter.variable}`" + (f", else {parameter.default}." if parameter.default else ".")
    elif parameter.default:
        text += f" Default: {parameter.default}." if parameter.default != "." else " Default: '.'"
    return text


def files(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield each generated file and its text. root: of the project."""
    yield root / "resources/org/imagegate/steps.json", table()
    for step in STEPS:
        yield root / "vars" / f"{step.name}.txt", help_text(step)
    page = root / "docs/jenkins.md"
    steps = "\n".join(markdown(step) for step in STEPS)
    yield (
        page,
        re.sub(
            r"(?s)(<!-- steps -->\n).*(<!-- /steps -->)", lambda match: match[1] + steps + match[2], page.read_text()
        ),
    )


if __name__ == "__main__":
    for file, text in files(Path()):
        file.write_text(text)
