"""Building with a real engine: exactly on verified bases, whatever the engine can pull itself."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import zstandard

from imagegate.build.builder import BuildRequest, BuiltImage
from imagegate.build.docker import DockerBuilder
from imagegate.dockerfile import parse
from imagegate.errors import BuildError, DigestMismatch, NetworkError
from imagegate.image.layout import LayoutSource
from imagegate.image.source import ImageSource
from imagegate.model import Digest, LayoutRef, Platform, RegistryRef, Repository, Target, VerifiedTarget
from imagegate.settings import Docker, Limits, Trusted
from imagegate.trust.base import BASE_DIGEST, BASE_NAME, verify_bases
from lab.docker import Engine
from tests.images import OCI_MANIFEST, Layout, make_layer

AMD64 = Platform("linux", "amd64")
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
REGISTRY = "registry.invalid:5000"
"""A registry that no engine can reach: bases get into it as verified blobs only."""


class World:
    """Bases in a layout, signed by decree, and a context."""

    def __init__(self, directory: Path, engine: Engine) -> None:
        self.layout = Layout(directory / "layout")
        self.context = directory / "context"
        self.context.mkdir()
        self.signed: dict[str, Target] = {}
        self.said: list[str] = []
        self.client = docker.APIClient(base_url=engine.host, version="auto")
        self.builder = DockerBuilder(Docker(host=engine.host), self.open, Limits())
        self.images: list[str] = []

    def base(self, name: str, *layers: Any, zstd: bool = False) -> Digest:
        descriptor = self.layout.image(layers, config={"Env": ["PATH=/bin"]})
        manifest = json.loads(self.blob(descriptor["digest"]))
        if zstd:
            tars = [gzip.decompress(self.blob(layer["digest"])) for layer in manifest["layers"]]
            manifest["layers"] = [self.layout.blob(zstandard.compress(tar), OCI_LAYER_ZSTD) for tar in tars]
            descriptor = self.layout.blob(json.dumps(manifest).encode(), OCI_MANIFEST)
        self.layout.name(descriptor, descriptor["digest"])
        self.signed[f"{REGISTRY}/{name}:1"] = Target("1", descriptor["digest"], descriptor["size"])
        self.images.append(manifest["config"]["digest"])
        return Digest(descriptor["digest"])

    def blob(self, digest: str) -> bytes:
        return (self.layout.path / "blobs" / "sha256" / digest[7:]).read_bytes()

    def open(self, reference: RegistryRef) -> ImageSource:
        return LayoutSource(LayoutRef(str(self.layout.path), str(reference.digest)), Limits())

    def verify(self, repository: Repository, tag: str, **rest: Any) -> VerifiedTarget:
        return VerifiedTarget(repository, self.signed[f"{repository}:{tag}"], "targets/releases")

    def build(self, text: str, **rest: Any) -> BuiltImage:
        build_args = rest.get("build_args", {})
        bases = verify_bases(
            parse(text),
            build_args=build_args,
            target=rest.get("target", ""),
            platform=AMD64,
            trusted=Trusted(registry=REGISTRY),
            verifier=self,  # type: ignore[arg-type]
            open_source=self.open,
        )
        request = BuildRequest(self.context, text, bases, AMD64, **rest)
        built = self.builder.build(request, self.said.append)
        self.images.insert(0, built.id)
        return built

    def inspect(self, built: BuiltImage) -> dict[str, Any]:
        return dict(self.client.inspect_image(built.id))

    def files(self, built: BuiltImage) -> dict[str, bytes]:
        """Return the image's own files, without those that every container has."""
        container = self.client.create_container(built.id, command=["none"])["Id"]
        try:
            data = b"".join(self.client.export(container))
        finally:
            self.client.remove_container(container)
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            files = (member for member in tar if member.isfile())
            own = [member for member in files if member.name.startswith("ctx/") or "/" not in member.name]
            found = {member.name: tar.extractfile(member).read() for member in own}  # type: ignore[union-attr]
        found.pop(".dockerenv", None)
        return found


@pytest.fixture
def world(tmp_path: Path, docker_engine: Engine) -> Iterator[World]:
    world = World(tmp_path, docker_engine)
    yield world
    for image in world.images:
        try:
            world.client.remove_image(image, force=True)
        except docker.errors.APIError:
            continue
    world.client.close()


def test_a_build_stands_on_the_verified_base_and_says_so(world: World, tmp_path: Path) -> None:
    digest = world.base("base", {"base": tmp_path.name})
    (world.context / "app").write_text("hello")
    built = world.build(
        f"FROM {REGISTRY}/base:1\nCOPY app /app\nUSER app\n", names=("ig-test/app:1", "ig-test/app"), labels={"k": "v"}
    )
    image = world.inspect(built)
    assert image["Config"]["Labels"] == {BASE_NAME: f"{REGISTRY}/base:1", BASE_DIGEST: digest, "k": "v"}
    assert image["Config"]["User"] == "app"
    assert sorted(image["RepoTags"]) == ["ig-test/app:1", "ig-test/app:latest"]
    base = world.client.inspect_image(world.images[-1])
    assert image["RootFS"]["Layers"][:1] == base["RootFS"]["Layers"]
    assert any(line.startswith("Step 2/") and "COPY app /app" in line for line in world.said)
    assert any("cannot pull" in line for line in world.said)


def test_a_base_that_the_engine_has_is_not_fetched_again(world: World, tmp_path: Path) -> None:
    world.base("base", {"base": tmp_path.name})
    world.build(f"FROM {REGISTRY}/base:1\n")
    world.said.clear()
    for layer in (world.layout.path / "blobs" / "sha256").iterdir():
        if layer.read_bytes()[:2] == b"\x1f\x8b":
            layer.unlink()
    world.build(f"FROM {REGISTRY}/base:1\nLABEL again=1\n")
    assert not any("pull" in line for line in world.said)


def test_stages_targets_arguments_and_images_copied_from(world: World, tmp_path: Path) -> None:
    world.base("base", {"base": tmp_path.name})
    world.base("tool", {"tool": f"tool of {tmp_path.name}"})
    text = (
        f"ARG REPO=none\nFROM --platform=$TARGETPLATFORM {REGISTRY}/tool:1 AS tool\n"
        f"FROM \\\n  ${{REPO}}:1 AS app\nCOPY --from=tool /tool /a\nCOPY --from={REGISTRY}/tool:1 /tool /b\n"
        "COPY --from=0 /tool /c\nFROM app AS after\nENV NEVER=1\n"
    )
    built = world.build(text, target="app", build_args={"REPO": f"{REGISTRY}/base"})
    assert set(world.files(built)) == {"base", "a", "b", "c"}
    assert "NEVER=1" not in world.inspect(built)["Config"]["Env"]
    assert world.inspect(built)["Config"]["Labels"][BASE_NAME] == f"{REGISTRY}/base:1"


def test_a_stage_that_a_variable_names_is_no_image(world: World, tmp_path: Path) -> None:
    world.base("base", {"base": tmp_path.name})
    built = world.build(f"ARG KIND=small\nFROM {REGISTRY}/base:1 AS small\nFROM ${{KIND}}\nENV X=1\n")
    assert "X=1" in world.inspect(built)["Config"]["Env"]


def test_a_build_from_scratch_has_no_base(world: World) -> None:
    (world.context / "app").write_text("hello")
    built = world.build("FROM scratch\nCOPY app /app\n")
    assert built.labels == {}
    assert world.files(built) == {"app": b"hello"}


def test_what_is_not_among_the_verified_bases_is_not_built_on(world: World) -> None:
    world.build("FROM scratch\nENV A=1\n", names=("ig-test/raw:1",))
    request = BuildRequest(world.context, "FROM ig-test/raw:1\nENV B=2\n", (), AMD64)
    with pytest.raises(BuildError, match="not verified: ig-test/raw:1"):
        world.builder.build(request, world.said.append)


def test_the_context_honours_dockerignore_and_keeps_the_dockerfile_as_it_is(world: World, tmp_path: Path) -> None:
    world.base("base", {"base": tmp_path.name})
    text = f"FROM {REGISTRY}/base:1\nCOPY . /ctx/\n"
    (world.context / "Dockerfile").write_text(text)
    (world.context / ".dockerignore").write_text("# secrets\n*.key\n!public.key\n\n")
    for name in ("private.key", "public.key", "app"):
        (world.context / name).write_text(name)
    files = world.files(world.build(text))
    assert {name for name in files if name.startswith("ctx/")} == {
        "ctx/.dockerignore",
        "ctx/Dockerfile",
        "ctx/app",
        "ctx/public.key",
    }
    assert files["ctx/Dockerfile"].decode() == text


def test_the_cache_is_used_for_what_did_not_change(world: World, tmp_path: Path) -> None:
    world.base("base", {"base": tmp_path.name})
    (world.context / "app").write_text("hello")
    text = f"FROM {REGISTRY}/base:1\nCOPY . /ctx/\n"
    first = world.build(text)
    assert world.build(text).id == first.id
    assert world.build(text, no_cache=True).id != first.id


def test_a_failing_step_is_told_with_what_it_said(world: World, tmp_path: Path) -> None:
    world.base("base", {"base": tmp_path.name})
    with pytest.raises(BuildError) as caught:
        world.build(f"FROM {REGISTRY}/base:1\nCOPY missing /x\n", build_args={"PASSWORD": "hunter2"})
    assert caught.value.what == "the build failed at COPY missing /x"
    assert "missing" in caught.value.why
    assert "hunter2" not in str(caught.value)


def test_a_dockerfile_that_the_engine_refuses_is_told(world: World, tmp_path: Path) -> None:
    world.base("base", {"base": tmp_path.name})
    with pytest.raises(BuildError, match=r"(?i)unknown instruction"):
        world.build(f"FROM {REGISTRY}/base:1\nNONSENSE x\n")


def test_a_heredoc_is_refused_because_the_engine_would_read_it_as_instructions(world: World, tmp_path: Path) -> None:
    world.base("base", {"base": tmp_path.name})
    with pytest.raises(BuildError, match="line 2: RUN has a heredoc"):
        world.build(f"FROM {REGISTRY}/base:1\nRUN cat <<EOF\nFROM scratch\nEOF\n")


def test_an_image_that_only_the_engine_sees_is_caught(world: World, tmp_path: Path) -> None:
    """Engines before BuildKit take `# check=` for a comment, after which `# escape=` is one as well."""
    world.base("base", {"base": tmp_path.name})
    other = world.client.inspect_image(world.build("FROM scratch\nENV A=1\n").id)["Id"]
    text = f"# check=skip=all\n# escape=`\nFROM {REGISTRY}/base:1\nENV A `\nFROM {other}\n"
    with pytest.raises(BuildError, match=f"the engine took in {other}, which is not verified"):
        world.build(text)


def test_a_base_with_a_forged_layer_is_not_taken_in(world: World, tmp_path: Path) -> None:
    world.base("base", {"base": tmp_path.name})
    forged = gzip.compress(make_layer({"evil": "x"}), 1, mtime=0)
    for layer in (world.layout.path / "blobs" / "sha256").iterdir():
        if layer.read_bytes()[:2] == b"\x1f\x8b":
            layer.write_bytes(forged)
    with pytest.raises(DigestMismatch):
        world.build(f"FROM {REGISTRY}/base:1\n")


def test_zstd_layers_reach_an_engine_that_cannot_read_them(world: World, tmp_path: Path) -> None:
    world.base("base", {"base": tmp_path.name}, {"more": "x" * 5000}, {"base": tmp_path.name}, zstd=True)
    built = world.build(f"FROM {REGISTRY}/base:1\nENV A=1\n")
    assert world.files(built) == {"base": tmp_path.name.encode(), "more": b"x" * 5000}


def test_no_engine_is_no_verdict(world: World, tmp_path: Path) -> None:
    world.builder = DockerBuilder(Docker(host=f"unix://{tmp_path}/none.sock"), world.open, Limits())
    with pytest.raises(NetworkError, match="cannot be reached"):
        world.build("FROM scratch\n", build_args={"PASSWORD": "hunter2"})


def test_a_context_that_is_gone_is_told(world: World) -> None:
    shutil.rmtree(world.context)
    with pytest.raises(BuildError, match="cannot be read"):
        world.build("FROM scratch\nENV A=1\n")


def test_a_request_shows_no_value_of_an_argument(world: World) -> None:
    request = BuildRequest(world.context, "FROM scratch", (), AMD64, build_args={"PASSWORD": "hunter2"})
    assert "hunter2" not in repr(request)
