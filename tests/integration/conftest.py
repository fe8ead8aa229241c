"""The gate with faulty proxies before its servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.docker import Engine
from lab.notary import Notary
from lab.packages import ensure
from lab.pki import Pki
from lab.proxy import FaultProxy
from lab.registry import Registry
from tests.integration.site import LOGIN, Site
from tests.integration.world import World


@pytest.fixture
def world(tmp_path: Path, pki: Pki, registry: Registry, trusted_registry: Registry, notary: Notary) -> Iterator[World]:
    """A gate of its own: new settings, keys, cache and proxies over the shared servers."""
    certificate = pki.issue("proxy")
    files = {"ca_file": pki.ca_file, "certificate": certificate.certificate, "key": certificate.key}
    with (
        FaultProxy(f"https://{trusted_registry.host}", **files) as trusted,
        FaultProxy(notary.url, **files) as notary_proxy,
    ):
        yield World(tmp_path, pki, registry, trusted, notary_proxy, notary)


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, registry: Registry, notary: Notary, docker_engine: Engine
) -> Iterator[Site]:
    """A site whose base image was promoted by its own example."""
    ensure("docker-registry")
    directory = tmp_path_factory.mktemp("site")
    with Registry(directory / "trusted", pki, name="trusted", login=LOGIN) as trusted:
        site = Site(directory, pki, registry, trusted, notary, docker_engine)
        site.prepare()
        yield site
