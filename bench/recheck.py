"""How long a re-check takes: 50 new advisories on a fleet of 10,000 images, and a full one.

python -m bench.recheck [DIRECTORY] [--images N] [--kills N]

DIRECTORY keeps the fleet and the advisories between runs (default: .work/bench/recheck). Prints the seconds of whole
processes as JSON. --kills: also kill that many runs at random moments, and check that all is known, and once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from bench.advisory_data import debian, records_of
from bench.fleet import fleet
from imagegate.inventory.model import Promoted
from imagegate.inventory.recording import record
from imagegate.inventory.store import Inventory
from imagegate.progress import NoProgress
from imagegate.vulnerability.importer import import_files

ROOT = Path(__file__).parents[1]
POLICY = ROOT / "policies" / "application.yaml"
NEW = 50
GOAL, FULL_GOAL, QUERY_GOAL, RECORDED_GOAL, SIZE_GOAL = 1.0, 600.0, 1.0, 0.05, 100
_COMMAND = [sys.executable, "-m", "imagegate.cli.main", "--quiet", "recheck"]


def prepare(directory: Path, images: int) -> None:
    """Make the fleet, its advisories, and the state of its first run, once."""
    advisories(directory)
    fresh, known = directory / f"fresh-{images}.sqlite", directory / f"known-{images}.sqlite"
    if not fresh.exists():
        with Inventory(f"sqlite:///{fresh.with_suffix('.part')}") as inventory:
            for promoted in fleet(images):
                record(inventory, msgspec.structs.replace(promoted, policy=POLICY.read_text()))
        _settle(fresh.with_suffix(".part"), fresh)
    if not known.exists():
        shutil.copy(fresh, known.with_suffix(".part"))
        run(directory, known.with_suffix(".part"), "old.sqlite")
        _settle(known.with_suffix(".part"), known)


def advisories(directory: Path) -> None:
    """Make the advisories, once: what was known before, with 50 new ones, and with 50 on planted packages."""
    directory.mkdir(parents=True, exist_ok=True)
    if (directory / "planted.sqlite").exists():
        return
    _import(directory, "old.sqlite", [*debian(), *records_of("osv-pypi"), *records_of("osv-go"), *_others()])
    news = {
        "new.sqlite": _new(),
        "planted.sqlite": [
            _record(f"CVE-2026-{number}", "npm", f"npm-planted-{number}", "2.0.0") for number in range(NEW)
        ],
    }
    for name, records in news.items():
        shutil.copy(directory / "old.sqlite", directory / f"{name}.part")
        _import(directory, f"{name}.part", records)
        (directory / f"{name}.part").rename(directory / name)


def measure(directory: Path, images: int, runs: int = 5) -> dict[str, Any]:
    """Return the seconds of whole processes: the best of some for the short one."""
    known, work = directory / f"known-{images}.sqlite", directory / "work.sqlite"
    short, documents = [], []
    for _ in range(runs):
        _take(known, work)
        seconds, document = run(directory, work, "new.sqlite", "--json")
        short.append(seconds)
        documents.append(document)
    _take(known, work)
    full, of_full = run(directory, work, "new.sqlite", "--full", "--json")
    _take(directory / f"fresh-{images}.sqlite", work)
    first, _ = run(directory, work, "new.sqlite", "--full", "--json")
    size = known.stat().st_size
    asked, hits = _query(directory, known)
    news = documents[0]
    return {
        "images": images,
        "inventory, MB": round(size / 1e6, 1),
        "inventory goal, MB": SIZE_GOAL,
        "one recorded, s": round(_recorded(work, list(fleet(images + 40))[images:]), 4),
        "one recorded on a new base, s": round(_recorded(work, [_elsewhere(each) for each in range(20)]), 4),
        "recorded goal, s": RECORDED_GOAL,
        "query, s": round(asked, 3),
        "query hits": hits,
        "query goal, s": QUERY_GOAL,
        "new advisories": NEW,
        "changes": len(news["changes"]),
        "images hit": len(news["images"]),
        "delta, s": round(median(short), 3),
        "delta goal, s": GOAL,
        "full, s": round(full, 2),
        "first full run, s": round(first, 2),
        "full goal, s": FULL_GOAL,
        "full evaluated": sum(each["images"] for each in of_full["standing"]["teams"]),
        "full gives the same": _same(news, of_full),
    }


def _recorded(inventory: Path, more: Sequence[Promoted]) -> float:
    """Return the median of recording promotions, in one process, after a first one."""
    seconds = []
    with Inventory(f"sqlite:///{inventory}") as opened:
        for promoted in more:
            at = time.perf_counter()
            record(opened, promoted)
            seconds.append(time.perf_counter() - at)
    return median(seconds[1:])


def _elsewhere(number: int) -> Promoted:
    """Return an image on a base that no other image has."""
    promoted = next(fleet(1, seed=1000 + number))
    return msgspec.structs.replace(promoted, digest=f"sha256:{10**12 + number:064x}", base_digest="")


def _query(directory: Path, inventory: Path) -> tuple[float, int]:
    """Return the seconds of the Log4Shell question, as a process, and how many images it names."""
    command = [*_COMMAND[:-1], "query", "package", "log4j-core", "--version", "<2.17", "--format", "json"]
    seconds = []
    for _ in range(5):
        at = time.perf_counter()
        done = subprocess.run(
            command, env=environment(directory, inventory, "old.sqlite"), capture_output=True, check=True
        )
        seconds.append(time.perf_counter() - at)
    return median(seconds), len(json.loads(done.stdout)["hits"])


def run(directory: Path, inventory: Path | str, advisories: str, *options: str) -> tuple[float, Any]:
    """Run the command on an inventory, a file or a URL; return its seconds, and its document where it was asked."""
    at = time.perf_counter()
    done = subprocess.run(
        [*_COMMAND, *options], env=environment(directory, inventory, advisories), capture_output=True, check=False
    )
    seconds = time.perf_counter() - at
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr.decode() or done.stdout.decode()[-2000:])
    return seconds, json.loads(done.stdout) if "--json" in options else None


def environment(directory: Path, inventory: Path | str, advisories: str) -> dict[str, str]:
    """Return the environment of a run."""
    url = inventory if isinstance(inventory, str) else f"sqlite:///{inventory.absolute()}"
    return {
        **os.environ,
        "IMAGEGATE_SITE_CONFIG": _empty(directory),
        "IMAGEGATE_INVENTORY_URL": url,
        "IMAGEGATE_ADVISORIES_DATABASE": str((directory / advisories).absolute()),
        "XDG_DATA_HOME": str(directory / "data"),
    }


def killed(directory: Path, images: int, kills: int, seed: int = 1) -> dict[str, Any]:
    """Kill runs at random moments; then see that the reports of those that ended tell all, and the inventory too."""
    known, work = directory / f"known-{images}.sqlite", directory / "work.sqlite"
    _take(known, work)
    _, expected = run(directory, work, "new.sqlite", "--json")
    dice, whole = random.Random(seed), 0
    _take(known, work)
    longest = max(run(directory, work, "new.sqlite", "--json")[0], 0.5)
    _take(known, work)
    for _ in range(kills):
        process = subprocess.Popen(
            [*_COMMAND, "--json"],
            env=environment(directory, work, "new.sqlite"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(dice.uniform(0.1, longest))
            whole += 1
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if whole:
            _take(known, work)
            whole = 0
    run(directory, work, "new.sqlite")
    _, all_of_it = run(directory, work, "new.sqlite", "--since", "2020-01-01", "--json")
    return {"kills": kills, "all is known, and once": _same(expected, all_of_it)}


def _same(one: Any, other: Any) -> bool:
    return _hits(one) == _hits(other)


def _hits(news: Any) -> list[tuple[str, ...]]:
    """Every finding of every image, as often as it is told."""
    changes = [(each["kind"], each["vulnerability"], each["package"], each["version"]) for each in news["changes"]]
    return sorted((image["digest"], *changes[hit["change"]]) for image in news["images"] for hit in image["hits"])


def _new() -> list[dict[str, Any]]:
    """Fifty advisories on packages that the fleet has: half of Debian, a quarter each of PyPI and npm.

    One is about a package that nearly every image has, the others are about any.
    """
    dice = random.Random(5)
    names = sorted({part["package"]["name"] for each in debian() for part in each["affected"]})
    chosen = [("Debian:12", name, "9.1-1") for name in dice.sample(names, NEW // 2)]
    chosen += [("PyPI", f"py-package-{number}", "4.3.0") for number in dice.sample(range(2000), 12)]
    chosen += [("npm", f"npm-package-{number}", "4.3.0") for number in (1, *dice.sample(range(2, 2000), 12))]
    return [_record(f"CVE-2026-{number:04}", *each) for number, each in enumerate(chosen)]


def _others() -> list[dict[str, Any]]:
    """What the fleet's other ecosystems need to be known at all."""
    return [_record(f"GHSA-0-{each}", each, "none", "1") for each in ("npm", "Maven")]


def _record(name: str, ecosystem: str, package: str, fixed: str) -> dict[str, Any]:
    events = [{"introduced": "0"}, {"fixed": fixed}]
    part = {"package": {"ecosystem": ecosystem, "name": package}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    severity = {"severity": "HIGH"}
    return {"id": name, "modified": "2026-11-23T00:00:00Z", "affected": [part], "database_specific": severity}


def _import(directory: Path, name: str, records: list[dict[str, Any]]) -> None:
    file = directory / "records.jsonl"
    file.write_text("".join(f"{json.dumps(each)}\n" for each in records))
    import_files([file], directory / name, now=datetime.now(UTC), progress=NoProgress())


def _empty(directory: Path) -> str:
    file = directory / "site.yaml"
    if not file.exists():
        file.write_text("{}\n")
    return str(file.absolute())


def _settle(part: Path, path: Path) -> None:
    """Put a finished inventory in its place."""
    part.rename(path)


def _take(source: Path, work: Path) -> None:
    for ending in ("-wal", "-shm"):
        work.with_name(work.name + ending).unlink(missing_ok=True)
    shutil.copy(source, work)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.recheck", description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, default=ROOT / ".work" / "bench" / "recheck")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=0)
    wanted = parser.parse_args()
    prepare(wanted.directory, wanted.images)
    print(json.dumps(measure(wanted.directory, wanted.images), indent=2))
    if wanted.kills:
        print(json.dumps(killed(wanted.directory, wanted.images, wanted.kills), indent=2))


if __name__ == "__main__":
    main()
