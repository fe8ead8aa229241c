"""Who has which repositories: `teams.yaml`, from which Jenkinsfiles and jobs are made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from imagegate.errors import ConfigError
from imagegate.jenkins.catalogue import BY_NAME, IMAGE_PARAMETERS
from imagegate.jenkins.parameter import Kind, Parameter, read
from imagegate.jenkins.site import (
    CREDENTIALS,
    GROUPS,
    JOB,
    NIGHTLY,
    RECHECK,
    SCHEDULED,
    SITE,
    JenkinsSite,
    PipelineJob,
    RecheckJob,
)
from imagegate.yamlfile import Located

_PART = re.compile(r"[^\W_]([\w .+&'()-]*[\w)])?")
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")

_LIBRARY = Parameter("library", Kind.TEXT, "Tag or branch of the library that the Jenkinsfiles pin.")
_CHOICES = (
    Parameter("agent", Kind.TEXT, "Label of the agents.", default="docker"),
    Parameter("policy", Kind.TEXT, "Policy document: a file on the agents, or a shipped one's name."),
    Parameter("onStop", Kind.TEXT, "What a stop makes of the build.", choices=("FAILURE", "UNSTABLE")),
    Parameter("promotion", Kind.TEXT, "Who signs.", choices=("direct", "delegated")),
    Parameter("promotionJob", Kind.TEXT, "Full name of the promotion job."),
    Parameter("staging", Kind.TEXT, "Where images wait to be promoted."),
    Parameter("notify", Kind.TEXTS, "E-mail addresses that are told of a build that did not succeed."),
    Parameter("timeout", Kind.TEXT, "Minutes that a build may take.", default="60"),
)
"""What may stand in `defaults`, in a team and in a repository; the innermost counts."""

_TEAM = (
    Parameter("owners", Kind.TEXTS, "Who answers for the team: addresses, or names of users or groups.", required=True),
    Parameter("folder", Kind.TEXT, "Folder of the team's jobs. Default: the team's name."),
    *_CHOICES,
)
_REPOSITORY = (
    Parameter("name", Kind.TEXT, "Name, and the directory of its checkout: `payments/api`.", required=True),
    Parameter("url", Kind.TEXT, "Where it is cloned from."),
    Parameter("credentials", Kind.TEXT, "Id of the credential that it is cloned with."),
    Parameter("kind", Kind.TEXT, "What its images are.", default="application", choices=("application", "base")),
    Parameter("template", Kind.TEXT, "Template of its Jenkinsfile. Default: the kind's."),
    *_CHOICES,
)
_STAGE = (
    Parameter("name", Kind.TEXT, "Name of the stage.", required=True),
    Parameter("run", Kind.TEXT, "Its shell command.", required=True),
    Parameter("when", Kind.TEXT, "Before the builds, or after each.", default="test", choices=("before", "test")),
)


class Stage(msgspec.Struct, frozen=True):
    """One more stage of a pipeline. when: `before` the builds, or as `test` of each."""

    name: str
    run: str
    when: str = "test"


class Repository(msgspec.Struct, frozen=True):
    """One repository. choices: those of _CHOICES that are made for it; images: parameters of imagePipeline."""

    name: str
    team: str
    images: tuple[dict[str, Any], ...]
    choices: dict[str, Any]
    url: str = ""
    credentials: str = ""
    kind: str = "application"
    template: str = ""
    stages: tuple[Stage, ...] = ()
    scheduled: tuple[PipelineJob, ...] = ()


class Team(msgspec.Struct, frozen=True):
    """One team. folder: of its jobs in Jenkins."""

    name: str
    owners: tuple[str, ...]
    folder: str
    repositories: tuple[Repository, ...]


class Teams(msgspec.Struct, frozen=True):
    """All of a teams file. library: the ref of the library that Jenkinsfiles pin, empty: the command's own version."""

    library: str
    teams: tuple[Team, ...]
    jenkins: JenkinsSite = JenkinsSite()

    @property
    def repositories(self) -> tuple[Repository, ...]:
        return tuple(repository for team in self.teams for repository in team.repositories)


def read_teams(document: Located) -> Teams:
    """Return what a teams file says. Raises ConfigError with every mistake, each with its place."""
    reader = _Reader()
    teams = reader.teams(document)
    if reader.problems:
        raise ConfigError("the teams file has mistakes:\n  " + "\n  ".join(reader.problems))
    return teams


class _Reader:
    """Reads node by node and collects what is wrong."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def teams(self, document: Located) -> Teams:
        top = self._members(document, "the teams file")
        defaults = self._values(top.pop("defaults", None), "defaults", _CHOICES)
        jenkins = self._jenkins(top.pop("jenkins", None))
        listed = self._members(top.pop("teams", Located({}, document.place)), "teams")
        values = self._values(Located(top, document.place), "the teams file", (_LIBRARY,))
        library = str(values.get("library", ""))
        if library and not _REF.fullmatch(library):
            self.problems.append(f"{document.place}: library: {library!r} is no name of a tag or branch")
        if not listed:
            self.problems.append(f"{document.place}: there are no teams")
        teams = tuple(self._team(name, node, defaults) for name, node in listed.items())
        place = document.place
        self._unique(
            place, "two repositories have the name", [each.name for team in teams for each in team.repositories]
        )
        self._unique(place, "two teams have the folder", [team.folder for team in teams])
        return Teams(library, teams, jenkins)

    def _jenkins(self, node: Located | None) -> JenkinsSite:
        if node is None:
            return JenkinsSite()
        members = self._members(node, "jenkins")
        promotion, recheck = (members.pop(name, None) for name in ("promotion", "recheck"))
        scheduled = self._items(members.pop("scheduled", Located([], node.place)), "jenkins: scheduled", least=0)
        credentials = self._values(members.pop("credentials", None), "jenkins: credentials", CREDENTIALS)
        folders = members.pop("folderCredentials", Located({}, node.place))
        ids = tuple(Parameter(name, Kind.TEXTS, "") for name in self._members(folders, "folderCredentials"))
        given = {
            **self._values(Located(members, node.place), "jenkins", (*SITE, *GROUPS)),
            "credentials": credentials,
            "folderCredentials": self._values(folders, "folderCredentials", ids),
            "promotion": self._job(promotion, "promotion", JOB) if promotion else None,
            "recheck": self._recheck(recheck) if recheck else None,
            "scheduled": [job for each in scheduled if (job := self._job(each, "scheduled", SCHEDULED))],
        }
        for name in (str(given.get("owner", "imagegate")), *given["folderCredentials"]):
            self._name(name, node.place)
        return msgspec.convert(given, JenkinsSite)

    def _recheck(self, node: Located) -> RecheckJob | None:
        members = self._members(node, "recheck")
        own = {name: members.pop(name) for name in ("checkout", "template") if name in members}
        step = BY_NAME["recheckImages"].all_parameters
        parameters = self._values(members.pop("parameters", None), "recheck: parameters", step)
        job = self._job(Located(members, node.place), "recheck", SCHEDULED)
        values = self._values(Located(own, node.place), "recheck", RECHECK[-2:])
        if "checkout" in values:
            self._name(values["checkout"], node.place)
        self._template(values.get("template", ""), node.place)
        return RecheckJob(job, parameters, **values) if job else None

    def _job(self, node: Located, what: str, parameters: tuple[Parameter, ...], **own: str) -> PipelineJob | None:
        values = self._values(node, what, parameters)
        if "name" in values:
            self._name(values["name"], node.place)
        required = {parameter.name for parameter in parameters if parameter.required}
        return PipelineJob(**own, **values) if values.keys() >= required else None

    def _team(self, name: str, node: Located, defaults: Mapping[str, Any]) -> Team:
        members = self._members(node, f"team {name}")
        repositories = self._items(members.pop("repositories", None), f"team {name}: repositories")
        values = self._values(Located(members, node.place), f"team {name}", _TEAM)
        self._name(name, node.place)
        folder = str(values.pop("folder", name))
        self._name(folder, node.place)
        choices = {**defaults, **{key: value for key, value in values.items() if key != "owners"}}
        return Team(
            name,
            tuple(values.get("owners", ())),
            folder,
            tuple(self._repository(each, name, choices) for each in repositories),
        )

    def _repository(self, node: Located, team: str, defaults: Mapping[str, Any]) -> Repository:
        members = self._members(node, f"a repository of team {team}")
        images = self._items(members.pop("images", None), "images")
        stages = self._items(members.pop("stages", Located([], node.place)), "stages", least=0)
        scheduled = self._items(members.pop("scheduled", Located([], node.place)), "scheduled", least=0)
        values = self._values(Located(members, node.place), "repository", _REPOSITORY)
        name = str(values.pop("name", "?"))
        self._name(name, node.place)
        if values.get("kind") == "base":
            # Defaults are of applications: a base image is evaluated by its own policy, unless it names another itself.
            defaults = {key: value for key, value in defaults.items() if key != "policy"}
        own = {key: str(values.pop(key)) for key in ("url", "credentials", "kind", "template") if key in values}
        clone = {key: own.get(key, "") for key in ("url", "credentials")}
        self._template(own.get("template", ""), node.place)
        return Repository(
            name=name,
            team=team,
            images=tuple(self._image(each) for each in images),
            choices={**defaults, **values},
            stages=tuple(stage for each in stages if (stage := self._stage(each))),
            scheduled=tuple(job for each in scheduled if (job := self._job(each, "scheduled", NIGHTLY, **clone))),
            **own,
        )

    def _image(self, node: Located) -> dict[str, Any]:
        values = self._values(node, "image", IMAGE_PARAMETERS)
        if not values.get("to"):
            self.problems.append(f"{node.place}: image: to is missing: the repository to promote into")
        return values

    def _stage(self, node: Located) -> Stage | None:
        values = self._values(node, "stage", _STAGE)
        return Stage(**values) if values.keys() >= {"name", "run"} else None

    def _values(self, node: Located | None, what: str, parameters: tuple[Parameter, ...]) -> dict[str, Any]:
        if node is None:
            return {}
        members = self._members(node, what)
        values, problems = read(what, parameters, {name: each.plain() for name, each in members.items()})
        self.problems += (f"{self._place(problem, members, node)}: {problem}" for problem in problems)
        return values

    def _place(self, problem: str, members: Mapping[str, Located], node: Located) -> str:
        """Return the place of the member that a problem names, else its group's."""
        return next(
            (each.place for name, each in members.items() if re.search(rf"\b{re.escape(name)}\b", problem)), node.place
        )

    def _members(self, node: Located, what: str) -> dict[str, Located]:
        if isinstance(node.value, dict):
            return dict(node.value)
        self.problems.append(f"{node.place}: {what} is a mapping of names to values")
        return {}

    def _items(self, node: Located | None, what: str, least: int = 1) -> list[Located]:
        if node is not None and isinstance(node.value, list) and len(node.value) >= least:
            return node.value
        self.problems.append(f"{node.place if node else '?'}: {what} must be a list" + (", not empty" if least else ""))
        return []

    def _template(self, text: str, place: str) -> None:
        if text and not re.fullmatch(r"[\w.-]+\.j2", text):
            self.problems.append(f"{place}: template: {text!r} is no name of a template, such as x.j2")

    def _name(self, text: str, place: str) -> None:
        if not all(_PART.fullmatch(part) for part in text.split("/")):
            self.problems.append(
                f"{place}: {text!r} is no name: letters, digits, spaces and .+&'()- only, with / between"
            )

    def _unique(self, place: str, what: str, names: list[str]) -> None:
        self.problems += (f"{place}: {what} {name}" for name in dict.fromkeys(names) if names.count(name) > 1)
