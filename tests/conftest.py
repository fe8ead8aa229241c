"""Servers for the integration tests: real ones, on loopback, a set for each test worker."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.docker import Engine
from lab.notary import Notary
from lab.pki import Pki
from lab.registry import Registry

SHARED = Path(__file__).parents[1].parent / "shared"
"""Reference data that a developer's machine and CI have, and a plain clone has not."""


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference data beside the checkout; tests that need it are skipped where it is not."""
    if not SHARED.is_dir():
        pytest.skip("the reference data is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def work_dir() -> Iterator[Path]:
    """A directory with a short path, as sockets want it."""
    with tempfile.TemporaryDirectory(prefix="ig-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture(scope="session")
def pki(work_dir: Path) -> Pki:
    return Pki(work_dir / "pki")


@pytest.fixture(scope="session")
def registry(work_dir: Path, pki: Pki) -> Iterator[Registry]:
    """A registry with TLS and no login."""
    yield from _registry(work_dir, pki, "registry")


@pytest.fixture(scope="session")
def staging_registry(registry: Registry) -> Registry:
    """Where images are before the gate."""
    return registry


@pytest.fixture(scope="session")
def trusted_registry(work_dir: Path, pki: Pki) -> Iterator[Registry]:
    """Another registry: where the gate promotes into."""
    yield from _registry(work_dir, pki, "trusted")


def _registry(work_dir: Path, pki: Pki, name: str) -> Iterator[Registry]:
    from lab.packages import ensure

    ensure("docker-registry")
    with Registry(work_dir / name, pki, name=name) as server:
        yield server


@pytest.fixture(scope="session")
def notary(work_dir: Path, pki: Pki) -> Iterator[Notary]:
    """notary-server and notary-signer."""
    from lab.packages import ensure

    ensure("notary", "notary-server", "notary-signer")
    with Notary(work_dir / "notary", pki) as server:
        yield server


@pytest.fixture(scope="session")
def docker_engine(work_dir: Path) -> Iterator[Engine]:
    """A Docker engine; `.host` is what DOCKER_HOST would be."""
    from lab.docker import docker_engine
    from lab.packages import ensure

    ensure("dockerd")
    with docker_engine(work_dir / "docker") as engine:
        yield engine
