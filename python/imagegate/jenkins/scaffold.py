"""New repositories: files that build, pass the gate and have a Jenkinsfile, by kind. Pure: values in, texts out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from imagegate.errors import ConfigError, UsageError
from imagegate.jenkins.generate import stamp
from imagegate.jenkins.kinds import KINDS, Kind
from imagegate.jenkins.rendering import SHIPPED, Templates, template_of
from imagegate.jenkins.teams import Teams

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
"""What a value of a template may be: nothing that has a meaning in any of the files that it is written into."""
_HIDDEN = {"gitignore": ".gitignore", "dockerignore": ".dockerignore"}


class NewRepository(msgspec.Struct, frozen=True):
    """What a new repository holds. files: texts by path; entry: of the teams file."""

    files: dict[str, str]
    entry: dict[str, Any]


def new_repository(kind: str, name: str, *, base: str, with_git: bool = False) -> NewRepository:
    """Return the files of a repository, without its Jenkinsfile, and its entry. Raises UsageError, ConfigError.

    base: of an application; a base image has none. with_git: its first commit is made already.
    """
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
        "with_git": with_git,
    }
    return NewRepository(_rendered(kind, values), _entry(found, name))


def jenkinsfile(teams: Teams, name: str, *, library: str, templates: Path | None = None) -> str:
    """Return the Jenkinsfile of one of a teams file's repositories, stamped as `imagegate generate` does.

    library: the ref where the file names none. templates: a site's own. Raises ConfigError.
    """
    team, repository = next((team, each) for team in teams.teams for each in team.repositories if each.name == name)
    library = teams.library or library
    body = Templates(templates).render(repository, team, library)
    return stamp(body, template=template_of(repository), library=library)


def _entry(kind: Kind, name: str) -> dict[str, Any]:
    image: dict[str, Any] = {"to": name} if kind.on_base else {"to": name, "tags": ["12"]}
    stages = [
        {"name": stage.name, "run": stage.run, **({"when": stage.when} if stage.when != "test" else {})}
        for stage in kind.stages
    ]
    return {"name": name, **({} if kind.on_base else {"kind": "base"}), "images": [image], "stages": stages}


def _rendered(kind: str, values: dict[str, Any]) -> dict[str, str]:
    """Return the files of a kind, by their paths; its own hide the common ones."""
    try:
        from jinja2 import FileSystemLoader, StrictUndefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError as error:
        raise UsageError("jinja2 is not installed", hint="pip install 'imagegate[admin]'") from error
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(SHIPPED / "new"),
        undefined=StrictUndefined,
        finalize=_safe,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
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
