"""What a verb answered, as the result of a step of the Jenkins library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from imagegate.build.builder import BuiltImage
from imagegate.cli.main import End
from imagegate.gate import Outcome
from imagegate.jenkins.result import ImageVerdict, Reports, StepResult, Told
from imagegate.jenkins.wording import in_parameters
from imagegate.model import Evaluation, Verdict
from imagegate.model.news import News
from imagegate.report.context import counts, ordered, subject
from imagegate.report.escape import line
from imagegate.report.news import title

if TYPE_CHECKING:
    from imagegate.jenkins.request import Invocation

OUTCOMES = {0: Verdict.PASS, 1: Verdict.STOP}
_WORDS = {Verdict.PASS: "passed", Verdict.STOP: "stopped", Verdict.UNDECIDED: "could not decide"}
_LONGEST, LINE = 4000, 200
"""Characters of a message, and of a description."""
_UPGRADES = 50
"""Of a re-check: its images are in its reports, and too many for a build's log."""
_SHORT = 12
"""Digits of a digest in a build's description, as Docker shows them."""


def result(invocation: Invocation, end: End, document: Any, reports: Reports | None) -> StepResult:
    """Return the result of a step. document: what the verb answered, None when it ended by an error."""
    outcome = OUTCOMES.get(end.code, Verdict.UNDECIDED)
    given = {each.name for each in invocation.step.all_parameters}
    facts: dict[str, Any] = {
        "step": invocation.step.name,
        "outcome": outcome,
        "exit_code": end.code,
        "message": printable(in_parameters(end.words, invocation.step)) or _WORDS[outcome],
        "on_stop": invocation.text("onStop") if "onStop" in given else "FAILURE",
        "promotion_job": invocation.text("promotionJob") if "promotionJob" in given else "",
        "publish": reports is not None,
        "reports": reports,
    }
    if isinstance(document, BuiltImage):
        facts |= {"image": str(document.reference), "digest": document.id, "tags": document.names, "document": document}
    elif isinstance(document, Outcome):
        facts |= _verdict(outcome, document.evaluations) | _promotion(invocation, document)
    elif _is_check(document):
        facts |= _verdict(outcome, document["evaluations"])
    elif isinstance(document, News):
        told = title(document)
        short = msgspec.structs.replace(document, changes=(), images=(), upgrades=document.upgrades[:_UPGRADES])
        facts |= {"message": printable(told), "description": shortened(line(told), LINE), "document": short}
    else:
        facts["document"] = document
    return StepResult(**facts)


def printable(words: str) -> str:
    """Return words for Jenkins's log and views: control characters escaped, no longer than a person reads."""
    return shortened("\n".join(map(line, words.splitlines())), _LONGEST)


def shortened(text: str, length: int) -> str:
    """Return text, cut where it is longer."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _is_check(document: Any) -> bool:
    return isinstance(document, Mapping) and document.get("schema") == "imagegate/check/1"


def _promotion(invocation: Invocation, outcome: Outcome) -> dict[str, Any]:
    repository, _, digest = outcome.image.partition("@")
    record = outcome.record
    facts: dict[str, Any] = {
        "image": outcome.image,
        "digest": digest,
        "repository": repository,
        "staged": outcome.staged,
    }
    facts["tags"] = record.tags if record else tuple(dict.fromkeys(map(_tag, outcome.evaluations)))
    names = ", ".join(f"{repository}:{tag}" for tag in facts["tags"])
    promoted = Told(
        printable(f"{names} is {digest}: promoted, signed and verified"),
        f"{_short(names)} promoted, {digest[7:][:_SHORT]}",
        "gate: promoted",
    )
    if record:
        facts |= msgspec.structs.asdict(promoted)
    elif outcome.staged:
        job = invocation.text("promotionJob")
        facts |= {"message": f"passed; {outcome.staged} is to be promoted by {job}", "description": "", "badge": ""}
        facts["delegated"] = {
            Verdict.PASS: promoted,
            Verdict.STOP: _not_promoted(names, f"refused by {job}", "refused"),
            Verdict.UNDECIDED: _not_promoted(names, f"not promoted by {job}", "undecided"),
        }
    return facts


def _not_promoted(names: str, told: str, badge: str) -> Told:
    return Told(printable(f"{names} {told}"), f"{_short(names)} {told}", f"gate: {badge}")


def _tag(evaluation: Evaluation) -> str:
    return evaluation.tag.rpartition(":")[2]


def _verdict(outcome: Verdict, evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    images = tuple(_image(evaluation) for evaluation in evaluations)
    names = ", ".join(dict.fromkeys(each.image for each in images))
    stop, warn = sum(each.stop for each in images), sum(each.warn for each in images)
    found = ", ".join([f"{stop} stop"] * bool(stop) + [f"{warn} warn"] * bool(warn))
    told = f"{_WORDS[outcome]}{f' ({found})' if found else ''}"
    first = next((each for evaluation in evaluations for each in ordered(evaluation.findings)), None)
    problem = next(
        (each for evaluation in evaluations for each in evaluation.problems if each.severity == "error"), None
    )
    why = ""
    if outcome is Verdict.UNDECIDED and problem:
        why = f": {problem.details}"
    elif outcome is Verdict.STOP and first:
        why = f": {first.gate}/{first.trigger}: {subject(first)}" + (f", and {stop - 1} more" if stop > 1 else "")
    digests = {evaluation.digest for evaluation in evaluations}
    return {
        "message": printable(f"{names} {told}{why}"),
        "description": f"{_short(names)} {told}",
        "badge": f"gate: {'undecided' if outcome is Verdict.UNDECIDED else _WORDS[outcome]}",
        "images": images,
        "digest": next(iter(digests)) if len(digests) == 1 else "",
    }


def _image(evaluation: Evaluation) -> ImageVerdict:
    found = counts(evaluation)
    return ImageVerdict(
        image=evaluation.tag,
        digest=evaluation.digest,
        platform=evaluation.platform,
        verdict=evaluation.verdict,
        stop=found.stop,
        warn=found.warn,
        allowlisted=found.allowlisted,
    )


def _short(names: str) -> str:
    """Return image names without their registries, and not too many: a description is one short line."""
    return shortened(line(", ".join(map(_without_registry, names.split(", ")))), LINE)


def _without_registry(name: str) -> str:
    first, _, rest = name.partition("/")
    return rest if rest and ("." in first or ":" in first or first == "localhost") else name
