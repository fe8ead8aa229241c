"""A Docker engine: the one that answers, or one started by hand in a directory of our own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.process import LabError, Server


@dataclass(frozen=True)
class Engine:
    """host: a value for DOCKER_HOST. ours: whether the lab started it."""

    host: str
    ours: bool


@contextmanager
def docker_engine(directory: Path, *, reuse: bool = True) -> Iterator[Engine]:
    """Yield an engine: one that answers when `reuse`, else a dockerd of our own, with no bridge and no iptables."""
    named = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if reuse and _answers(named):
        yield Engine(named, ours=False)
        return
    directory.mkdir(parents=True, exist_ok=True)
    host = f"unix://{directory / 'docker.sock'}"
    if len(host) > 100:
        raise LabError(f"the path of a socket may not be as long as {host}")
    for driver in ("overlay2", "vfs"):
        server = Server(
            [
                _dockerd(),
                f"--data-root={directory / 'data'}",
                f"--exec-root={directory / 'exec'}",
                f"--pidfile={directory / 'pid'}",
                f"--host={host}",
                "--bridge=none",
                "--iptables=false",
                "--ip6tables=false",
                f"--storage-driver={driver}",
            ],
            ready=lambda: _answers(host),
            log=directory / "dockerd.log",
            stop_timeout=30,
        )
        try:
            server.start()
        except LabError:
            if driver == "vfs":
                raise
            continue
        try:
            yield Engine(host, ours=True)
        finally:
            server.stop()
            shutil.rmtree(directory / "data", ignore_errors=True)
        return


def _dockerd() -> str:
    found = shutil.which("dockerd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not found:
        raise LabError("dockerd is not installed")
    return found


def _answers(host: str) -> bool:
    if host.startswith("unix://") and not Path(host.removeprefix("unix://")).exists():
        return False
    import docker

    try:
        client = docker.DockerClient(base_url=host, timeout=5)
        try:
            return bool(client.ping())
        finally:
            client.close()
    except (docker.errors.DockerException, OSError):
        return False
