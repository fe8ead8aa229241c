"""The straight line over in-memory servers: its order, and what each "no" leaves behind."""

from __future__ import annotations

import pytest

from imagegate.errors import NetworkError, NotTrusted, TagConflict
from imagegate.gate import Judgement, Outcome, Promotion, Stages, gate
from imagegate.image.source import ImageSource
from imagegate.model import (
    Action,
    Evaluation,
    PlatformImage,
    Problem,
    Reason,
    RegistryRef,
    Repository,
    Target,
    Verdict,
    joint_verdict,
)
from imagegate.progress import NoProgress
from tests.memory import NOW, MemoryNotary, MemoryRegistry, MemorySource, make_image

STAGING = Repository("staging.example.com", "team/app")
TRUSTED = Repository("trusted.example.com", "team/app")


class World:
    """One gate with everything around it in memory."""

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.registry = MemoryRegistry(TRUSTED, self.journal)
        self.notary = MemoryNotary(self.journal)
        self.image, blobs = make_image()
        self.source = MemorySource(RegistryRef(STAGING, "1.0"), self.image, blobs)
        self.action = Action.GO
        self.problems: tuple[Problem, ...] = ()

    def judge(self, image: PlatformImage, source: ImageSource, name: str) -> Judgement:
        self.journal.append(f"judge {name}")
        return Judgement(
            Evaluation(
                digest=image.digest,
                tag=name,
                policy_id="p",
                policy_digest="",
                final_action=self.action,
                reason=Reason.POLICY,
                mapping="m",
                findings=(),
                evaluated_at=NOW,
                problems=self.problems,
            )
        )

    def run(self, *tags: str, overwrite: bool = False, dry_run: bool = False) -> Outcome:
        stages = Stages(
            open=lambda ref: self.source,
            resolve=lambda source: self.source.resolve_image(),
            judge=self.judge,
            destination=lambda repository: self.registry,
            signer=lambda: self.notary,
            verifier=lambda: self.notary,
            progress=NoProgress(),
            clock=lambda: NOW,
        )
        return gate(self.source.ref, Promotion(TRUSTED, tags or ("1.0",), overwrite), stages, dry_run=dry_run)


@pytest.fixture
def world() -> World:
    return World()


def test_the_line_runs_in_order_and_the_tag_is_last(world: World) -> None:
    outcome = world.run("1.0", "latest")
    kinds = [entry.split()[0] for entry in world.journal]
    assert kinds == ["judge", "judge", "copy", "sign", "sign", "verify", "verify", "tag", "tag"]
    assert outcome.record is not None
    assert outcome.record.digest == world.image.digest == world.registry.tags["1.0"] == world.registry.tags["latest"]


def test_the_source_is_resolved_once(world: World) -> None:
    world.run("1.0", "latest")
    assert world.source.resolved == 1


def test_a_stop_leaves_nothing_in_the_registry_and_no_signature(world: World) -> None:
    world.action = Action.STOP
    outcome = world.run()
    assert outcome.verdict is Verdict.STOP
    assert outcome.record is None
    assert not world.registry.manifests
    assert not world.notary.signed


def test_an_undecided_evaluation_is_no_pass_even_when_nothing_was_found(world: World) -> None:
    world.problems = (Problem("error", "missing_advisories", "no advisories for Debian:12"),)
    assert world.run().verdict is Verdict.UNDECIDED
    assert not world.registry.manifests


def test_no_evaluation_at_all_is_undecided() -> None:
    assert joint_verdict(()) is Verdict.UNDECIDED


def test_a_dry_run_ends_with_the_verdict(world: World) -> None:
    outcome = world.run(dry_run=True)
    assert outcome.verdict is Verdict.PASS
    assert not world.registry.manifests


def test_a_released_tag_is_not_overwritten_unless_asked_by_name(world: World) -> None:
    world.run()
    first = world.image.digest
    world.image, world.source.blobs = make_image("two")
    world.source.image = world.image
    with pytest.raises(TagConflict, match="released already"):
        world.run()
    assert world.registry.tags["1.0"] == first
    world.run(overwrite=True)
    assert world.registry.tags["1.0"] == world.image.digest


def test_running_again_with_the_same_image_is_no_conflict(world: World) -> None:
    assert world.run().record is not None
    assert world.run().record is not None


def test_a_name_signed_as_another_digest_by_a_racing_gate_gets_no_tag(world: World) -> None:
    other, _ = make_image("other")
    world.notary.sign(TRUSTED, [world_target(other)])
    with pytest.raises(TagConflict):
        world.run()
    assert not world.registry.tags


@pytest.mark.parametrize("failure", [NetworkError("notary is down"), NotTrusted("signed by nobody")])
@pytest.mark.parametrize("step", ["sign", "verify"])
def test_no_tag_when_signing_or_verifying_fails(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str, failure: Exception
) -> None:
    def fail(*args: object, **named: object) -> None:
        raise failure

    monkeypatch.setattr(world.notary, step, fail)
    with pytest.raises(type(failure)):
        world.run()
    assert not world.registry.tags


def test_overwriting_never_leaves_the_old_digest_without_a_signature(world: World) -> None:
    world.run()
    first = world.image.digest
    world.image, world.source.blobs = make_image("two")
    world.source.image = world.image
    world.run(overwrite=True)
    assert first in {target.digest for target in world.notary.signed.values()}


def world_target(image: PlatformImage) -> Target:
    return Target("1.0", image.digest, image.manifest.descriptor.size)
