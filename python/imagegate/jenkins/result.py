"""What a step tells the Jenkins library: `result.json`."""

from __future__ import annotations

from typing import Any

import msgspec

from imagegate.jenkins.plan import PlannedImage, report_id
from imagegate.jenkins.recheck_plan import FanOut
from imagegate.model import Verdict
from imagegate.model.news import TeamNews, TeamStanding, Upgrade

FILES = {
    "junit": "junit.xml",
    "warnings-ng": "issues.json",
    "html": "report.html",
    "sarif": "report.sarif",
    "json": "report.json",
}
"""What is written for Jenkins: format to file."""


class Reports(msgspec.Struct, frozen=True, rename="camel"):
    """The reports of a verdict, each a path below the step's directory `reports`, empty for one that there is not.

    id, name: for Jenkins's views.
    """

    id: str
    name: str
    folder: str
    junit: str
    issues: str
    html: str


def named_reports(name: str, *, check: bool = False, issues: bool = True) -> Reports:
    """Return where the reports of a name go. check: of one that changes nothing. issues: whether there are issues."""
    identifier = report_id(name, check=check)
    folder = f"imagegate/{identifier.removeprefix('imagegate-')}"
    return Reports(
        id=identifier,
        name=f"imagegate{' check' if check else ''}: {name}",
        folder=folder,
        junit=f"{folder}/{FILES['junit']}",
        issues=f"{folder}/{FILES['warnings-ng']}" if issues else "",
        html=f"{folder}/{FILES['html']}",
    )


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


class Rechecked(msgspec.Struct, frozen=True, rename="camel"):
    """What a re-check found, in numbers, and what is to be done.

    vulnerabilities: new or changed, none that is resolved or milder. images: that they hit; above: those with one at or
    above `recheck.threshold`; stopped: those that their policies would stop today. sent: messages to teams.
    standing: of all images, by team, where all were evaluated.
    """

    vulnerabilities: int
    images: int
    above: int
    stopped: int
    teams: tuple[TeamNews, ...]
    upgrades: tuple[Upgrade, ...]
    sent: int
    problems: tuple[str, ...]
    standing: tuple[TeamStanding, ...] = ()


class StepResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="schema", tag="imagegate/step/1"):
    """How a step ended.

    outcome: `undecided` is an error, whatever the reason. message: one line for the build's log. description: for the
    build's description; badge: the same in a word or two. image: what to go on with: the image that was built, or
    `repository@digest`. staged: where the promotion job finds it; delegated: how that job's end is told,
    by its outcome. on_stop, publish: what the library is to do.
    plan: of `imagePipeline`. document: what the command printed with `--json`, where that is short.
    recheck: of a re-check; of its calls, done: whether a shard was, problems: what it could not decide; fan_out: the
    calls that are left; stash: what to keep the advisories as.
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
    recheck: Rechecked | None = None
    done: bool = False
    problems: tuple[str, ...] = ()
    fan_out: FanOut | None = None
    stash: str = ""
