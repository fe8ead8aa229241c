"""Record the orders of versions of tools that the tests do not run: they are too heavy, or no Debian package.

`python -m tests.authorities.record NAME` writes `tests/data/versions/NAME.txt`. Each line is versions that the tool
calls equal, the lowest first; lines that begin with `!` are what it refuses. That each pair is in that order has been
asked of the tool. What it takes stands at each of `TOOLS`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cmp_to_key
from pathlib import Path

from tests.authorities import PROGRAMS, cases, compare

Command = Sequence[str | Path]
COUNT = 4000
VALID, REFUSED_ONES = 320, 100
"""How many of them are kept."""
REFUSED = "!"


def read(name: str) -> tuple[list[list[str]], list[str]]:
    """Return the groups of equal versions, ascending, and what the tool refuses."""
    lines = (cases.DATA / f"{name}.txt").read_text(encoding="utf-8").split("\n")
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [row for row in rows if row[0] != REFUSED], [row[1] for row in rows if row[0] == REFUSED]


def go(directory: Path) -> Command:
    """Go 1.22 or newer, for `go/version`, and the module proxy."""
    _run(directory, "go", "mod", "init", "compare")
    _run(directory, "go", "get", "golang.org/x/mod@v0.22.0")
    _run(directory, "go", "build", "-o", "compare", _copied(directory, "compare.go"))
    return [directory / "compare"]


def nuget(directory: Path) -> Command:
    """Debian's mono-mcs and mono-runtime, npm, and its package nuget-exe, which is Microsoft's nuget.exe 5.8.0."""
    _run(directory, "npm", "install", "--no-save", "--prefix", str(directory), "nuget-exe@5.8.0")
    _run(directory, "mcs", "-out:compare.exe", str(PROGRAMS / "Compare.cs"))
    return ["mono", directory / "compare.exe", directory / "node_modules" / "nuget-exe" / "nuget-5.8.0.exe"]


def hex_pm(directory: Path) -> Command:
    """Debian's elixir: Hex compares by Elixir's own `Version`."""
    return ["elixir", PROGRAMS / "compare.exs"]


def crates(directory: Path) -> Command:
    """cargo and crates.io, for the crate `semver`, by which Cargo itself compares."""
    _run(directory, "cargo", "init", "--name", "compare", "--vcs", "none")
    _run(directory, "cargo", "add", "semver@1.0.23")
    (directory / "src" / "main.rs").write_bytes((PROGRAMS / "compare.rs").read_bytes())
    _run(directory, "cargo", "build", "--quiet")
    return [directory / "target" / "debug" / "compare"]


def apk(directory: Path) -> Command:
    """apk-tools 3: a build of its src/version.c that reads and answers as the programs do, named by $APK_COMPARE, else
    `apk version`, which takes a process for each pair.
    """
    own = os.environ.get("APK_COMPARE")
    return [own] if own else ["sh", PROGRAMS / "compare-apk.sh"]


SEMVER = [*"0019aZ..-+", "-0", ".0", "-rc", "-a", "+b", "00", "-1"]
TOOLS: dict[str, tuple[Callable[[Path], Command], list[str]]] = {
    "go": (go, [*SEMVER, "v", "+incompatible", "-0.20220314234659-1baeb1ce4c0b"]),
    "toolchain": (go, [*"0129.", ".0", "rc", "rc1", "beta2", "alpha", "-x", ".21", ".20", "a"]),
    "nuget": (nuget, [*SEMVER, " ", "A", "2147483647", "2147483648", "-5", "é", ".1.1"]),
    "hex": (hex_pm, SEMVER),
    "crates": (crates, SEMVER),
    "apk": (
        apk,
        [*"0019a..-_r", "_p1", "_rc", "_alpha2", "_git20200101", "-r1", "00", "b", "~ab12", ".05", "_pre1_hg2"],
    ),
}
START = {"toolchain": "go"}
"""What each version begins with, which is not varied."""


def main(names: Sequence[str]) -> None:
    for name in names:
        prepare, tokens = TOOLS[name]
        with tempfile.TemporaryDirectory() as directory:
            versions = cases.variants(cases.real(name), tokens, COUNT)
            text = record(prepare(Path(directory)), [START.get(name, "") + version for version in versions])
        tool = " ".join((prepare.__doc__ or "").split())
        header = f"# Recorded by tests/authorities/record.py. What answered: {tool}\n"
        (cases.DATA / f"{name}.txt").write_text(header + text, encoding="utf-8")


def record(command: Command, versions: Sequence[str]) -> str:
    selves = compare(command, [(version, version) for version in versions])
    valid = [version for version, answer in zip(versions, selves, strict=True) if answer == "="][:VALID]
    refused = [version for version, answer in zip(versions, selves, strict=True) if answer == REFUSED][:REFUSED_ONES]
    asked = [(left, right) for left in valid for right in valid]
    answers = dict(zip(asked, compare(command, asked), strict=True))

    def order(left: str, right: str) -> int:
        return "<=>".index(answers[left, right]) - 1

    ascending = sorted(valid, key=cmp_to_key(order))
    groups: list[list[str]] = []
    for version in ascending:
        if groups and answers[groups[-1][-1], version] == "=":
            groups[-1].append(version)
        else:
            groups.append([version])
    place = {version: index for index, group in enumerate(groups) for version in group}
    for (left, right), answer in answers.items():
        assert answer == ("<=>"[(place[left] > place[right]) - (place[left] < place[right]) + 1]), (left, right)
    lines = ["\t".join(group) for group in groups] + [f"{REFUSED}\t{version}" for version in refused]
    return "\n".join(lines) + "\n"


def _copied(directory: Path, program: str) -> str:
    (directory / program).write_bytes((PROGRAMS / program).read_bytes())
    return program


def _run(directory: Path, *command: str) -> None:
    subprocess.run(command, cwd=directory, check=True, stdout=subprocess.DEVNULL, timeout=300)


if __name__ == "__main__":
    main(sys.argv[1:] or list(TOOLS))
