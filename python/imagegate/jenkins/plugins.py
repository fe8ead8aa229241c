"""Which plugins the library and the jobs need, and whether a Jenkins has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from imagegate.jenkins.checks import Check, Health, numbers, readable
from imagegate.jenkins.server import JenkinsServer
from imagegate.jenkins.teams import Teams

NEEDED = {
    "workflow-aggregator": "", "pipeline-groovy-lib": "", "credentials-binding": "", "cloudbees-folder": "",
    "branch-api": "2.0.11", "workflow-multibranch": "", "git": "3.4.0",
}  # fmt: skip
"""Plugins with the least version; git and branch-api: the first with traits, which the jobs have."""
OPTIONAL = {
    "junit": "a test for each rule", "warnings-ng": "an issue for each finding",
    "htmlpublisher": "the report as a page", "badge": "the verdict beside the build",
    "configuration-as-code": "`imagegate jenkins casc`",
}  # fmt: skip


def plugin_checks(server: JenkinsServer, teams: Teams | None) -> Iterator[Check]:
    """Yield a check for each plugin. teams: whose jobs may need some more."""
    document = readable(lambda: server.ask("pluginManager", "plugins[shortName,version,active]"))
    if document is None:
        yield Check("plugins", Health.UNKNOWN, "not readable", "Ask as an administrator, or with Overall/SystemRead.")
        return
    there = {each["shortName"]: each for each in document["plugins"]}
    needed = dict(NEEDED)
    if teams and teams.jenkins.promotion:
        needed["pipeline-build-step"] = ""
    if teams and teams.jenkins.permissions:
        needed["matrix-auth"] = "2.0"
    for name, least in needed.items():
        yield _of_plugin(name, there.get(name), least, Health.MISSING, "")
    for name, use in OPTIONAL.items():
        least = "2.0" if name == "badge" else ""  # a badge of text alone
        yield _of_plugin(name, there.get(name), least, Health.OPTIONAL, f" It shows {use}.")


def _of_plugin(name: str, plugin: dict[str, Any] | None, least: str, lack: Health, use: str) -> Check:
    what = f"plugin {name}"
    if plugin is None:
        return Check(what, lack, "not installed", f"Install it: Manage Jenkins → Plugins.{use}")
    version = str(plugin["version"])
    if not plugin["active"]:
        return Check(what, lack, f"{version}, off", "Enable it, and restart Jenkins.")
    if least and numbers(version) < numbers(least):
        return Check(what, lack, version, f"Update it to {least} or newer.")
    return Check(what, Health.OK, version)
