"""The report for Jenkins's Warnings Next Generation plugin, and the fingerprints that it follows findings by."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import replace

from imagegate.model import Action, Digest, Evaluation, Finding, Problem, Reason, Severity
from imagegate.report import FORMATS
from imagegate.report.context import Context
from imagegate.report.fingerprint import fingerprints, repository
from tests.unit.test_report_renderers import (
    CONTEXT,
    CVE,
    ROOT,
    STOPPED,
    WAIVED,
    WARNING,
    evaluation,
    hostile_evaluations,
)

STRINGS = {"fileName", "severity", "category", "type", "message", "description", "packageName", "moduleName"}
STRINGS |= {"fingerprint", "additionalProperties"}


def report(*evaluations: Evaluation, context: Context = CONTEXT) -> list[dict[str, Any]]:
    """Return the issues, read as the plugin reads them."""
    document = json.loads(FORMATS["warnings-ng"](evaluations, context))
    assert document["_class"] == "io.jenkins.plugins.analysis.core.restapi.ReportApi"
    assert document["size"] == len(document["issues"])
    for issue in document["issues"]:
        assert set(issue) <= STRINGS | {"lineStart"}
        assert all(isinstance(issue[key], str) for key in issue if key != "lineStart")
        assert issue["severity"] in ("ERROR", "HIGH", "NORMAL", "LOW")
    issues: list[dict[str, Any]] = document["issues"]
    return issues


def test_it_lists_every_finding_but_the_allowlisted() -> None:
    warned, vulnerable, root = report(STOPPED, context=replace(CONTEXT, dockerfile="deploy/Dockerfile"))
    assert warned["message"] == "no HEALTHCHECK"
    assert vulnerable["message"].startswith("HIGH CVE-2021-44906 in minimist 1.2.0 (npm, /app/node_modules/minimist")
    assert vulnerable["message"].endswith("Fix: upgrade minimist to 1.2.6")
    assert (vulnerable["category"], vulnerable["type"]) == ("vulnerabilities", "package")
    assert (vulnerable["packageName"], vulnerable["moduleName"]) == ("minimist", "registry.test/team/app (linux/amd64)")
    assert "cve: CVE-2021-44906" in vulnerable["description"]
    assert (root["fileName"], root["lineStart"]) == ("deploy/Dockerfile", 7)
    assert "lineStart" not in vulnerable


@pytest.mark.parametrize(
    ("action", "severity", "expected"),
    [
        (Action.STOP, None, "ERROR"),
        (Action.STOP, Severity.LOW, "ERROR"),
        (Action.WARN, Severity.CRITICAL, "HIGH"),
        (Action.WARN, Severity.HIGH, "HIGH"),
        (Action.WARN, Severity.MEDIUM, "NORMAL"),
        (Action.WARN, None, "NORMAL"),
        (Action.GO, Severity.CRITICAL, "LOW"),
    ],
)
def test_severities_follow_what_the_gate_does(action: Action, severity: Severity | None, expected: str) -> None:
    (issue,) = report(evaluation(replace(CVE, action=action, severity=severity)))
    assert issue["severity"] == expected


def test_an_undecided_image_never_looks_clean() -> None:
    problems = (Problem("error", "missing", "no advisories"), Problem("error", "t", "d"), Problem("warn", "old", "x"))
    issues = report(evaluation(problems=problems))
    assert [(issue["severity"], issue["message"]) for issue in issues] == [
        ("ERROR", "missing: no advisories"),
        ("ERROR", "t: d"),
    ]
    assert [issue["severity"] for issue in report()] == ["ERROR"]
    assert report(evaluation()) == []


def test_an_image_that_is_listed_as_a_whole_is_judged_as_a_whole() -> None:
    denied = evaluation(CVE, final_action=Action.STOP, reason=Reason.DENYLISTED_IMAGE, matched_image_rule="old")
    allowed = evaluation(CVE, final_action=Action.GO, reason=Reason.ALLOWLISTED_IMAGE)
    assert report(denied)[0]["message"] == "the image itself is denylisted by old"
    assert [issue["severity"] for issue in report(allowed)] == ["LOW"]


def test_a_finding_keeps_its_fingerprint_when_the_image_is_rebuilt() -> None:
    assert CVE.package is not None
    layer = Digest("sha256:" + "9" * 64)
    moved = replace(CVE, layer=layer, package=replace(CVE.package, version="1.2.1", layer=layer))
    rebuilt = evaluation(
        *(WARNING, moved, WAIVED, replace(ROOT, line=9)),
        digest=Digest("sha256:" + "a" * 64),
        tag="registry.test/team/app:2",
    )
    assert fingerprints([STOPPED]) == fingerprints([rebuilt])


def test_no_two_findings_of_a_report_have_the_same_fingerprint() -> None:
    assert CVE.package is not None
    elsewhere = replace(CVE, package=replace(CVE.package, path="/opt/minimist/package.json"))
    first = evaluation(CVE, elsewhere, ROOT, replace(ROOT, line=9), WARNING)
    others = [replace(first, platform="linux/arm64"), replace(first, tag="registry.test/team/web:1.0"), first]
    found = [mark for marks in fingerprints([first, *others]) for mark in marks]
    assert len(set(found)) == len(found) == 20
    issues = report(first, *others)
    assert len({issue["additionalProperties"] for issue in issues}) == 20


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("registry.test:5000/team/app:1.0", "registry.test:5000/team/app"),
        ("registry.test:5000/team/app", "registry.test:5000/team/app"),
        ("registry.test/app:1@sha256:" + "a" * 64, "registry.test/app"),
        ("docker-daemon:app:1", "docker-daemon:app"),
        ("app", "app"),
        ("", ""),
    ],
)
def test_the_name_of_an_image_has_no_tag(tag: str, name: str) -> None:
    assert repository(tag) == name


@given(image=hostile_evaluations())
def test_no_image_can_put_markup_or_a_file_into_jenkins(image: Evaluation) -> None:
    for issue in report(image):
        assert issue["fileName"] == "Dockerfile"
        for key, value in issue.items():
            if key == "description":
                assert re.fullmatch(r"<pre>[^<>]*</pre>", value)
            elif isinstance(value, str):
                assert not re.search("<[A-Za-z/!?]", value)
                assert value.isprintable()


def test_a_bound_of_a_version_stays_readable() -> None:
    odd = Finding("packages", "required", "x", "needs <1.2 & not <b>bold</b>", Action.WARN, "p", "r")
    (issue,) = report(evaluation(odd))
    assert issue["message"] == r"needs <1.2 & not \x3cb>bold\x3c/b>"
