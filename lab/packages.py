"""Debian packages that the lab runs on, installed where they are missing."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab.process import LabError

COMMANDS = {
    "docker-registry": "docker-registry",
    "notary": "notary",
    "notary-server": "notary",
    "notary-signer": "notary",
    "docker": "docker.io",
    "dockerd": "docker.io",
    "debootstrap": "debootstrap",
    "clamscan": "clamav",
    "clamd": "clamav-daemon",
    "skopeo": "skopeo",
    "npm": "npm",
    "mvn": "maven",
    "javac": "default-jdk-headless",
    "busybox": "busybox-static",
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
    "composer": "composer",
    "rpm": "rpm",
    "ruby": "ruby",
    "pg_createcluster": "postgresql",
}
"""Command to the package that has it."""


def ensure(*commands: str) -> None:
    """Install the packages of commands that are not there. Raises LabError when that takes root and we are not."""
    if not _missing(commands):
        return
    # Test workers may come here at once, and apt's own locks make the second fail in place of waiting.
    with Path(tempfile.gettempdir(), "imagegate-lab-packages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(_missing(commands))


def _missing(commands: Sequence[str]) -> list[str]:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"
    return sorted({COMMANDS[command] for command in commands if not shutil.which(command, path=path)})


def _install(missing: list[str]) -> None:
    if not missing:
        return
    if os.geteuid() != 0:
        raise LabError(f"these Debian packages are missing: {' '.join(missing)}; install them, or run as root")
    print(f"installing Debian packages: {' '.join(missing)}", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *missing]):
        done = subprocess.run(["apt-get", *arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"apt-get {arguments[0]} failed:\n{done.stdout[-800:]}{done.stderr[-800:]}")


if __name__ == "__main__":
    ensure(*sys.argv[1:])
