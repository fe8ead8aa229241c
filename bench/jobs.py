"""The jobs of 300 repositories on a Jenkins that answers every request in 20 ms. Alone: `python -m bench.jobs`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from bench.cases import IMAGEGATE, ROOT, Bench, Case, Goal
from bench.timing import BenchFailed, run
from tests.fakes.jenkins import TOKEN, USER

_TEAMS, _EACH, _DELAY = 20, 15, 0.02


def jobs(bench: Bench) -> Iterator[Case]:
    """The jobs of 300 repositories, three each, on a Jenkins that answers every request in 20 ms."""
    yield from _cases(bench.work / "jobs", bench.stack, bench.environment)


class _Server:
    """The fake Jenkins."""

    def __init__(self, stack: ExitStack) -> None:
        command = [sys.executable, "-m", "bench.jenkins_server", str(_DELAY)]
        process = stack.enter_context(
            subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        assert process.stdin
        assert process.stdout
        self._in: IO[str] = process.stdin
        self._out: IO[str] = process.stdout
        stack.callback(self._in.close)
        self.url = self._out.readline().strip()

    def writes(self, tell: str = "") -> int:
        """Return how many requests wrote since the last call. tell: `empty` forgets all items."""
        self._in.write(f"{tell}\n")
        self._in.flush()
        return int(self._out.readline())


def _cases(work: Path, stack: ExitStack, environment: Mapping[str, str]) -> Iterator[Case]:
    work.mkdir(parents=True, exist_ok=True)
    server = _Server(stack)
    (work / "site.yaml").write_text(json.dumps({"hosts": {urlsplit(server.url).netloc: {"plain_http": True}}}))
    (work / "teams.yaml").write_text(json.dumps(_teams()))
    login = (f"IMAGEGATE_JENKINS_USER={USER}", f"IMAGEGATE_JENKINS_TOKEN={TOKEN}")
    settings = f"IMAGEGATE_SITE_CONFIG={work / 'site.yaml'}"
    options = ("--teams", str(work / "teams.yaml"), "--server", server.url)

    def command(verb: str, before: Callable[[], object]) -> Callable[[int], Sequence[str]]:
        def make(_: int) -> list[str]:
            before()
            return ["env", settings, *login, IMAGEGATE, "jenkins", verb, *options]

        return make

    def full() -> None:
        """Leave a Jenkins that has all, and see that an apply has nothing to write."""
        run(command("apply", lambda: None)(0), environment, work / "log")
        server.writes()
        run(command("apply", lambda: None)(0), environment, work / "log")
        if written := server.writes():
            raise BenchFailed(f"a second apply wrote {written} times")

    what = f"{_TEAMS * _EACH} repositories, 3 jobs each, 20 ms a request"
    empty = command("apply", lambda: server.writes("empty"))
    yield Case(f"jenkins apply, nothing there, {what}", empty, None, goals=(Goal(absolute=60.0),), runs=3)
    full()
    there = command("plan", lambda: None)
    yield Case(f"jenkins plan, all there, {what}", there, None, goals=(Goal(absolute=5.0),), runs=3)
    again = command("apply", lambda: None)
    yield Case(f"jenkins apply, all there, no writes, {what}", again, None, goals=(Goal(absolute=5.0),), runs=3)
    if written := server.writes():
        raise BenchFailed(f"plans and applies with nothing to do wrote {written} times")


def _teams() -> dict[str, object]:
    teams = {}
    for team in range(_TEAMS):
        repositories = [
            {
                "name": f"team-{team}/repository-{number}",
                "url": f"https://git.example.com/team-{team}/repository-{number}.git",
                "images": [{"to": f"team-{team}/repository-{number}"}],
                "scheduled": [{"name": "nightly", "cron": "H 3 * * *"}, {"name": "weekly", "cron": "H 5 * * 0"}],
            }
            for number in range(_EACH)
        ]
        teams[f"Team {team}"] = {"owners": f"team-{team}@example.com", "repositories": repositories}
    return {"teams": teams}


def main() -> None:
    """Run the cases alone, and print their times."""
    with tempfile.TemporaryDirectory(prefix="igb-") as name, ExitStack() as stack:
        work, environment = Path(name), dict(os.environ)
        for case in _cases(work, stack, environment):
            samples = [run(case.ours(number), environment, work / "log") for number in range(case.runs)]
            times = ", ".join(f"{each.wall:.2f}" for each in samples)
            print(f"{case.name}: {times} s, {samples[-1].memory / 1e6:.0f} MB; goal {case.goals[0].absolute:g} s")


if __name__ == "__main__":
    main()
