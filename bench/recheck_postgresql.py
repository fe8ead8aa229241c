"""How long a re-check takes on PostgreSQL, and how that grows with the fleet.

python -m bench.recheck_postgresql [DIRECTORY] [--images N]...

Fleets are made in SQLite and kept in DIRECTORY (default: .work/bench/fleet), and come into PostgreSQL by their export.
The same 50 advisories are about packages that as many images of each fleet have. Prints whole processes' seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from bench.fleet import fleet
from bench.recheck import NEW, POLICY, ROOT, advisories, run
from imagegate.inventory.export import lines
from imagegate.inventory.recording import record
from imagegate.inventory.restore import restore
from imagegate.inventory.store import Inventory
from lab.postgresql import PASSWORD, Postgresql

GOAL = 3.0


def measure(directory: Path, server: Postgresql, images: int, runs: int = 5) -> dict[str, Any]:
    """Return figures of one fleet."""
    url = server.database()
    began = time.perf_counter()
    with (
        Inventory(f"sqlite:///{_fleet(directory, images)}") as made,
        Inventory(url, PASSWORD) as inventory,
        made.reading() as connection,
    ):
        restore(inventory, lines(connection, made.revision, datetime.now(UTC)), "fleet")
    came = time.perf_counter() - began
    first, _ = run(directory, url, "old.sqlite", "--json")
    seconds: list[float] = []
    document: dict[str, Any] = {}
    for _ in range(runs):
        spent, document = run(directory, server.copy(url), "planted.sqlite", "--json")
        seconds.append(spent)
    recorded = _recorded(server.copy(url), images)
    full, of_full = run(directory, server.copy(url), "planted.sqlite", "--full", "--json")
    return {
        "images": images,
        "import, s": round(came, 1),
        "first run, s": round(first, 1),
        "new advisories": NEW,
        "images hit": len(document["images"]),
        "delta, s": round(median(seconds), 3),
        "one recorded, s": round(recorded, 4),
        "full, s": round(full, 1),
        "evaluated by full": sum(each["images"] for each in of_full["standing"]["teams"]),
    }


def _fleet(directory: Path, images: int) -> Path:
    made = directory / f"fresh-{images}.sqlite"
    if not made.exists():
        directory.mkdir(parents=True, exist_ok=True)
        with Inventory(f"sqlite:///{made.with_suffix('.part')}") as inventory:
            for promoted in fleet(images):
                record(inventory, msgspec.structs.replace(promoted, policy=POLICY.read_text()))
        made.with_suffix(".part").rename(made)
    return made


def _recorded(url: str, images: int) -> float:
    """Return the median of some promotions more."""
    seconds = []
    more = list(fleet(images + 40))[images:]
    with Inventory(url, PASSWORD) as inventory:
        for promoted in more:
            at = time.perf_counter()
            record(inventory, msgspec.structs.replace(promoted, policy=POLICY.read_text()))
            seconds.append(time.perf_counter() - at)
    return median(seconds)


def main() -> None:
    """Measure fleets, and print the ratio of the largest to the smallest."""
    parser = argparse.ArgumentParser(prog="python -m bench.recheck_postgresql", description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, default=ROOT / ".work" / "bench" / "fleet")
    parser.add_argument("--images", type=int, action="append")
    wanted = parser.parse_args()
    os.environ["IMAGEGATE_INVENTORY_PASSWORD"] = PASSWORD
    advisories(wanted.directory)
    figures = []
    with Postgresql() as server:
        for images in sorted(wanted.images or (10_000, 100_000)):
            figures.append(measure(wanted.directory, server, images))
            print(json.dumps(figures[-1], indent=2), flush=True)
    ratio = figures[-1]["delta, s"] / figures[0]["delta, s"]
    print(json.dumps({"delta, ratio": round(ratio, 2), "goal": GOAL}))


if __name__ == "__main__":
    main()
