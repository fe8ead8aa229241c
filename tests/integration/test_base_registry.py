"""From a base in a real registry to a proved application: verified, built on by a real engine, proved from layers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import pytest

from imagegate.build.builder import BuildRequest, BuiltImage
from imagegate.build.docker import DockerBuilder
from imagegate.dockerfile import parse
from imagegate.errors import AuthenticationFailed, NotTrusted
from imagegate.http.client import HttpClient
from imagegate.http.credentials import CredentialStore
from imagegate.image.daemon import DaemonSource
from imagegate.image.layout import LayoutSource
from imagegate.image.reference import parse as parse_reference
from imagegate.image.resolve import resolve
from imagegate.model import (
    BaseProof,
    BaseStatus,
    Digest,
    LayoutRef,
    Platform,
    RegistryRef,
    Repository,
    Target,
    VerifiedTarget,
)
from imagegate.progress import NoProgress
from imagegate.registry.repository import TrustedRepository
from imagegate.registry.source import RegistrySource
from imagegate.settings import Docker, Host, Http, Limits, Trusted
from imagegate.trust.base import prove_base, verify_bases
from lab.docker import Engine
from lab.pki import Pki
from lab.registry import Registry
from tests.images import Layout

AMD64 = Platform("linux", "amd64")
LOGIN = ("puller", "s3cret-of-the-puller")


class World:
    """A registry that asks for a login and has a CA of its own, an engine, and signatures by decree."""

    def __init__(self, directory: Path, registry: Registry, engine: Engine) -> None:
        self.directory, self.host, self.engine = directory, registry.host, engine
        self.layout = Layout(directory / "layout")
        self.said: list[str] = []
        self.signed: list[VerifiedTarget] = []
        self.built: list[str] = []
        self.client = docker.APIClient(base_url=engine.host, version="auto")
        (directory / "context").mkdir()
        environ = {
            "IMAGEGATE_REGISTRY_HOST": registry.host,
            "IMAGEGATE_REGISTRY_USER": LOGIN[0],
            "IMAGEGATE_REGISTRY_PASSWORD": LOGIN[1],
        }
        self.hosts = {registry.host: Host(ca_file=str(registry.ca_file))}
        self.http = HttpClient(Http(), self.hosts, CredentialStore(environ))

    def push(self, name: str, tag: str, descriptor: dict[str, Any]) -> Digest:
        """Copy an image of the layout into the registry, tag and sign it."""
        digest = Digest(descriptor["digest"])
        self.layout.name(descriptor, digest)
        repository = Repository(self.host, name)
        destination = TrustedRepository(repository, self.http, Limits())
        with LayoutSource(LayoutRef(str(self.layout.path), digest), Limits()) as source:
            image = resolve(source, platform=AMD64, all_platforms=True, limits=Limits())
            destination.copy(source, image, NoProgress())
            destination.tag(image.root, tag)
        self.signed.insert(0, VerifiedTarget(repository, Target(tag, digest, descriptor["size"]), "targets/releases"))
        return digest

    def targets(self, repository: Repository, *, roles: Sequence[str] = ()) -> tuple[VerifiedTarget, ...]:
        return tuple(each for each in self.signed if each.repository == repository)

    def verify(self, repository: Repository, tag: str, *, digest: Digest | None = None, **rest: Any) -> VerifiedTarget:
        found = next((each for each in self.targets(repository) if each.target.name == tag), None)
        if not found:
            raise NotTrusted(f"{repository}:{tag} is not signed")
        return found

    def open(self, reference: RegistryRef) -> RegistrySource:
        return RegistrySource(reference, self.http, Limits())

    def build(self, text: str) -> BuiltImage:
        bases = verify_bases(
            parse(text),
            build_args={},
            target="",
            platform=AMD64,
            trusted=Trusted(registry=self.host),
            verifier=self,  # type: ignore[arg-type]
            open_source=self.open,
        )
        builder = DockerBuilder(Docker(host=self.engine.host), self.open, Limits())
        built = builder.build(BuildRequest(self.directory / "context", text, bases, AMD64), self.said.append)
        self.built.append(built.id)
        return built

    def prove(self, name: str) -> BaseProof:
        reference: Any = parse_reference(f"docker-daemon:{name}")
        with DaemonSource(reference, self.directory, Docker(host=self.engine.host), Limits()) as source:
            image = resolve(source, platform=AMD64, all_platforms=False, limits=Limits()).images[0]
        return prove_base(
            image,
            trusted=Trusted(registry=self.host),
            verifier=self,  # type: ignore[arg-type]
            open_source=self.open,
        )


@pytest.fixture
def world(tmp_path: Path, pki: Pki, docker_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    with Registry(tmp_path / "registry", pki, name="bases", login=LOGIN) as registry:
        world = World(tmp_path, registry, docker_engine)
        yield world
        for image in reversed(world.built):
            with suppress(docker.errors.ImageNotFound):
                world.client.remove_image(image, force=True)
        world.client.close()


@pytest.fixture
def base(world: World) -> dict[str, Any]:
    """A multi-platform base."""
    amd64 = world.layout.image([{"base": str(world.directory)}, {"etc/more": "1"}])
    arm64 = world.layout.image([{"base": "arm64"}], architecture="arm64")
    return world.layout.index([("arm64", arm64), ("amd64", amd64)])


def test_a_build_on_a_private_base_that_the_engine_cannot_pull_is_proved(world: World, base: dict[str, Any]) -> None:
    digest = world.push("bases/debian", "12", base)
    built = world.build(f"FROM {world.host}/bases/debian:12\nLABEL a=1\nUSER app\n")
    assert any("the engine cannot pull it" in line and "loading it" in line for line in world.said)
    assert not any(LOGIN[1] in line for line in world.said)
    proof = world.prove(built.id)
    assert proof == BaseProof(BaseStatus.PROVED, f"{world.host}/bases/debian:12", digest, "targets/releases", layers=2)


def test_the_engine_pulls_with_the_users_docker_login(world: World, base: dict[str, Any]) -> None:
    world.push("bases/debian", "12", base)
    config = world.directory / "docker"
    config.mkdir()
    basic = base64.b64encode(":".join(LOGIN).encode()).decode()
    (config / "config.json").write_text(json.dumps({"auths": {world.host: {"auth": basic}}}))
    built = world.build(f"FROM {world.host}/bases/debian:12\nUSER app\n")
    assert not any("cannot pull" in line for line in world.said)
    assert world.prove(built.id).status is BaseStatus.PROVED


def test_a_tag_that_moves_in_the_registry_changes_nothing(world: World, base: dict[str, Any]) -> None:
    digest = world.push("bases/debian", "12", base)
    evil = world.layout.image([{"evil": "1"}])
    world.push("bases/debian", "12", evil)
    world.signed = [each for each in world.signed if each.target.digest == digest]
    built = world.build(f"FROM {world.host}/bases/debian:12\nUSER app\n")
    assert built.bases[0].digest == digest
    assert world.prove(built.id).digest == digest


def test_a_label_on_another_image_is_found_out(world: World, base: dict[str, Any]) -> None:
    digest = world.push("bases/debian", "12", base)
    world.push("bases/other", "1", world.layout.image([{"other": str(world.directory)}]))
    built = world.build(f"FROM {world.host}/bases/other:1\nUSER app\n")
    container = world.client.create_container(built.id, command=["none"])["Id"]
    forged = world.client.commit(
        container,
        changes=[
            f"LABEL org.opencontainers.image.base.name={world.host}/bases/debian:12",
            f"LABEL org.opencontainers.image.base.digest={digest}",
        ],
    )["Id"]
    world.client.remove_container(container)
    world.built.append(forged)
    assert world.prove(forged).status is BaseStatus.WRONG_LAYERS


def test_a_registry_that_refuses_us_is_no_verdict(world: World, base: dict[str, Any]) -> None:
    world.push("bases/debian", "12", base)
    built = world.build(f"FROM {world.host}/bases/debian:12\nUSER app\n")
    world.http = HttpClient(Http(), world.hosts, CredentialStore({"HOME": str(world.directory)}))
    with pytest.raises(AuthenticationFailed):
        world.prove(built.id)
