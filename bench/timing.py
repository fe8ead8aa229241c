"""Timing whole processes: the operating system's own account of each, peers in turn with ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

Command = Callable[[int], Sequence[str]]
"""Makes the command of one run; the number lets each run use names of its own."""


class BenchFailed(Exception):
    """A command that is timed did not do its work."""


@dataclass(frozen=True)
class Sample:
    """One run. wall, cpu: seconds; memory: bytes, of the largest single process."""

    wall: float
    cpu: float
    memory: int


@dataclass(frozen=True)
class Figures:
    """Medians over the runs of a command."""

    wall: float
    cpu: float
    memory: int
    runs: int

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Figures:
        """Return the medians."""
        return cls(
            wall=median(sample.wall for sample in samples),
            cpu=median(sample.cpu for sample in samples),
            memory=int(median(sample.memory for sample in samples)),
            runs=len(samples),
        )


def run(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Sample:
    """Run a command to its end. Raises BenchFailed with the end of its output when it fails."""
    launcher = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launcher.py")), str(log)]
    done = subprocess.run(
        [*launcher, *command], env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    code, wall, cpu, memory = json.loads(done.stdout)
    if code:
        tail = log.read_text(errors="replace")[-600:]
        raise BenchFailed(f"{' '.join(command)} ended with {code}:\n{tail}")
    return Sample(wall, cpu, memory)


def in_turn(
    ours: Command, peer: Command | None, *, runs: int, environment: Mapping[str, str], log: Path, warm_up: bool = True
) -> tuple[Figures, Figures | None]:
    """Run ours and the peer's in turn, so that a machine whose speed drifts is fair to both."""
    samples: tuple[list[Sample], list[Sample]] = ([], [])
    for number in range(-1 if warm_up else 0, runs):
        for command, kept in zip((ours, peer), samples, strict=True):
            if command is None:
                continue
            sample = run(command(number), environment, log)
            if number >= 0:
                kept.append(sample)
    return Figures.of(samples[0]), Figures.of(samples[1]) if peer else None
