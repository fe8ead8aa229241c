"""`make bench`: measure, print the ratios against the goals, write `bench/results.json`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.advisories import advisories
from bench.cases import COMMAND, ROOT, Case, Goal, fixed, open_bench
from bench.jobs import jobs
from bench.library import library
from bench.subjects import build
from bench.timing import Figures, in_turn
from lab.packages import ensure

SUITES = (*COMMAND, library, jobs, advisories)


def main() -> int:
    """Measure all suites, or those that are named. Always returns 0: a missed goal is a figure, not a failure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Times and memory beside the peers.")
    parser.add_argument("suites", nargs="*", choices=[[], *(suite.__name__ for suite in SUITES)], help="default: all")
    wanted = parser.parse_args().suites
    ensure("dockerd", "docker-registry", "notary", "notary-server", "notary-signer", "skopeo", "debootstrap")
    subjects = build(ROOT / ".work" / "bench")
    rows: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory(prefix="igb-", ignore_cleanup_errors=True) as name,
        open_bench(Path(name) / "w", subjects) as bench,
    ):
        start = fixed(sys.executable, "-c", "pass")
        python, _ = in_turn(start, None, runs=9, environment=bench.environment, log=bench.work / "log")
        for suite in SUITES:
            if wanted and suite.__name__ not in wanted:
                continue
            print(f"\n{suite.__doc__}", flush=True)
            for case in suite(bench):
                peer = case.peer if not case.needs or _has(case.needs) else None
                figures = in_turn(
                    case.ours,
                    peer,
                    runs=case.runs,
                    environment=bench.environment,
                    log=bench.work / "log",
                    warm_up=case.warm_up,
                )
                row = _row(case, *figures, python)
                rows.append(row)
                print(_line(row), flush=True)
            _write(rows)
    if not wanted:
        rows += _inside()
        rows += _recheck()
        _write(rows)
    missed = [row["case"] for row in rows for goal in row["goals"] if goal["met"] is False]
    print(f"\nwritten: bench/results.json; goals missed: {'; '.join(dict.fromkeys(missed)) or 'none'}")
    return 0


def _inside() -> list[dict[str, Any]]:
    """Measure what happens inside one process, against the goals of the evaluator."""
    print("\nInside one process.", flush=True)
    done = subprocess.run([sys.executable, "-m", "bench.inside"], cwd=ROOT, capture_output=True, check=True)
    figures = json.loads(done.stdout)
    goals = (
        ("evaluate", "50 rules on 1,000 packages and 50,000 files", "s", figures["evaluate"] <= 0.1, "at most 0.1"),
        ("decode", "that image's analysis", "s", figures["decode"] <= 0.15, "at most 0.15"),
        ("match", "1,000 packages with 200,000 rows of advisories", "s", figures["match"] <= 0.15, "at most 0.15"),
        ("search", "contents for secrets", "bytes/s", figures["search"] >= 200e6, "at least 2e+08"),
    )
    rows = []
    for name, what, unit, met, limit in goals:
        print(f"  {name} {what}\n      {figures[name]:.3g} {unit}; goal: {limit}: {'met' if met else 'MISSED'}")
        goal = {"of": unit, "limit": limit, "met": met}
        rows.append({"case": f"{name} {what}", "runs": 5, "ours": {unit: figures[name]}, "goals": [goal]})
    return rows


def _recheck() -> list[dict[str, Any]]:
    """Measure the inventory and the re-check of a fleet of 10,000 images."""
    print("\nThe inventory of 10,000 images, and 50 new advisories on it.", flush=True)
    done = subprocess.run([sys.executable, "-m", "bench.recheck"], cwd=ROOT, capture_output=True, check=True)
    figures = json.loads(done.stdout)
    rows = []
    for name, goal, what in (
        ("delta, s", "delta goal, s", "recheck: 50 new advisories, all images hit"),
        ("full, s", "full goal, s", "recheck --full: all images evaluated"),
        ("query, s", "query goal, s", "query: which images have log4j-core before 2.17"),
        ("one recorded, s", "recorded goal, s", "record a promotion on a known base"),
        ("one recorded on a new base, s", "recorded goal, s", "record a promotion on a new base"),
        ("inventory, MB", "inventory goal, MB", "the inventory's file"),
    ):
        unit = name.rpartition(", ")[2]
        met = figures[name] <= figures[goal]
        print(
            f"  {what}\n      {figures[name]:g} {unit}; goal: at most {figures[goal]:g}: {'met' if met else 'MISSED'}"
        )
        goals = [{"of": unit, "limit": f"at most {figures[goal]:g}", "met": met}]
        rows.append({"case": what, "runs": 5, "ours": {unit: figures[name]}, "goals": goals})
    return rows


def _has(program: str) -> bool:
    import shutil

    return program in ("syft", "docker trust") or shutil.which(program) is not None


def _row(case: Case, ours: Figures, peer: Figures | None, python: Figures) -> dict[str, Any]:
    row: dict[str, Any] = {"case": case.name, "runs": ours.runs, "ours": _figures(ours)}
    if peer:
        row["peer"] = _figures(peer)
        row["ratio"] = {of: round(_value(ours, of, case, python) / _value(peer, of), 3) for of in ("wall", "memory")}
    row["goals"] = [_judged(goal, case, ours, peer, python) for goal in case.goals]
    return row


def _judged(goal: Goal, case: Case, ours: Figures, peer: Figures | None, python: Figures) -> dict[str, Any]:
    value = _value(ours, goal.of, case, python)
    if goal.absolute is not None:
        return {"of": goal.of, "at most": goal.absolute, "met": value <= goal.absolute}
    if goal.more is not None and peer:
        return {"of": goal.of, "more at most": goal.more, "met": value - _value(peer, goal.of) <= goal.more}
    if peer is None:
        return {"of": goal.of, "ratio at most": goal.ratio, "met": None}
    assert goal.ratio is not None
    return {"of": goal.of, "ratio at most": goal.ratio, "met": value <= goal.ratio * _value(peer, goal.of)}


def _value(figures: Figures, of: str, case: Case | None = None, python: Figures | None = None) -> float:
    if of == "memory":
        return float(figures.memory)
    own = python.wall if case and python and case.less_python else 0.0
    return figures.wall - own


def _figures(figures: Figures) -> dict[str, Any]:
    return {"wall": round(figures.wall, 4), "cpu": round(figures.cpu, 4), "memory": figures.memory}


def _line(row: dict[str, Any]) -> str:
    text = f"  {row['case']}\n      {row['ours']['wall']:.3f} s, {row['ours']['memory'] / 1e6:.0f} MB"
    if "peer" in row:
        text += f"; peer {row['peer']['wall']:.3f} s, {row['peer']['memory'] / 1e6:.0f} MB"
        text += f"; ratio {row['ratio']['wall']:.2f}, memory {row['ratio']['memory']:.2f}"
    for goal in row["goals"]:
        limits = {"ratio at most": "ratio {:g}", "at most": "{:g}", "more at most": "{:g} more than the peer"}
        limit = next(text.format(goal[key]) for key, text in limits.items() if key in goal)
        word = {True: "met", False: "MISSED", None: "no peer here"}[goal["met"]]
        text += f"\n      goal: {goal['of']} at most {limit}: {word}"
    return text


def _write(rows: list[dict[str, Any]]) -> None:
    """Write the figures; those of cases that were not measured now stay as they are."""
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "kernel": platform.release().split("-")[0]}
    file = ROOT / "bench" / "results.json"
    before = json.loads(file.read_text())["results"] if file.exists() else []
    merged = {row["case"]: row for row in (*before, *rows)}
    file.write_text(json.dumps({"machine": machine, "results": list(merged.values())}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
