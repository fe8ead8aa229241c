"""The peers' programs: those on PATH, else those that were built of the Go module proxy under `.work/peers`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

WORK = Path(__file__).parents[2] / ".work" / "peers"
MODULES = {
    "grype": "github.com/anchore/grype/cmd/grype@v0.110.0",
    "osv-scanner": "github.com/google/osv-scanner/v2/cmd/osv-scanner@v2.5.0",
}
"""What is built, pinned, so that the differences which docs/peers.md explains stay the same."""


def find(name: str) -> Path | None:
    """Return the program, or None where the machine has none."""
    built = WORK / "bin" / name
    found = str(built) if built.exists() else shutil.which(name)
    return Path(found) if found else None


def ensure(name: str) -> Path | None:
    """Return the program; where there is none, build it with Go, which takes minutes. None without Go."""
    found = find(name)
    if found or not shutil.which("go"):
        return found
    print(f"building {MODULES[name]} ...", file=sys.stderr, flush=True)
    settings = {
        "GOBIN": str(WORK / "bin"),
        "GOPATH": str(WORK / "go"),
        "GOFLAGS": "-mod=mod -modcacherw",
        "CGO_ENABLED": "0",
    }
    version = MODULES[name].rpartition("@")[2]
    command = ["go", "install", "-ldflags", f"-s -w -X main.version={version}", MODULES[name]]
    subprocess.run(command, env={**os.environ, **settings}, check=True)
    return find(name)
