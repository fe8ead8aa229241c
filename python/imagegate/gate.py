"""The straight line: reference, resolve, analyse, evaluate, copy by digest, sign, verify, tag.

`gate` reads like the list in the design. Every stage takes the value that the stage before it returned, and none looks
at the source's tag again. The tag in the trusted repository is the commit point, and the last thing that is written:
a process that dies before it leaves blobs and signatures that nobody can pull by tag, and running the same command
again finishes the job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec

from imagegate.errors import TagConflict
from imagegate.image.source import ImageSource
from imagegate.model import (
    AnalysedLayer,
    BaseProof,
    Evaluation,
    ImageRef,
    PlatformImage,
    PromotionRecord,
    Repository,
    ResolvedImage,
    Target,
    Verdict,
    VerifiedTarget,
    Vulnerability,
    joint_verdict,
)
from imagegate.progress import Progress
from imagegate.registry.destination import CopyReport, Destination
from imagegate.trust.signing import Signer, Verifier


class Judgement(msgspec.Struct, frozen=True):
    """What `Judge` found out about one image.

    base: how far its base was proved, None where no rule asked. packages: how many it has. advisories: when those that
    it was matched with were last fetched, None where no rule asked. layers: bottom first.
    vulnerabilities: all that were found, whether a rule asks for them or not.
    answers: of a server that judged, as it gave them: `evaluation` and `vulnerabilities`.
    """

    evaluation: Evaluation
    base: BaseProof | None = None
    packages: int = 0
    advisories: datetime | None = None
    layers: tuple[AnalysedLayer, ...] = ()
    vulnerabilities: tuple[Vulnerability, ...] = ()
    answers: Mapping[str, Any] = {}


class Judge(Protocol):
    """Analyses and evaluates."""

    def __call__(self, image: PlatformImage, source: ImageSource, name: str) -> Judgement:
        """Evaluate the image under the name that it would be promoted as."""


@dataclass(frozen=True)
class Stages:
    """The real servers, or stand-ins for them, that the line runs over.

    announce: told of every image before the first is judged, where judging is somebody else's slow work.
    """

    open: Callable[[ImageRef], ImageSource]
    resolve: Callable[[ImageSource], ResolvedImage]
    judge: Judge
    destination: Callable[[Repository], Destination]
    signer: Callable[[], Signer]
    verifier: Callable[[], Verifier]
    progress: Progress
    clock: Callable[[], datetime]
    announce: Callable[[PlatformImage, ImageSource, str], None] | None = None


class Promotion(msgspec.Struct, frozen=True):
    """Where to: the trusted repository and the tags; overwrite: whether a released tag may move to another digest."""

    repository: Repository
    tags: tuple[str, ...]
    overwrite: bool = False


class Outcome(msgspec.Struct, frozen=True, tag_field="schema", tag="imagegate/gate/1"):
    """How the gate ended. record: None unless the image was promoted; copied: None unless it was copied.

    staged: `repository@digest` where the image waits for another job to promote it, empty when it does not.
    """

    verdict: Verdict
    image: str
    evaluations: tuple[Evaluation, ...]
    record: PromotionRecord | None = None
    copied: CopyReport | None = None
    staged: str = ""


def gate(
    reference: ImageRef,
    promotion: Promotion,
    stages: Stages,
    *,
    dry_run: bool = False,
    staging: Repository | None = None,
) -> Outcome:
    """Run the whole line. dry_run: stop after the verdict.

    staging: copy and tag what passes there, and sign nothing: a job that holds the key evaluates it again and promotes.

    Raises TagConflict (exit 1) before anything is read or copied when a tag is taken, NotTrusted when what was signed
    does not verify, and other ImagegateErrors when it could not decide or finish; none of them leaves a new tag.
    """
    with stages.open(reference) as source:
        image = stages.resolve(source)
        destination = stages.destination(promotion.repository)
        _refuse_overwriting(destination, image, promotion)
        if stages.announce:
            for each in image.images:
                stages.announce(each, source, f"{promotion.repository}:{promotion.tags[0]}")
        judgements = judge_all(image, source, promotion, stages.judge)
        evaluations = tuple(judgement.evaluation for judgement in judgements)
        verdict = joint_verdict(evaluations)
        named = f"{promotion.repository}@{image.digest}"
        if verdict is not Verdict.PASS or dry_run:
            return Outcome(verdict, named, evaluations)
        if staging:
            return Outcome(verdict, named, evaluations, *_stage(source, image, promotion, staging, stages))
        copied = destination.copy(source, image, stages.progress)
        signatures = sign_and_verify(image, promotion, stages)
        for tag in promotion.tags:
            destination.tag(image.root, tag)
    record = PromotionRecord(
        source=str(reference),
        repository=str(promotion.repository),
        digest=image.digest,
        tags=promotion.tags,
        evaluations=evaluations,
        signatures=signatures,
        promoted_at=stages.clock(),
        base=next((judgement.base for judgement in judgements if judgement.base), None),
    )
    return Outcome(verdict, named, evaluations, record, copied)


def _stage(
    source: ImageSource, image: ResolvedImage, promotion: Promotion, staging: Repository, stages: Stages
) -> tuple[None, CopyReport, str]:
    waiting = stages.destination(staging)
    copied = waiting.copy(source, image, stages.progress)
    for tag in promotion.tags:
        waiting.tag(image.root, tag)
    return None, copied, f"{staging}@{image.digest}"


def judge_all(image: ResolvedImage, source: ImageSource, promotion: Promotion, judge: Judge) -> tuple[Judgement, ...]:
    """Judge every platform under every name; names that the policy treats alike are told once."""
    judgements: dict[tuple[str, str, str, object], Judgement] = {}
    for platform_image in image.images:
        for tag in promotion.tags:
            judgement = judge(platform_image, source, f"{promotion.repository}:{tag}")
            found = judgement.evaluation
            key = (found.digest, found.mapping, found.policy_id, (found.final_action, found.findings, found.problems))
            judgements.setdefault(key, judgement)
    return tuple(judgements.values())


def sign_and_verify(image: ResolvedImage, promotion: Promotion, stages: Stages) -> tuple[VerifiedTarget, ...]:
    """Sign the root manifest under every tag in one publish, then look at each as a consumer would."""
    root = image.root.descriptor
    targets = [Target(tag, root.digest, root.size) for tag in promotion.tags]
    stages.signer().sign(promotion.repository, targets, replace=promotion.overwrite)
    return stages.verifier().verify_all(promotion.repository, targets)


def _refuse_overwriting(destination: Destination, image: ResolvedImage, promotion: Promotion) -> None:
    """Fail before the work, not after it. The lock against a race is the signer's. (Invariant 6.)"""
    if promotion.overwrite:
        return
    for tag in promotion.tags:
        released = destination.tagged(tag)
        if released not in (None, image.digest):
            raise TagConflict(
                f"{promotion.repository}:{tag} is released already",
                why=f"it is {released}, this image is {image.digest}",
                hint="Choose another tag, or ask for it by name with --overwrite-tag.",
            )


def undecided(evaluations: Sequence[Evaluation]) -> str:
    """Return the problems that kept the gate from deciding, one clause each, without repeats."""
    problems = (problem for evaluation in evaluations for problem in evaluation.problems)
    return "; ".join(dict.fromkeys(problem.details for problem in problems if problem.severity == "error"))
