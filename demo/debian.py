"""A Debian root to build the base image from: debootstrap, from the mirror that apt uses here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from demo.narrator import DemoFailed

SUITE = "bookworm"
_DROPPED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/lib/apt/lists",
    "var/cache/apt",
    "var/log",
)
"""Left out, so that the demo takes minutes rather than many."""


def mirror() -> str:
    """Return where apt gets Debian from on this machine."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(CODENAME)"], capture_output=True, text=True, check=False
    )
    sites = [line.split()[0] for line in done.stdout.splitlines() if line.endswith(f" {SUITE}")]
    return sites[0] if sites else "http://deb.debian.org/debian"


def bootstrap(directory: Path, archive: Path) -> None:
    """Make a minimal Debian in a directory, and an archive of it. Takes root, and about half a minute."""
    _run("debootstrap", "--variant=minbase", SUITE, str(directory), mirror())
    for name in _DROPPED:
        for path in (directory / name).glob("*"):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    _run("tar", "-C", str(directory), "-c", "-f", str(archive), "--numeric-owner", "--exclude=./dev/*", ".")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoFailed(f"{command[0]} failed: {(done.stdout + done.stderr)[-800:]}")
