"""The order of versions, asked of the tools that define it: one process for all the pairs."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.packages import ensure

PROGRAMS = Path(__file__).parent / "programs"
"""Each reads a pair a line, parted by a tab, and writes `<`, `=`, `>` or, for what the tool refuses, `!`."""

MAVEN = "3.9.9"

Pair = tuple[str, str]


def compare(command: Sequence[str | Path], pairs: Sequence[Pair]) -> list[str]:
    """Return the answers of a program, one for each pair."""
    text = "".join(f"{left}\t{right}\n" for left, right in pairs)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    answers = done.stdout.split()
    assert len(answers) == len(pairs), done.stderr[-2000:]
    return answers


def maven_artifact(directory: Path) -> Path:
    """Return Maven's jar with the order of versions: the one in Maven's own cache, else a copy in a directory."""
    ensure("mvn", "javac")
    name = f"maven-artifact-{MAVEN}.jar"
    cached = Path.home() / ".m2" / "repository" / "org" / "apache" / "maven" / "maven-artifact" / MAVEN / name
    if cached.is_file():
        return cached
    copy = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
    command = ["mvn", "-q", "-B", copy, f"-Dartifact=org.apache.maven:maven-artifact:{MAVEN}"]
    subprocess.run([*command, f"-DoutputDirectory={directory}"], cwd=directory, check=True, timeout=300)
    return directory / name
