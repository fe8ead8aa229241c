"""Matching as a process: the packages of an image with an advisory database. For `make bench`.

python match_stage.py DATABASE PACKAGES [RUNS]

Prints the seconds that each run took, in one process.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from imagegate.cli.main import leave
from imagegate.model import Distro, Package, PackageType
from imagegate.vulnerability.database import AdvisoryDatabase
from imagegate.vulnerability.matcher import match


def main() -> None:
    """Match."""
    database, listed, *runs = sys.argv[1:]
    packages = [
        Package(name, version, PackageType(kind), f"pkg:{kind}/{name}@{version}")
        for kind, name, version in json.loads(Path(listed).read_bytes())
    ]
    for _ in range(int(runs[0]) if runs else 1):
        begin = time.perf_counter()
        with AdvisoryDatabase(Path(database)) as opened:
            report = match(packages, Distro("debian", "12"), opened)
        print(f"{time.perf_counter() - begin:.4f} {len(report.vulnerabilities)}")


if __name__ == "__main__":
    main()
    leave(0)
