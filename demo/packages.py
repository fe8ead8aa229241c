"""Packages for the demo's images, from the registries that this machine is set up for."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import IO

import requests

from demo.narrator import DemoFailed

DEFAULT_NPM = "https://registry.npmjs.org"


def python_packages(directory: Path, *requirements: str) -> None:
    """Install wheels into a directory, which becomes an image's site-packages."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:"]
    done = subprocess.run(
        [*command, "--target", str(directory), *requirements], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DemoFailed(f"pip install {' '.join(requirements)} failed: {done.stderr[-500:]}")


def npm_package(directory: Path, name: str, version: str) -> None:
    """Unpack an npm package into `node_modules`, as npm would; npm itself need not be there."""
    registry = os.environ.get("npm_config_registry", DEFAULT_NPM).rstrip("/")  # noqa: SIM112 - npm's own name
    facts = requests.get(f"{registry}/{name}/{version}", timeout=60)
    facts.raise_for_status()
    dist = facts.json()["dist"]
    tarball = requests.get(dist["tarball"], timeout=60)
    tarball.raise_for_status()
    algorithm, _, expected = dist["integrity"].partition("-")
    if base64.b64encode(hashlib.new(algorithm, tarball.content).digest()).decode() != expected:
        raise DemoFailed(f"{name} {version} does not have the integrity that the registry states")
    target = directory / name
    with tarfile.open(fileobj=io.BytesIO(tarball.content)) as tar:
        for member in tar:
            member.name = member.name.partition("/")[2]
            if member.name and member.isfile():
                _write(target, member.name, tar.extractfile(member))


def _write(directory: Path, name: str, content: IO[bytes] | None) -> None:
    """Write a member of an archive. (Debian 12's Python has none of `tarfile`'s filters.)"""
    path = directory / name
    if content is None or not path.resolve().is_relative_to(directory.resolve()):
        raise DemoFailed(f"a package holds {name}, which is no file of its own")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.read())
