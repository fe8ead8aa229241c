"""The `config.xml` of each kind of item that we make, from values. Pure; every value becomes text of one element.

Elements are those that the plugins themselves write, checked against their sources: cloudbees-folder, branch-api, git,
workflow-multibranch, workflow-job, workflow-cps, matrix-auth.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from imagegate.jenkins import shapes
from imagegate.jenkins.configxml import child
from imagegate.jenkins.site import PipelineJob

_COMPUTED = "com.cloudbees.hudson.plugins.folder.computed"
_TRAITS = ("jenkins.plugins.git.traits.BranchDiscoveryTrait", "jenkins.plugins.git.traits.TagDiscoveryTrait")
_MAY = ("hudson.model.Item.Build", "hudson.model.Item.Cancel", "hudson.model.Item.Read")
_COLUMNS = ("Status", "Weather", "Job", "LastSuccess", "LastFailure", "LastDuration")
_PARAMETERS = (
    ("IMAGE", "registry/repository@sha256:… in the staging registry"),
    ("TAGS", "the tags to give, with a space between them"),
)


def folder(description: str, owners: Sequence[str]) -> Element:
    """Return a folder. owners: who may read and build in it; empty: nothing is said of permissions.

    An owner is named as matrix-auth names one of whom it need not know whether it is a user or a group.
    """
    root = Element(shapes.FOLDER_CLASS)
    child(root, "description", description)
    if owners:
        permissions = child(child(root, "properties"), shapes.PERMISSIONS)
        strategy = "org.jenkinsci.plugins.matrixauth.inheritance.InheritParentStrategy"
        child(permissions, "inheritanceStrategy", attributes={"class": strategy})
        for owner in sorted(set(owners)):
            for permission in _MAY:
                child(permissions, "permission", f"{permission}:{owner}")
    return root


def multibranch(
    description: str, display: str, url: str, credentials: str, *, minutes: int, keep: int, script: str = "Jenkinsfile"
) -> Element:
    """Return a multibranch pipeline of a git repository. minutes: between scans; keep: days, of deleted branches."""
    root = Element(shapes.MULTIBRANCH_CLASS)
    child(root, "description", description)
    child(root, "displayName", display)
    orphans = child(root, "orphanedItemStrategy", attributes={"class": f"{_COMPUTED}.DefaultOrphanedItemStrategy"})
    child(orphans, "pruneDeadBranches", "true")
    child(orphans, "daysToKeep", str(keep))
    child(orphans, "numToKeep", "-1")
    trigger = child(child(root, "triggers"), shapes.PERIODIC)
    child(trigger, "spec", _crontab(minutes))
    child(trigger, "interval", str(minutes * 60_000))
    child(root, "disabled", "false")
    sources = child(root, "sources", attributes={"class": "jenkins.branch.MultiBranchProject$BranchSourceList"})
    branch_source = child(child(sources, "data"), "jenkins.branch.BranchSource")
    source = child(branch_source, "source", attributes={"class": "jenkins.plugins.git.GitSCMSource"})
    child(source, "id", display)  # by a new id Jenkins would take every branch for a new one, and build it
    child(source, "remote", url)
    child(source, "credentialsId", credentials)
    traits = child(source, "traits")
    for each in _TRAITS:
        child(traits, each)
    strategy = child(branch_source, "strategy", attributes={"class": "jenkins.branch.DefaultBranchPropertyStrategy"})
    child(strategy, "properties", attributes={"class": "empty-list"})
    owner = {"class": shapes.MULTIBRANCH_CLASS, "reference": "../.."}
    child(sources, "owner", attributes=owner)
    factory_class = "org.jenkinsci.plugins.workflow.multibranch.WorkflowBranchProjectFactory"
    factory = child(root, "factory", attributes={"class": factory_class})
    child(factory, "owner", attributes=owner)
    child(factory, "scriptPath", script)
    return root


def pipeline(description: str, job: PipelineJob, *, promotes: bool = False) -> Element:
    """Return a pipeline whose script is in a git repository. promotes: it has the promotion job's two parameters.

    With them it can be asked from its first day; later, what its script says of them counts, and they are not ours.
    """
    root = Element("flow-definition")
    child(root, "description", description)
    properties = child(root, "properties")
    if promotes:
        asked = child(child(properties, "hudson.model.ParametersDefinitionProperty"), "parameterDefinitions")
        for name, meaning in _PARAMETERS:
            parameter = child(asked, "hudson.model.StringParameterDefinition")
            child(parameter, "name", name)
            child(parameter, "description", meaning)
    if job.cron:
        timer = child(child(child(properties, shapes.TRIGGERS), "triggers"), shapes.TIMER)
        child(timer, "spec", job.cron)
    definition_class = "org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition"
    definition = child(root, "definition", attributes={"class": definition_class})
    scm = child(definition, "scm", attributes={"class": "hudson.plugins.git.GitSCM"})
    child(scm, "configVersion", "2")
    remote = child(child(scm, "userRemoteConfigs"), shapes.REMOTE)
    child(remote, "url", job.url)
    child(remote, "credentialsId", job.credentials)
    branch = job.branch if job.branch.startswith("refs/") else f"refs/heads/{job.branch}"
    child(child(child(scm, "branches"), shapes.BRANCH), "name", branch)
    child(definition, "scriptPath", job.script)
    child(definition, "lightweight", "true")
    child(root, "disabled", "false")
    return root


def view(description: str, name: str, pattern: str) -> Element:
    """Return a list view at the root of the items, in whichever folder, whose full names match a regular expression.

    A list of names would not do: Jenkins takes a name off it when the item goes, and the view would seem edited.
    """
    root = Element(shapes.VIEW_CLASS)
    child(root, "name", name)
    child(root, "description", description)
    names = child(root, "jobNames")
    child(names, "comparator", attributes={"class": "java.lang.String$CaseInsensitiveComparator"})
    columns = child(root, "columns")
    for each in _COLUMNS:
        child(columns, f"hudson.views.{each}Column")
    child(root, "includeRegex", pattern)
    child(root, "recurse", "true")
    return root


def _crontab(minutes: int) -> str:
    """Return how often Jenkins looks whether the interval is over. (PeriodicFolderTrigger.toCrontab.)"""
    steps = (
        (5, "* * * * *"),
        (30, "H/5 * * * *"),
        (60, "H/15 * * * *"),
        (480, "H/30 * * * *"),
        (1440, "H H/4 * * *"),
        (2880, "H H/12 * * *"),
    )
    return next((crontab for most, crontab in steps if minutes <= most), "H H * * *")
