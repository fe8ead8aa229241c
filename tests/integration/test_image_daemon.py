"""Images of a real Docker engine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagegate.errors import ImageNotFound, NetworkError
from imagegate.image.daemon import DaemonSource
from imagegate.image.inflate import open_layer
from imagegate.image.resolve import resolve
from imagegate.model import DaemonRef, PlatformImage
from imagegate.settings import Docker, Limits
from lab.docker import Engine

NAME = "daemon-test:1"


class Local:
    """Builds into the engine, and reads out of it."""

    def __init__(self, engine: Engine, directory: Path) -> None:
        self.engine, self.directory = engine, directory

    def docker(self, *words: str, stdin: str = "") -> None:
        command = ["docker", "-H", self.engine.host, *words]
        environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
        subprocess.run(command, input=stdin.encode(), check=True, capture_output=True, env=environment)

    def build(self, label: str) -> None:
        self.docker("build", "-t", NAME, "-", stdin=f"FROM scratch\nLABEL which={label}\nWORKDIR /{label}\n")

    def source(self, name: str = NAME) -> DaemonSource:
        return DaemonSource(DaemonRef(name), self.directory, Docker(host=self.engine.host), Limits())


def look(source: Any) -> PlatformImage:
    return resolve(source, platform=None, all_platforms=False, limits=Limits()).images[0]


def drain(source: DaemonSource, image: PlatformImage) -> list[bytes]:
    tars = []
    for layer in image.layers:
        with open_layer(source, layer, Limits()) as stream:
            tars.append(stream.read())
    return tars


@pytest.fixture
def local(docker_engine: Engine, tmp_path: Path) -> Iterator[Local]:
    local = Local(docker_engine, tmp_path / "engine")
    local.build("first")
    yield local
    subprocess.run(["docker", "-H", docker_engine.host, "rmi", "-f", NAME], capture_output=True, check=False)


def test_a_name_that_moves_meanwhile_changes_nothing(local: Local) -> None:
    with local.source() as source:
        source.resolve()
        local.build("second")
        image = look(source)
    assert image.config.runtime.labels == {"which": "second"}, "each look is a new one"
    with local.source() as source:
        image = look(source)
        local.build("first")
        (layer,) = drain(source, image)
    assert b"second" in layer


def test_what_was_exported_is_removed_and_what_it_taught_is_kept(local: Local) -> None:
    with local.source() as source:
        first = look(source)
        drain(source, first)
        assert list(local.directory.glob("*.tar"))
    assert not list(local.directory.glob("*.tar"))
    with local.source() as source:
        assert look(source) == first
        assert not list(local.directory.glob("*.tar")), "a known image is not exported again to be resolved"


def test_an_export_that_a_dead_process_left_is_removed(local: Local) -> None:
    local.directory.mkdir()
    left = local.directory / "left.tar"
    left.write_bytes(b"x")
    os.utime(left, (0, 0))
    with local.source() as source:
        look(source)
    assert not left.exists()


def test_an_image_that_is_not_there_is_told(local: Local) -> None:
    with local.source("nobody:1") as source, pytest.raises(ImageNotFound, match="nobody:1"):
        source.resolve()


def test_an_engine_that_is_not_there_is_told(tmp_path: Path) -> None:
    host = f"unix://{tmp_path}/none.sock"
    source = DaemonSource(DaemonRef(NAME), tmp_path, Docker(host=host), Limits())
    with pytest.raises(NetworkError, match=r"none\.sock cannot be used"):
        source.resolve()
