"""The plan of a pipeline: which steps `imagePipeline` runs for each image, and with what. Pure.

The library only follows it, so that how a build is named, tagged and gated is decided here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import msgspec

from imagegate.errors import UsageError
from imagegate.image.reference import parse_repository
from imagegate.jenkins.catalogue import BY_NAME, IMAGE_PARAMETERS
from imagegate.jenkins.parameter import read
from imagegate.jenkins.request import NO_OVERWRITE, Invocation

_OF_ALL = {each.name for each in BY_NAME["imagePipeline"].all_parameters} - {each.name for each in IMAGE_PARAMETERS}
"""What cannot differ from image to image."""


class Call(msgspec.Struct, frozen=True):
    """One step to run. parameters: as a Jenkinsfile would give them; the library adds the built image."""

    step: str
    parameters: dict[str, Any]


class PlannedImage(msgspec.Struct, frozen=True):
    """What is done for one image. name: of its repository, for stages and results."""

    name: str
    build: Call
    gate: Call


def plan(invocation: Invocation, environ: Mapping[str, str]) -> tuple[PlannedImage, ...]:
    """Return what to do for each image, in order.

    environ: of the build; BRANCH_NAME, TAG_NAME, CHANGE_ID and BUILD_NUMBER say what is built (Jenkins, "Branch API").
    Raises UsageError with every mistake.
    """
    top = invocation.values
    shared = {name: value for name, value in top.items() if name not in ("images", "before", "test", "after")}
    planned: list[PlannedImage] = []
    problems: list[str] = []
    for number, given in enumerate(top.get("images", [{}]), 1):
        misplaced = [name for name in given if name in _OF_ALL]
        problems += (f"imagePipeline, image {number}: {name} is for all: put it beside `images`" for name in misplaced)
        given = {name: value for name, value in given.items() if name not in misplaced}
        own, wrong = read(f"imagePipeline, image {number}", IMAGE_PARAMETERS, given)
        problems += wrong
        values = {**shared, **own}
        if not values.get("to"):
            problems.append(f"imagePipeline, image {number}: to is missing: the repository to promote into")
        if own.get("overwriteTag") and shared.get("promotion") == "delegated":
            problems.append(f"imagePipeline, image {number}: {NO_OVERWRITE}")
        if not problems:
            planned.append(_planned(values, invocation.text("pullRequests"), environ))
    names = [each.name for each in planned]
    problems += (
        f"imagePipeline: two images have the name {name}; give each a reportName"
        for name in {n for n in names if names.count(n) > 1}
    )
    if problems:
        raise UsageError("\n  ".join(problems))
    return tuple(planned)


def _planned(values: Mapping[str, Any], pull_requests: str, environ: Mapping[str, str]) -> PlannedImage:
    name = repository_path(values["to"])
    context = values.get("context", ".")
    dockerfile = values.get("dockerfile", str(PurePosixPath(context) / "Dockerfile"))
    tags = values.get("tags") or [default_tag(environ)]
    report = values.get("reportName", name)
    local = f"imagegate/{name}:{slug(environ.get('BRANCH_NAME') or environ.get('JOB_NAME') or 'build')}"
    values = {**values, "dockerfile": dockerfile, "tags": tags, "reportName": report}
    build = Call("buildImage", {**_for_step("buildImage", values), "names": [local]})
    if environ.get("CHANGE_ID") and pull_requests == "check":
        parameters = _for_step("checkImage", values)
        return PlannedImage(report, build, Call("checkImage", {**parameters, "as": f"{values['to']}:{tags[0]}"}))
    return PlannedImage(report, build, Call("gateImage", _for_step("gateImage", values)))


def _for_step(step: str, values: Mapping[str, Any]) -> dict[str, Any]:
    known = {parameter.name for parameter in BY_NAME[step].all_parameters} - {"names"}
    return {name: value for name, value in values.items() if name in known}


def repository_path(text: str) -> str:
    """Return the path of `[registry/]path`. Raises InvalidReference."""
    return parse_repository(text).name.removeprefix("library/")


def default_tag(environ: Mapping[str, str]) -> str:
    """Return the tag of a build: a released tag's own name, else branch and number, else the number."""
    if environ.get("TAG_NAME"):
        return slug(environ["TAG_NAME"])
    number = environ.get("BUILD_NUMBER", "")
    if not number:
        raise UsageError("no tag is given, and no BUILD_NUMBER is there to make one from", hint="Set `tags`.")
    branch = environ.get("BRANCH_NAME", "")
    return f"{slug(branch)}-{number}" if branch else number


def report_id(repository: str, *, check: bool) -> str:
    """Return the id of a repository's reports, no other's: one in which `-` could be `/`, or a kind, gets a hash."""
    kind = "check-" if check else ""
    plain = re.fullmatch(r"[^-/]+(/[^-/]+)*", repository) and repository.partition("/")[0] != "check"
    return f"imagegate-{kind}" + (slug(repository.replace("/", "-")) if plain else slug(repository, marked=True))


def slug(text: str, length: int = 80, *, marked: bool = False) -> str:
    """Return text as part of a tag or file name; what had to be changed gets a short hash, so that none collide.

    marked: also what had not.
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")[:length]
    if plain == text and not marked:
        return plain
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{plain}-{digest}" if plain else digest
