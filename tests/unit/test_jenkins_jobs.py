"""Jobs, as values: what a teams file wants, what of a document is ours, and what an apply would do."""

from __future__ import annotations

import threading
from copy import deepcopy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from imagegate.config import load
from imagegate.errors import ConfigError
from imagegate.jenkins import documents, shapes
from imagegate.jenkins.changes import Action, State, plan
from imagegate.jenkins.configxml import (
    canonical,
    checksum,
    marked,
    overlay,
    parse,
    read_mark,
    serialized,
    unmarked,
)
from imagegate.jenkins.items import Item, Listed, Place, listing
from imagegate.jenkins.jobs import desired
from imagegate.jenkins.server import JenkinsError, Unsure
from imagegate.jenkins.site import PipelineJob
from imagegate.jenkins.sync import Sync
from imagegate.jenkins.teams import read_teams
from imagegate.yamlfile import load_yaml

ONE = {"name": "a/b", "url": "https://git.example.com/a/b.git", "images": [{"to": "a/b"}]}


def wanted(directory: Path, *repositories: dict[str, Any], folder: str = "A", **jenkins: Any) -> tuple[Item, ...]:
    team = {"owners": "a", "folder": folder, "repositories": list(repositories or [ONE])}
    file = directory / "teams.yaml"
    file.write_text(yaml.safe_dump({"jenkins": jenkins, "teams": {"A": team}}))
    return desired(read_teams(load_yaml(file)))


class InMemory:
    """A JenkinsServer that is a dictionary. lost: how many creates are done and not answered."""

    def __init__(self, lost: int = 0) -> None:
        self.held: dict[Place, tuple[str, bytes]] = {}
        self.writes: list[str] = []
        self.lost, self._lock = lost, threading.Lock()

    def items(self) -> list[Listed]:
        found = []
        for place, (class_name, raw) in self.held.items():
            found.append(Listed(place, class_name, read_mark(parse(raw, "").findtext("description"))))
        return found

    def read(self, place: Place) -> bytes:
        if place not in self.held:
            raise JenkinsError("there is none", status=404)
        return self.held[place][1]

    def create(self, place: Place, document: bytes) -> None:
        with self._lock:
            self.writes.append(f"create {place}")
            if place in self.held:
                raise JenkinsError("there is one", status=400)
            if place.path[1:] and place.parent not in self.held:
                raise JenkinsError("there is no folder", status=404)
            root = parse(document, "").tag
            self.held[place] = next(k.class_name for k in shapes.KINDS.values() if k.root == root), document
            if self.lost:
                self.lost -= 1
                raise Unsure("lost")

    def update(self, place: Place, document: bytes) -> None:
        self.writes.append(f"update {place}")
        self.held[place] = self.held[place][0], document

    def delete(self, place: Place) -> None:
        self.writes.append(f"delete {place}")
        del self.held[place]

    def is_empty(self, folder: Place) -> bool:
        return all(each.parent != folder for each in self.held)

    def ask(self, path: str, tree: str = "") -> Any:
        raise AssertionError

    def fetch(self, method: str, path: str) -> bytes:
        raise AssertionError

    def version(self) -> str:
        raise AssertionError


def test_folders_come_before_what_is_in_them_and_removals_the_other_way(tmp_path: Path) -> None:
    server = InMemory()
    sync = Sync(server, "imagegate", concurrency=1)
    sync.apply(sync.plan(wanted(tmp_path, folder="x/y/z", view="V")))
    assert server.writes == ["create x", "create x/y", "create x/y/z", "create x/y/z/a-b", "create view V"]
    server.writes.clear()
    sync.apply(sync.plan(wanted(tmp_path, folder="x/y/z", view="V")))
    assert server.writes == []
    sync.apply(sync.removals())
    assert server.writes == ["delete view V", "delete x/y/z/a-b", "delete x/y/z", "delete x/y", "delete x"]
    assert not server.held


def test_a_folder_that_somebody_used_since_the_plan_stays(tmp_path: Path) -> None:
    server = InMemory()
    sync = Sync(server, "imagegate")
    sync.apply(sync.plan(wanted(tmp_path)))
    going = sync.removals()
    server.held[Place(("A", "mine"))] = shapes.PIPELINE_CLASS, b"<flow-definition/>"
    with pytest.raises(JenkinsError, match="somebody has put a job into it"):
        sync.apply(going)
    assert set(server.held) == {Place(("A",)), Place(("A", "mine"))}


def test_a_create_that_was_done_and_not_answered_is_a_success(tmp_path: Path) -> None:
    server = InMemory(lost=2)
    sync = Sync(server, "imagegate")
    sync.apply(sync.plan(wanted(tmp_path)))
    assert sorted(server.writes) == ["create A", "create A/a-b"]


def test_a_create_that_meets_somebody_elses_job_is_an_error(tmp_path: Path) -> None:
    server = InMemory()
    sync = Sync(server, "imagegate")
    changes = sync.plan(wanted(tmp_path))
    server.held[Place(("A",))] = shapes.FOLDER_CLASS, serialized(documents.folder("by hand", ()))
    with pytest.raises(JenkinsError):
        sync.apply(changes)


def test_a_change_that_is_there_already_only_renews_the_mark(tmp_path: Path) -> None:
    folder, job = wanted(tmp_path)
    there = [Listed(folder.place, folder.class_name, None)]
    raw = serialized(marked(parse(job.document, ""), shapes.FOLDER, "imagegate"))  # with another checksum
    listed = Listed(job.place, job.class_name, read_mark(parse(raw, "").findtext("description")))
    changes = plan([folder, job], [*there, listed], {job.place: raw}, "imagegate")
    assert [(each.state, each.action) for each in changes] == [
        (State.FOREIGN, Action.NOTHING),
        (State.OUTDATED, Action.UPDATE),
    ]
    assert changes[1].before == changes[1].after


def test_the_view_matches_what_is_in_the_folders_and_nothing_deeper(tmp_path: Path) -> None:
    import re

    view = wanted(tmp_path, folder="x/y+ (z)", view="V")[-1]
    pattern = re.compile(parse(view.document, "").findtext("includeRegex") or "")
    assert pattern.fullmatch("x/y+ (z)/a-b")
    assert not pattern.fullmatch("x/y+ (z)/a-b/main")
    assert not pattern.fullmatch("x/yy (z)/a-b")


def test_mistakes_are_told_all_at_once(tmp_path: Path) -> None:
    twice = {**ONE, "name": "A-b"}
    unsafe = {**ONE, "name": "this & that", "url": "-x"}
    no_url = {"name": "c", "images": [{"to": "c"}], "scheduled": [{"name": "n", "cron": "@daily"}]}
    with pytest.raises(ConfigError) as raised:
        wanted(tmp_path, ONE, twice, unsafe, no_url, scan="often")
    words = str(raised.value)
    for each in ("two jobs for one", "Jenkins allows none of", "no URL of a git server", "need its url", "no number"):
        assert each in words


def test_the_job_that_rechecks_runs_by_itself(tmp_path: Path) -> None:
    job = {"name": "P/re-check", "url": "https://x/y", "script": "recheck.Jenkinsfile", "cron": "H 5 * * *"}
    (found,) = (item for item in wanted(tmp_path, recheck=job) if item.place == Place(("P", "re-check")))
    document = parse(found.document, "")
    assert document.findtext("definition/scriptPath") == "recheck.Jenkinsfile"
    assert [each.text for each in document.iter("spec")] == ["H 5 * * *"]


def test_mistakes_of_the_section_are_told_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="promotion: name is missing"):
        wanted(tmp_path, promotion={"url": "https://x/y"})
    with pytest.raises(ConfigError, match="did you mean 'credentials'"):
        wanted(tmp_path, credential={})
    with pytest.raises(ConfigError, match="did you mean 'registryCredentials'"):
        wanted(tmp_path, credentials={"registryCredential": "x"})


def test_what_jenkins_adds_changes_nothing() -> None:
    job = documents.multibranch("d", "a/b", "https://x/y", "git", minutes=15, keep=7)
    before = canonical(job, shapes.MULTIBRANCH)
    theirs = parse(
        b"<?xml version='1.1' encoding='UTF-8'?>\n" + ET.tostring(job).replace(b"<source ", b'<source plugin="git@5" '),
        "",
    )
    theirs.insert(0, ET.Element("actions"))
    ET.SubElement(theirs.find("orphanedItemStrategy") or theirs, "abortBuilds").text = "false"
    ET.indent(theirs, "\t")
    theirs[:] = reversed(list(theirs))
    assert canonical(theirs, shapes.MULTIBRANCH) == before


def test_a_mark_is_found_again_whatever_stands_before_it() -> None:
    root = documents.folder("one\ntwo", ())
    copy = marked(root, shapes.FOLDER, "Our site (2)")
    mark = read_mark((copy.findtext("description") or "").replace("\n", "\r\n"))
    assert mark
    assert mark.owner == "Our site (2)"
    assert mark.checksum == checksum(canonical(unmarked(copy), shapes.FOLDER))
    assert read_mark("Managed by imagegate, owner x, sha256 abc") is None
    assert read_mark(None) is None


def test_a_document_with_a_document_type_is_not_read() -> None:
    with pytest.raises(ConfigError):
        parse(b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", "it")


def test_a_list_is_read_level_by_level() -> None:
    folder = {"_class": shapes.FOLDER_CLASS, "name": "f", "description": None, "jobs": [{"_class": "x", "name": "j"}]}
    branches = {"_class": shapes.MULTIBRANCH_CLASS, "name": "m", "description": "", "jobs": [{"name": "main"}]}
    assert [str(each.place) for each in listing({"jobs": [folder, branches]})] == ["f", "f/j", "m"]


def test_the_login_of_jenkins_is_no_setting() -> None:
    environ = {"IMAGEGATE_JENKINS_USER": "u", "IMAGEGATE_JENKINS_TOKEN": "t", "IMAGEGATE_SITE_CONFIG": ""}
    assert load(flags={}, environ=environ, directory=Path("/nowhere")).origins == {}


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1)
PIPELINES = st.builds(PipelineJob, name=TEXT, url=TEXT, script=TEXT, branch=TEXT, credentials=TEXT, cron=TEXT)
FOREIGN = st.builds(lambda tag: f"their.{tag}", st.sampled_from("abc"))


@st.composite
def disturbed(draw: st.DrawFn, job: PipelineJob) -> ET.Element:
    """Return a job's document with foreign elements strewn in, none of them in a list of ours."""
    root = documents.pipeline("d", job)
    for each in list(root.iter()):
        if each.tag in ("flow-definition", "properties", "definition", "scm") and draw(st.booleans()):
            each.insert(draw(st.integers(0, len(each))), ET.Element(draw(FOREIGN), {"plugin": "x@1"}))
    return root


@given(st.data(), PIPELINES, PIPELINES)
def test_writing_ours_makes_it_ours_and_loses_nothing_of_theirs(
    data: st.DataObject, before: PipelineJob, after: PipelineJob
) -> None:
    theirs, ours = data.draw(disturbed(before)), documents.pipeline("new", after)
    foreign = sorted(each.tag for each in theirs.iter() if each.tag.startswith("their."))
    written = deepcopy(theirs)
    overlay(written, ours, shapes.SCHEDULED)
    again = parse(serialized(written), "")
    assert canonical(again, shapes.SCHEDULED) == canonical(ours, shapes.SCHEDULED)
    assert sorted(each.tag for each in again.iter() if each.tag.startswith("their.")) == foreign
    assert again.findtext("definition/scriptPath") == after.script


@given(PIPELINES, PIPELINES)
def test_two_jobs_have_one_checksum_only_if_they_are_one(one: PipelineJob, other: PipelineJob) -> None:
    texts = [canonical(documents.pipeline("d", each), shapes.SCHEDULED) for each in (one, other)]
    said = [
        (job.url, job.script, job.credentials, job.cron, job.branch.removeprefix("refs/heads/")) for job in (one, other)
    ]
    assert (texts[0] == texts[1]) == (said[0] == said[1])
