"""The kinds of items that we make, and which places of their documents are ours.

The tags are those that the plugins cloudbees-folder, branch-api, git, workflow-multibranch, workflow-job, workflow-cps
and matrix-auth write, of which the names of classes are part of what they promise to read again.
"""

from __future__ import annotations

import msgspec

from imagegate.jenkins.configxml import Shape

FOLDER_CLASS = "com.cloudbees.hudson.plugins.folder.Folder"
MULTIBRANCH_CLASS = "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject"
PIPELINE_CLASS = "org.jenkinsci.plugins.workflow.job.WorkflowJob"
VIEW_CLASS = "hudson.model.ListView"
PERMISSIONS = "com.cloudbees.hudson.plugins.folder.properties.AuthorizationMatrixProperty"
PERIODIC = "com.cloudbees.hudson.plugins.folder.computed.PeriodicFolderTrigger"
TRIGGERS = "org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty"
TIMER = "hudson.triggers.TimerTrigger"
REMOTE = "hudson.plugins.git.UserRemoteConfig"
BRANCH = "hudson.plugins.git.BranchSpec"

TEXT = Shape()
_NAMED = {"description": TEXT, "displayName": TEXT}
_JOB = {**_NAMED, "disabled": Shape(default="false")}

_PERMITTED = Shape({"inheritanceStrategy": Shape(default=None, typed=True), "permission": TEXT}, default=None)
_SOURCE = Shape({"id": TEXT, "remote": TEXT, "credentialsId": TEXT, "traits": Shape(whole=True)}, typed=True)
_SOURCES = Shape({"jenkins.branch.BranchSource": Shape({"source": _SOURCE})}, whole=True)
_ORPHANS = Shape({"pruneDeadBranches": TEXT, "daysToKeep": TEXT, "numToKeep": TEXT}, typed=True)
_SCM = Shape(
    {
        "userRemoteConfigs": Shape({REMOTE: Shape({"url": TEXT, "credentialsId": TEXT})}, whole=True),
        "branches": Shape({BRANCH: Shape({"name": TEXT})}, whole=True),
    },
    typed=True,
)
_DEFINITION = Shape({"scm": _SCM, "scriptPath": TEXT, "lightweight": TEXT}, typed=True)
_TIMED = Shape({"triggers": Shape({TIMER: Shape({"spec": TEXT})}, whole=True)}, default=None)

FOLDER = Shape(_NAMED)
FOLDER_WITH_PERMISSIONS = Shape({**_NAMED, "properties": Shape({PERMISSIONS: _PERMITTED})})
MULTIBRANCH = Shape(
    {
        **_JOB,
        "orphanedItemStrategy": _ORPHANS,
        "triggers": Shape({PERIODIC: Shape({"interval": TEXT})}, whole=True),
        "sources": Shape({"data": _SOURCES}, typed=True),
        "factory": Shape({"scriptPath": TEXT}, typed=True),
    }
)
PIPELINE = Shape({**_JOB, "definition": _DEFINITION})
SCHEDULED = Shape({**_JOB, "properties": Shape({TRIGGERS: _TIMED}), "definition": _DEFINITION})
VIEW = Shape({"description": TEXT, "includeRegex": TEXT, "recurse": Shape(default="false")})


class Kind(msgspec.Struct, frozen=True):
    """One kind. class_name: by which Jenkins's API tells it. plugin: that brings it, empty: Jenkins itself.

    shapes: that items of it were written in, whichever the teams file asked for.
    """

    class_name: str
    root: str
    plugin: str
    shapes: tuple[Shape, ...]


KINDS = {
    each.class_name: each
    for each in (
        Kind(FOLDER_CLASS, FOLDER_CLASS, "cloudbees-folder", (FOLDER_WITH_PERMISSIONS, FOLDER)),
        Kind(MULTIBRANCH_CLASS, MULTIBRANCH_CLASS, "workflow-multibranch", (MULTIBRANCH,)),
        Kind(PIPELINE_CLASS, "flow-definition", "workflow-job", (SCHEDULED, PIPELINE)),
        Kind(VIEW_CLASS, VIEW_CLASS, "", (VIEW,)),
    )
}
