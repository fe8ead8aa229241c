"""What a step tells the Jenkins library: `result.json`."""

from __future__ import annotations

from typing import Any

import msgspec

from imagegate.jenkins.plan import PlannedImage
from imagegate.model import Verdict


class Reports(msgspec.Struct, frozen=True, rename="camel"):
    """The reports of a verdict, each a path below the step's directory `reports`. id, name: for Jenkins's views."""

    id: str
    name: str
    folder: str
    junit: str
    issues: str
    html: str


class ImageVerdict(msgspec.Struct, frozen=True):
    """One image's verdict in numbers."""

    image: str
    digest: str
    platform: str
    verdict: Verdict
    stop: int
    warn: int
    allowlisted: int


class Told(msgspec.Struct, frozen=True):
    """How an end is told: in the log, in the build's description, beside the build."""

    message: str
    description: str
    badge: str


class StepResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="schema", tag="imagegate/step/1"):
    """How a step ended.

    outcome: `undecided` is an error, whatever the reason. message: one line for the build's log. description: for the
    build's description; badge: the same in a word or two. image: what to go on with: the image that was built, or
    `repository@digest`. staged: where the promotion job finds it; delegated: how that job's end is told,
    by its outcome. on_stop, publish: what the library is to do.
    plan: of `imagePipeline`. document: what the command printed with `--json`, where that is short.
    """

    step: str
    outcome: Verdict
    exit_code: int
    message: str
    description: str = ""
    badge: str = ""
    image: str = ""
    digest: str = ""
    repository: str = ""
    tags: tuple[str, ...] = ()
    images: tuple[ImageVerdict, ...] = ()
    reports: Reports | None = None
    staged: str = ""
    delegated: dict[str, Told] = {}
    promotion_job: str = ""
    on_stop: str = "FAILURE"
    publish: bool = False
    in_parallel: bool = False
    plan: tuple[PlannedImage, ...] = ()
    document: Any = None
