"""The connection to a Docker engine, by the `docker` library: where it is, and how TLS is done, as `docker` has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import docker
from docker.utils import kwargs_from_env

from imagegate.settings import Docker


@contextmanager
def connect(settings: Docker) -> Iterator[docker.APIClient]:
    """Yield a client of the engine at `docker.host`, else of the environment's (DOCKER_HOST, DOCKER_TLS_VERIFY, ...).

    Raises what the docker library raises: DockerException, requests' RequestException.
    """
    kwargs = kwargs_from_env()
    if settings.host:
        kwargs = {**kwargs, "base_url": settings.host}
    client = docker.APIClient(**kwargs, version="auto", timeout=round(settings.timeout))
    try:
        yield client
    finally:
        client.close()
