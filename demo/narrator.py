"""What a person sees: headings, the commands that are run, their own output, and a table at the end."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class DemoFailed(Exception):
    """Something was not as the demo promises."""


@dataclass
class Verdict:
    """A row of the table at the end."""

    image: str
    verdict: str
    reason: str


@dataclass
class Narrator:
    """Runs commands before an audience. environment: of each command; directory: where they run."""

    environment: Mapping[str, str]
    directory: Path
    started: float = field(default_factory=time.monotonic)
    verdicts: list[Verdict] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """Begin a chapter."""
        seconds = time.monotonic() - self.started
        print(f"\n{self._bold(f'== {text}')}  [{seconds:.0f} s]", flush=True)

    def tell(self, text: str) -> None:
        """Say something."""
        print(f"   {text}", flush=True)

    def run(self, *command: str, expect: int = 0, show: int = 40) -> str:
        """Run a command, show it and its output, and return that. Raises DemoFailed for another exit code."""
        print(f"\n{self._bold('$ ' + shlex.join(self._short(word) for word in command))}", flush=True)
        done = self._call(command)
        text = (done.stdout + done.stderr).rstrip()
        lines = text.splitlines()
        for line in lines[:show]:
            print(f"  {line}")
        if len(lines) > show:
            print(f"  ... {len(lines) - show} more lines")
        print(f"  [exit {done.returncode}]", flush=True)
        if done.returncode != expect:
            raise DemoFailed(f"{command[0]} {command[1]} ended with {done.returncode}, expected was {expect}")
        return done.stdout

    def quiet(self, *command: str) -> Any:
        """Run an imagegate command for its JSON document, unseen."""
        done = self._call((command[0], "--json", *command[1:]))
        return json.loads(done.stdout)

    def verdict(self, image: str, verdict: str, reason: str) -> None:
        """Add a row to the table."""
        self.verdicts.append(Verdict(image, verdict, reason))

    def table(self) -> None:
        """Print all verdicts."""
        width = max(len(row.image) for row in self.verdicts)
        for row in self.verdicts:
            print(f"   {row.image:{width}}  {row.verdict:8}  {row.reason}")

    def _call(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        words = (
            [sys.executable, "-m", "imagegate.cli.main", *command[1:]] if command[0] == "imagegate" else list(command)
        )
        return subprocess.run(
            words,
            cwd=self.directory,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def _short(self, word: str) -> str:
        return word.replace(f"{self.directory}/", "")

    def _bold(self, text: str) -> str:
        return f"\033[1m{text}\033[0m" if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else text
