"""New repositories: files that build, pass the gate and have a Jenkinsfile, by kind. Pure: values in, texts out."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from imagegate.errors import ConfigError, UsageError
from imagegate.jenkins.generate import stamp
from imagegate.jenkins.rendering import SHIPPED, Templates, template_of
from imagegate.jenkins.teams import Repository, Stage, Team

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
"""What a value of a template may be: nothing that has a meaning in any of the files that it is written into."""
_HIDDEN = {"gitignore": ".gitignore", "dockerignore": ".dockerignore"}
_EXECUTABLE = (".sh",)


class Kind(msgspec.Struct, frozen=True):
    """A kind of repository. stages: of its pipeline; policy: that its image must pass; on_base: it needs a base."""

    summary: str
    stages: tuple[Stage, ...]
    policy: str = "application"
    on_base: bool = True


KINDS = {
    "python-app": Kind(
        "A Python application; its dependencies are copied in, from requirements.txt.",
        (
            Stage(
                "Dependencies",
                "mkdir -p vendor && python3 -m pip install --target vendor -r requirements.txt",
                "before",
            ),
            Stage("Unit tests", "PYTHONPATH=vendor python3 -m unittest"),
        ),
    ),
    "node-app": Kind(
        "A Node.js application; its dependencies are copied in, from package-lock.json.",
        (
            Stage("Dependencies", "mkdir -p node_modules && npm ci --omit=dev", "before"),
            Stage("Unit tests", "npm test"),
        ),
    ),
    "base-image": Kind(
        "A base image: a minimal Debian with packages of your choice.",
        (Stage("Root file system", "./make-root.sh", "before"),),
        "base-image",
        on_base=False,
    ),
}


class NewRepository(msgspec.Struct, frozen=True):
    """What a new repository holds. files: texts by path; entry: of the teams file."""

    files: dict[str, str]
    entry: dict[str, Any]


def new_repository(kind: str, name: str, *, base: str, team: str, library: str) -> NewRepository:
    """Return the files of a repository. base: empty for a base image. Raises UsageError, ConfigError."""
    found = KINDS.get(kind)
    if found is None:
        raise UsageError(f"there is no kind {kind!r}", hint=_nearest(kind))
    if found.on_base and not base:
        raise UsageError("no base image is named", hint="Give --base registry/repo:tag, or set trusted.registry.")
    values = {
        "name": name,
        "last": name.rpartition("/")[2],
        "base": base if found.on_base else "",
        "policy": found.policy,
    }
    repository = _repository(found, name, team)
    body = Templates().render(repository, Team(team, ("owner@example.com",), team, (repository,)), library)
    files = _rendered(kind, values)
    files["Jenkinsfile"] = stamp(body, template=template_of(repository), library=library)
    return NewRepository(files, _entry(repository))


def is_executable(path: str) -> bool:
    """Whether a file is a program."""
    return path.endswith(_EXECUTABLE)


def _repository(kind: Kind, name: str, team: str) -> Repository:
    tags: dict[str, Any] = {} if kind.on_base else {"tags": ["12"]}
    return Repository(
        name=name,
        team=team,
        images=({"to": name, **tags},),
        choices={},
        kind="application" if kind.on_base else "base",
        stages=kind.stages,
    )


def _entry(repository: Repository) -> dict[str, Any]:
    kind = {} if repository.kind == "application" else {"kind": repository.kind}
    stages = [
        {"name": stage.name, "run": stage.run, **({"when": stage.when} if stage.when != "test" else {})}
        for stage in repository.stages
    ]
    return {"name": repository.name, **kind, "images": list(repository.images), "stages": stages}


def _rendered(kind: str, values: dict[str, str]) -> dict[str, str]:
    """Return the files of a kind, by their paths; its own hide the common ones."""
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(SHIPPED / "new"),
        undefined=StrictUndefined,
        finalize=_safe,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    files: dict[str, str] = {}
    for folder in ("common", kind):
        for template in sorted((SHIPPED / "new" / folder).rglob("*.j2")):
            path = str(template.relative_to(SHIPPED / "new" / folder)).removesuffix(".j2")
            files[_HIDDEN.get(path, path)] = environment.get_template(f"{folder}/{path}.j2").render(values)
    return files


def _safe(value: Any) -> str:
    if not isinstance(value, str) or (value and not _SAFE.fullmatch(value)):
        raise ConfigError(f"{str(value)[:80]!r} cannot be written into the files of a repository")
    return value


def _nearest(kind: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(kind, KINDS, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Kinds: {', '.join(KINDS)}."
