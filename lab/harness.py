"""The harness of `tests/groovy`, which runs pipelines on the real CPS transformer, as a command."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.packages import ensure

DIRECTORY = Path(__file__).parents[1] / "tests" / "groovy"


def harness() -> Sequence[str]:
    """Return the command that takes a scenario and a result file; the harness is built where that was not done yet."""
    ensure("mvn", "javac")
    with (DIRECTORY / "pom.xml").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = DIRECTORY / "target" / "classpath.txt"
        sources = [DIRECTORY / "pom.xml", *(DIRECTORY / "src" / "main").rglob("*.*")]
        if not stamp.exists() or stamp.stat().st_mtime < max(file.stat().st_mtime for file in sources):
            command = ["mvn", "-q", "-B", "package", "-DskipTests"]
            subprocess.run(command, cwd=DIRECTORY, check=True, stdout=sys.stderr, timeout=600)
            stamp.touch()
    pom = (DIRECTORY / "pom.xml").read_text()
    opened = pom.partition("<cps.opens>")[2].partition("</cps.opens>")[0].split()
    classes = f"{DIRECTORY / 'target' / 'classes'}:{stamp.read_text().strip()}"
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *opened, "-cp", classes, "org.imagegate.cps.Main"]
