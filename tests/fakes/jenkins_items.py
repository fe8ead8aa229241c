"""What a fake Jenkins holds: folders, jobs and views, stored the way a real one stores what it is given.

Of a document it keeps what it knows, adds `plugin` attributes, defaults and empty elements, and writes it anew, as
XStream does in `hudson.model.AbstractItem.updateByXml` and `save`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

UNSAFE = "?*/\\%!@#$^&|<>[]:;"
FOLDER = "com.cloudbees.hudson.plugins.folder.Folder"
MULTIBRANCH = "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject"
JOB = "org.jenkinsci.plugins.workflow.job.WorkflowJob"
CLASSES = {
    FOLDER: FOLDER,
    MULTIBRANCH: MULTIBRANCH,
    "flow-definition": JOB,
    "hudson.model.ListView": "hudson.model.ListView",
}
PLUGINS = {
    FOLDER: "cloudbees-folder", MULTIBRANCH: "workflow-multibranch", "flow-definition": "workflow-job",
    "sources": "branch-api", "source": "git", "scm": "git", "definition": "workflow-cps",
    "orphanedItemStrategy": "cloudbees-folder",
    "com.cloudbees.hudson.plugins.folder.computed.PeriodicFolderTrigger": "cloudbees-folder",
}  # fmt: skip
DEFAULTS = {
    FOLDER: ("actions", "folderViews", "healthMetrics", "properties"),
    MULTIBRANCH: ("actions", "folderViews", "healthMetrics", "properties"),
    "flow-definition": ("actions", "keepDependencies", "triggers"),
    "hudson.model.ListView": ("filterExecutors", "filterQueue", "properties", "jobFilters"),
}
SECRET = "{AQAAABAAAAAQc2VjcmV0LW9mLWEtZm9sZGVy}"


class Refused(Exception):
    """A request that Jenkins refuses."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass
class Node:
    """An item or a view. document: as Jenkins gives it back."""

    name: str
    class_name: str
    document: bytes
    children: dict[str, Node] = field(default_factory=dict)
    views: dict[str, Node] = field(default_factory=dict)

    @property
    def root(self) -> ET.Element:
        return _parsed(self.document)

    @property
    def description(self) -> str:
        return self.root.findtext("description") or ""


def stored(raw: bytes, installed: set[str]) -> tuple[str, bytes]:
    """Return the class of a document's item and how it is stored. Raises Refused as Jenkins does for what it lacks."""
    root = _parsed(raw)
    for each in root.iter():
        needed = PLUGINS.get(each.tag)
        if needed and needed not in installed:
            name = each.get("class", each.tag)
            said = f"com.thoughtworks.xstream.mapper.CannotResolveClassException: {name}"
            raise Refused(500, f"<html><body><h1>Oops!</h1><pre>{said}</pre></body></html>")
        if needed:
            each.set("plugin", f"{needed}@1.{len(each.tag)}")
    for tag in DEFAULTS[root.tag]:
        if root.find(tag) is None:
            ET.SubElement(root, tag)
    strategy = root.find("orphanedItemStrategy")
    if strategy is not None and strategy.find("abortBuilds") is None:
        ET.SubElement(strategy, "abortBuilds").text = "false"
    root[:] = sorted(root, key=lambda each: each.tag)
    ET.indent(root, "    ")
    return CLASSES[root.tag], b"<?xml version='1.1' encoding='UTF-8'?>\n" + ET.tostring(
        root, encoding="unicode"
    ).encode()


def _parsed(raw: bytes) -> ET.Element:
    return ET.fromstring(re.sub(rb"^<\?xml[^>]*\?>", b"", raw))  # noqa: S314 - the tests' own


def checked_name(name: str, taken: dict[str, Node], what: str) -> None:
    """Raise Refused for a name that Jenkins does not take."""
    if not name or any(each in UNSAFE or ord(each) < 32 for each in name) or name.endswith("."):
        raise Refused(400, "is an unsafe character")
    if name.lower() in taken:
        raise Refused(400, f"A {what} already exists with the name ‘{name}’")  # noqa: RUF001 - its words


Tree = dict[str, "Tree"]


def parsed(tree: str) -> Tree:
    """Return a `tree` parameter as nested names. (Stapler, org.kohsuke.stapler.export.TreePruner.)"""
    tokens = re.findall(r"[^\[\],]+|[\[\],]", tree)

    def group() -> Tree:
        found: Tree = {}
        while tokens:
            name = tokens.pop(0)
            found[name] = {}
            if tokens and tokens[0] == "[":
                tokens.pop(0)
                found[name] = group()
                tokens.pop(0)
            if not tokens or tokens[0] != ",":
                break
            tokens.pop(0)
        return found

    return group()


def told(node: Node, tree: Tree, depth: int = 1) -> dict[str, Any]:
    """Return what the API tells of an item; without a tree, its own fields and those below down to a depth."""
    fields: dict[str, Any] = {"name": node.name, "description": node.description or None, "url": f"/{node.name}"}
    answer: dict[str, Any] = {"_class": node.class_name}
    answer |= {name: value for name, value in fields.items() if not tree or name in tree}
    for name, inside in (("jobs", node.children), ("views", node.views)):
        if (tree and name in tree) or (not tree and depth > 0):
            if name == "jobs" and node.class_name not in (FOLDER, MULTIBRANCH, "hudson.model.Hudson"):
                continue
            if name == "views" and node.class_name != "hudson.model.Hudson":
                continue
            answer[name] = [told(each, tree.get(name, {}), depth - 1) for each in inside.values()]
    return answer
