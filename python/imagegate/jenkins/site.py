"""The section `jenkins` of a teams file: what the jobs are made of that belongs to no single repository."""

from __future__ import annotations

from typing import Any

import msgspec

from imagegate.jenkins.parameter import Kind, Parameter
from imagegate.jenkins.step import BINDINGS

TEXT = Kind.TEXT

SITE = (
    Parameter("url", TEXT, "The Jenkins."),
    Parameter("owner", TEXT, "Whose the jobs are: stands in their marks. Two teams files of one Jenkins have two."),
    Parameter("scan", TEXT, "Minutes between two scans of a repository for branches.", default="15"),
    Parameter("keep", TEXT, "Days that the jobs of deleted branches are kept.", default="7"),
    Parameter("view", TEXT, "Name of a list view at the root that shows all jobs. Default: none is made."),
    Parameter("permissions", Kind.FLAG, "Owners may read and build in their team's folder.", default="no"),
    Parameter("libraryUrl", TEXT, "Where Jenkins clones the library from."),
    Parameter("libraryCredentials", TEXT, "Id of the credential that it clones it with."),
    Parameter("variables", Kind.MAP, "Global environment variables, by name."),
)
GROUPS = (
    Parameter("recheck", Kind.MAP, "The job that re-checks what was promoted."),
    Parameter("promotion", Kind.MAP, "The job that evaluates again and signs."),
    Parameter("scheduled", Kind.IMAGES, "Jobs that run by themselves."),
    Parameter("credentials", Kind.MAP, "Ids of the library's credentials, by its parameters' names."),
    Parameter("folderCredentials", Kind.MAP, "Ids of credentials that folders hold."),
)
"""Members that are read one by one."""
JOB = (
    Parameter("name", TEXT, "Full name of the job: `platform/promote`.", required=True),
    Parameter("url", TEXT, "The repository of its Jenkinsfile.", required=True),
    Parameter("script", TEXT, "Its Jenkinsfile.", default="Jenkinsfile"),
    Parameter("branch", TEXT, "The branch.", default="main"),
    Parameter("credentials", TEXT, "Id of the credential that it is cloned with."),
)
_CRON = Parameter("cron", TEXT, "When it runs, as Jenkins writes it: `H 3 * * *`.", required=True)
SCHEDULED = (*JOB, _CRON)
NIGHTLY = (Parameter("name", TEXT, "Its name, behind the repository's.", required=True), *JOB[2:4], _CRON)
"""A scheduled job of a repository: the URL and the credential are the repository's."""
RECHECK = (
    *SCHEDULED,
    Parameter(
        "checkout", TEXT, "Where `imagegate generate` writes its Jenkinsfile: a checkout's name. Default: nowhere."
    ),
    Parameter("template", TEXT, "Template of the Jenkinsfile.", default="recheck.j2"),
)
"""Of the job that re-checks; beside them stand the `parameters` of its step."""
CREDENTIALS = tuple(Parameter(each.name, TEXT, each.help) for each in BINDINGS)


class PipelineJob(msgspec.Struct, frozen=True):
    """A pipeline whose script is in a repository. cron: when it runs by itself, empty: when it is asked to."""

    name: str
    url: str
    script: str = "Jenkinsfile"
    branch: str = "main"
    credentials: str = ""
    cron: str = ""


class RecheckJob(msgspec.Struct, frozen=True):
    """The job that re-checks. checkout: of the repository of its Jenkinsfile; parameters: of recheckImages."""

    job: PipelineJob
    parameters: dict[str, Any] = {}
    checkout: str = ""
    template: str = "recheck.j2"


class JenkinsSite(msgspec.Struct, frozen=True, rename="camel"):
    """What the section says. scan: minutes; keep: days.

    credentials: ids by the names of the library's parameters. folder_credentials: ids by the folder that holds them.
    """

    url: str = ""
    owner: str = "imagegate"
    scan: str = "15"
    keep: str = "7"
    view: str = ""
    permissions: bool = False
    library_url: str = ""
    library_credentials: str = ""
    variables: dict[str, str] = {}
    credentials: dict[str, str] = {}
    folder_credentials: dict[str, tuple[str, ...]] = {}
    promotion: PipelineJob | None = None
    scheduled: tuple[PipelineJob, ...] = ()
    recheck: RecheckJob | None = None

    @property
    def timed(self) -> tuple[PipelineJob, ...]:
        """The site's jobs that run by themselves."""
        return (*self.scheduled, *([self.recheck.job] if self.recheck else []))
