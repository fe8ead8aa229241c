"""Debian packages that the lab runs on, installed where they are missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from lab.process import LabError

COMMANDS = {
    "docker-registry": "docker-registry",
    "notary": "notary",
    "notary-server": "notary",
    "notary-signer": "notary",
    "dockerd": "docker.io",
    "debootstrap": "debootstrap",
    "clamscan": "clamav",
    "clamd": "clamav-daemon",
    "skopeo": "skopeo",
    "npm": "npm",
}
"""Command to the package that has it."""


def ensure(*commands: str) -> None:
    """Install the packages of commands that are not there. Raises LabError when that takes root and we are not."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"
    missing = sorted({COMMANDS[command] for command in commands if not shutil.which(command, path=path)})
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
