"""The advisory database: filling it, and asking it about an image. Alone: `python -m bench advisories`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from bench.advisory_data import write
from bench.cases import IMAGEGATE, ROOT, Bench, Case, Goal, fixed
from bench.timing import Command

_RATE = 20_000
"""Records that an import is to take in a second of a core."""
MATCH = str(Path(__file__).with_name("match_stage.py"))


def advisories(bench: Bench) -> Iterator[Case]:
    """The advisory database: filling it, and asking it about an image."""
    data = ROOT / ".work" / "bench" / "advisories"
    write(data)
    with (data / "many.jsonl").open("rb") as file:
        records = sum(1 for _ in file)
    database = bench.work / "advisories.sqlite"

    def importing(source: Path) -> Command:
        def make(_: int) -> list[str]:
            database.unlink(missing_ok=True)
            return ["env", f"IMAGEGATE_ADVISORIES_DATABASE={database}", IMAGEGATE, "db", "import", str(source)]

        return make

    yield Case("db import, the shared data", importing(data / "real"), None, goals=(Goal(absolute=20),), runs=3)
    many = importing(data / "many.jsonl")
    yield Case(f"db import, {records:,} records", many, None, goals=(Goal(absolute=records / _RATE),), runs=3)
    yield from _updates(bench, data)
    yield Case(
        "match 1,000 packages, a process",
        fixed(sys.executable, MATCH, str(database), str(data / "packages.json")),
        None,
        goals=(Goal(absolute=0.6),),
        runs=9,
    )


def _updates(bench: Bench, data: Path) -> Iterator[Case]:
    updated = bench.work / "updated.sqlite"
    command = (IMAGEGATE, "db", "update", "pypi", "go", "--from", str(data / "mirror"))
    update = ("env", f"IMAGEGATE_ADVISORIES_DATABASE={updated}", *command)
    yield Case("db update, nothing new", fixed(*update), None, goals=(Goal(absolute=1),), runs=9)
