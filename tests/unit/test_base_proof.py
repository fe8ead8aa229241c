"""Bases: what a Dockerfile may be built on, and what an image can prove about its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from imagegate.dockerfile import parse
from imagegate.errors import BuildError, ConfigError, ImageNotFound, NetworkError, NotTrusted
from imagegate.image.layout import LayoutSource
from imagegate.image.resolve import resolve
from imagegate.image.source import ImageSource
from imagegate.model import (
    BaseProof,
    BaseStatus,
    Digest,
    LayoutRef,
    Platform,
    PlatformImage,
    RegistryRef,
    Repository,
    Target,
    VerifiedTarget,
)
from imagegate.settings import Limits, Trusted
from imagegate.trust.base import (
    BASE_DIGEST,
    BASE_NAME,
    VerifiedBase,
    base_labels,
    pin,
    prove_ancestry,
    prove_base,
    verify_bases,
)
from tests.images import DEBIAN, Layout

TRUSTED = Trusted(registry="trusted.test")
AMD64 = Platform("linux", "amd64")
BASE_LAYERS: list[Any] = [DEBIAN, {"etc/base": "1"}]


class Verifier:
    """Signatures by decree."""

    def __init__(self) -> None:
        self.signed: list[VerifiedTarget] = []
        self.broken: Exception | None = None

    def targets(self, repository: Repository, *, roles: Sequence[str] = ()) -> tuple[VerifiedTarget, ...]:
        if self.broken:
            raise self.broken
        found = tuple(each for each in self.signed if each.repository == repository and each.role in roles)
        if not found:
            raise NotTrusted(f"{repository} has no trust data")
        return found

    def find(self, repository: Repository, name: str) -> VerifiedTarget | None:
        raise AssertionError("not a base's way to ask")

    def verify(
        self, repository: Repository, tag: str, *, digest: Digest | None = None, roles: Sequence[str] = ()
    ) -> VerifiedTarget:
        for each in self.targets(repository, roles=roles):
            if each.target.name == tag:
                if digest not in (None, each.target.digest):
                    raise NotTrusted(f"{repository}:{tag} is signed as another digest")
                return each
        raise NotTrusted(f"{repository}:{tag} is not signed")


class World:
    """A registry of one layout, and who signed what in it."""

    def __init__(self, directory: Path) -> None:
        self.layout, self.verifier = Layout(directory), Verifier()
        self.opened: list[RegistryRef] = []

    def store(self, descriptor: dict[str, Any]) -> Digest:
        self.layout.name(descriptor, descriptor["digest"])
        return Digest(descriptor["digest"])

    def sign(self, digest: Digest, name: str = "debian", tag: str = "12", role: str = "targets/releases") -> None:
        repository = Repository("trusted.test", name)
        self.verifier.signed.append(VerifiedTarget(repository, Target(tag, digest, 1), role))

    def open(self, reference: RegistryRef) -> ImageSource:
        self.opened.append(reference)
        assert not reference.tag
        return LayoutSource(LayoutRef(str(self.layout.path), str(reference.digest)), Limits())

    def image(
        self, *layers: Any, labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None
    ) -> PlatformImage:
        descriptor = self.layout.image(layers, config={"Labels": labels or {}})
        if annotations:
            path = self.layout.path / "blobs" / "sha256" / descriptor["digest"][7:]
            document = {**json.loads(path.read_text()), "annotations": annotations}
            descriptor = self.layout.blob(json.dumps(document).encode(), descriptor["mediaType"])
        with self.open(RegistryRef(Repository("x.test", "x"), "", self.store(descriptor))) as source:
            return resolve(source, platform=AMD64, all_platforms=False, limits=Limits()).images[0]

    def prove(self, image: PlatformImage, trusted: Trusted = TRUSTED) -> BaseProof:
        return prove_base(image, trusted=trusted, verifier=self.verifier, open_source=self.open)

    def verify(self, text: str, trusted: Trusted = TRUSTED, **build_args: str) -> tuple[VerifiedBase, ...]:
        return verify_bases(
            parse(text),
            build_args=build_args,
            target="",
            platform=AMD64,
            trusted=trusted,
            verifier=self.verifier,
            open_source=self.open,
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def base(world: World) -> Digest:
    """A base, signed as trusted.test/debian:12."""
    digest = world.store(world.layout.image(BASE_LAYERS))
    world.sign(digest)
    return digest


def claim(digest: str, name: str = "trusted.test/debian:12") -> dict[str, str]:
    return {BASE_NAME: name, BASE_DIGEST: digest}


def test_an_image_on_a_signed_base_is_proved(world: World, base: Digest) -> None:
    proof = world.prove(world.image(*BASE_LAYERS, {"app": "x"}, labels=claim(base)))
    assert proof == BaseProof(
        BaseStatus.PROVED, "trusted.test/debian:12", base, "targets/releases", layers=len(BASE_LAYERS)
    )


def test_a_base_stays_proved_when_its_tag_has_moved_on(world: World, base: Digest) -> None:
    image = world.image(*BASE_LAYERS, {"app": "x"}, labels=claim(base))
    newer = world.store(world.layout.image([DEBIAN, {"etc/base": "2"}]))
    world.verifier.signed.clear()
    world.sign(newer)
    world.sign(base, tag="12.superseded-0123456789ab")
    assert world.prove(image).status is BaseStatus.PROVED


def test_annotations_count_where_there_are_no_labels(world: World, base: Digest) -> None:
    other = {BASE_NAME: "elsewhere.test/x:1", BASE_DIGEST: base}
    assert world.prove(world.image(*BASE_LAYERS, annotations=claim(base))).status is BaseStatus.PROVED
    both = world.image(*BASE_LAYERS, labels=other, annotations=claim(base))
    assert world.prove(both).status is BaseStatus.UNTRUSTED_REGISTRY


def test_a_multi_platform_base_is_compared_by_the_platform(world: World) -> None:
    amd64 = world.layout.image(BASE_LAYERS)
    arm64 = world.layout.image([{"etc/arm": "1"}], architecture="arm64")
    index = world.store(world.layout.index([("arm64", arm64), ("amd64", amd64)]))
    world.sign(index)
    assert world.prove(world.image(*BASE_LAYERS, {"app": "x"}, labels=claim(index))).status is BaseStatus.PROVED
    assert world.prove(world.image({"etc/arm": "1"}, labels=claim(index))).status is BaseStatus.WRONG_LAYERS


@pytest.mark.parametrize(
    "layers",
    [[DEBIAN], [{"etc/base": "1"}, DEBIAN], [{"evil": "1"}, *BASE_LAYERS], []],
    ids=["fewer", "order", "on", "no"],
)
def test_other_layers_are_not_the_base(world: World, base: Digest, layers: list[Any]) -> None:
    proof = world.prove(world.image(*layers, labels=claim(base)))
    assert proof.status is BaseStatus.WRONG_LAYERS
    assert "of the base's 2 is not the image's" in proof.detail


def test_a_base_without_layers_proves_nothing(world: World) -> None:
    empty = world.store(world.layout.image([]))
    world.sign(empty)
    assert world.prove(world.image({"evil": "1"}, labels=claim(empty))).status is BaseStatus.WRONG_LAYERS


@pytest.mark.parametrize("labels", [{}, {BASE_NAME: "trusted.test/debian:12"}, {BASE_DIGEST: "sha256:" + "0" * 64}])
def test_half_a_claim_is_none(world: World, base: Digest, labels: dict[str, str]) -> None:
    proof = world.prove(world.image(*BASE_LAYERS, labels=labels))
    assert proof.status is BaseStatus.NONE
    assert "no label" in proof.detail


@pytest.mark.parametrize(("name", "digest"), [("UPPER/..", "sha256:" + "0" * 64), ("trusted.test/debian:12", "md5:1")])
def test_a_claim_that_is_no_reference_is_none(world: World, base: Digest, name: str, digest: str) -> None:
    assert world.prove(world.image(*BASE_LAYERS, labels=claim(digest, name))).status is BaseStatus.NONE


@pytest.mark.parametrize("name", ["elsewhere.test/debian:12", "debian:12", "docker-daemon:trusted.test/debian"])
def test_a_base_from_elsewhere_is_told_without_asking_anybody(world: World, base: Digest, name: str) -> None:
    image = world.image(*BASE_LAYERS, labels=claim(base, name))
    world.opened.clear()
    world.verifier.broken = AssertionError("asked")
    assert world.prove(image).status is BaseStatus.UNTRUSTED_REGISTRY
    assert world.opened == []


def test_only_allowed_repositories_may_be_bases(world: World, base: Digest) -> None:
    image = world.image(*BASE_LAYERS, labels=claim(base))
    allowed = Trusted(registry="trusted.test", bases=(r"trusted\.test/deb.*",))
    denied = Trusted(registry="trusted.test", bases=(r"trusted\.test/deb",))
    assert world.prove(image, allowed).status is BaseStatus.PROVED
    assert world.prove(image, denied).status is BaseStatus.UNTRUSTED_REGISTRY
    with pytest.raises(ConfigError, match=r"trusted\.bases"):
        world.prove(image, Trusted(registry="trusted.test", bases=("(",)))


def test_an_unsigned_base_and_one_signed_by_others_are_unsigned(world: World) -> None:
    digest = world.store(world.layout.image(BASE_LAYERS))
    image = world.image(*BASE_LAYERS, labels=claim(digest))
    assert world.prove(image).status is BaseStatus.UNSIGNED
    world.sign(digest, role="targets/somebody")
    assert world.prove(image).status is BaseStatus.UNSIGNED
    world.sign(digest, name="other")
    assert world.prove(image).status is BaseStatus.UNSIGNED


def test_what_cannot_be_decided_is_raised(world: World, base: Digest) -> None:
    image = world.image(*BASE_LAYERS, labels=claim(base))
    with pytest.raises(ConfigError, match="no trusted registry"):
        world.prove(image, Trusted())
    world.verifier.broken = NetworkError("notary is down")
    with pytest.raises(NetworkError):
        world.prove(image)
    world.verifier.broken = None
    gone = Digest("sha256:" + "a" * 64)
    world.sign(gone, tag="gone")
    with pytest.raises(ImageNotFound):
        world.prove(world.image(*BASE_LAYERS, labels=claim(gone)))


def test_every_image_gets_the_digest_that_is_signed(world: World, base: Digest) -> None:
    tool = world.store(world.layout.image([{"bin/tool": "x"}]))
    world.sign(tool, "tool", "1")
    text = "ARG B=trusted.test/debian:12\nFROM trusted.test/tool:1 AS tool\nFROM $B\nCOPY --from=tool /bin /bin\n"
    found = world.verify(text)
    assert [(each.pinned, each.role) for each in found] == [
        (f"trusted.test/tool@{tool}", "targets/releases"),
        (f"trusted.test/debian@{base}", "targets/releases"),
    ]
    assert base_labels(found) == claim(base)
    assert pin(text, found) == (
        f"ARG B=trusted.test/debian:12\nFROM trusted.test/tool@{tool} AS tool\nFROM trusted.test/debian@{base}\n"
        "COPY --from=tool /bin /bin\n"
    )
    assert msgspec.json.decode(msgspec.json.encode(found), type=tuple[VerifiedBase, ...]) == found


def test_a_digest_needs_a_signature_of_any_name(world: World, base: Digest) -> None:
    found = world.verify(f"FROM trusted.test/debian@{base}")
    assert base_labels(found) == claim(base, "trusted.test/debian")
    with pytest.raises(NotTrusted, match="not signed"):
        world.verify(f"FROM trusted.test/debian@sha256:{'0' * 64}")
    with pytest.raises(NotTrusted, match="another digest"):
        world.verify(f"FROM trusted.test/debian:12@sha256:{'0' * 64}")


def test_all_bad_images_are_told_at_once(world: World, base: Digest) -> None:
    text = (
        "FROM trusted.test/debian:12 AS ok\nFROM debian:12 AS a\nFROM trusted.test/debian:13\n"
        "COPY --from=elsewhere.test/tool /t /t\n"
    )
    with pytest.raises(NotTrusted) as caught:
        world.verify(text)
    message = str(caught.value)
    assert message.startswith("3 images of the Dockerfile may not be built on")
    assert "line 2: FROM debian:12: docker.io/library/debian is not in the trusted registry trusted.test" in message
    assert "line 3: FROM trusted.test/debian:13: trusted.test/debian:13 is not signed" in message
    assert "line 4: COPY --from elsewhere.test/tool" in message


def test_a_signed_base_that_the_registry_has_not_is_refused(world: World) -> None:
    world.sign(Digest("sha256:" + "a" * 64))
    with pytest.raises(NotTrusted, match=r"line 1: FROM trusted\.test/debian:12"):
        world.verify("FROM trusted.test/debian:12")


def test_what_nobody_could_decide_about_bases_is_raised(world: World, base: Digest) -> None:
    with pytest.raises(BuildError, match="has no value"):
        world.verify("FROM $X")
    world.verifier.broken = NetworkError("notary is down")
    with pytest.raises(NetworkError):
        world.verify("FROM trusted.test/debian:12")


def test_scratch_needs_no_signature_and_gets_no_label(world: World) -> None:
    assert world.verify("FROM scratch\nCOPY a /a\n") == ()
    assert base_labels(()) == {}


def test_a_chain_of_bases_is_proved_to_its_first_unproved_end(world: World, base: Digest) -> None:
    python = world.image(*BASE_LAYERS, {"python": "3"}, labels=claim(base))
    world.sign(python.digest, name="python", tag="3")
    node = world.image(
        *BASE_LAYERS, {"python": "3"}, {"node": "1"}, labels=claim(python.digest, "trusted.test/python:3")
    )

    def chain(image: PlatformImage) -> list[tuple[BaseStatus, str]]:
        proofs = prove_ancestry(image, trusted=TRUSTED, verifier=world.verifier, open_source=world.open)
        return [(proof.status, proof.reference) for proof in proofs]

    below = [(BaseStatus.PROVED, "trusted.test/debian:12"), (BaseStatus.NONE, "")]
    assert chain(node) == [(BaseStatus.PROVED, "trusted.test/python:3"), *below]
    assert chain(python) == below
    other = world.image({"other": "1"}, labels=claim(python.digest, "trusted.test/python:3"))
    assert chain(other) == [(BaseStatus.WRONG_LAYERS, "trusted.test/python:3")]


def test_a_base_that_inherited_its_labels_ends_the_chain(world: World, base: Digest) -> None:
    inherited = world.image(*BASE_LAYERS, labels=claim(base))
    world.sign(inherited.digest, tag="inherited")
    proofs = prove_ancestry(
        world.image(*BASE_LAYERS, {"a": "1"}, labels=claim(inherited.digest, "trusted.test/debian:inherited")),
        trusted=TRUSTED,
        verifier=world.verifier,
        open_source=world.open,
    )
    assert [proof.status for proof in proofs] == [BaseStatus.PROVED, BaseStatus.PROVED, BaseStatus.NONE]
