"""Reports: what a reader sees, and that no image can make one say something else."""

from __future__ import annotations

import json
import re
import unicodedata
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from pathlib import Path
from timeit import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from imagegate.errors import UsageError
from imagegate.model import (
    Action,
    AllowlistMatch,
    Digest,
    Evaluation,
    Finding,
    Package,
    PackageType,
    Problem,
    Reason,
    Severity,
)
from imagegate.report import FORMATS, render_text, write_atomically
from imagegate.report.context import Context, Rule
from imagegate.report.markdown import MAX_LENGTH

DIGEST = Digest("sha256:" + "3f" * 32)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINIMIST = Package(
    "minimist", "1.2.0", PackageType.NPM, "pkg:npm/minimist@1.2.0", path="/app/node_modules/minimist/package.json"
)
CVE = Finding(
    "vulnerabilities",
    "package",
    "CVE-2021-44906+minimist",
    "HIGH Vulnerability found in non-os package type (npm)",
    Action.STOP,
    "p1",
    "r1",
    severity=Severity.HIGH,
    package=MINIMIST,
    vulnerability="CVE-2021-44906",
    fix="upgrade minimist to 1.2.6",
)
ROOT = Finding(
    "dockerfile", "effective_user", "e1", "runs as root", Action.STOP, "p1", "r2", line=7, fix="add a USER instruction"
)
WARNING = Finding("dockerfile", "instruction", "i1", "no HEALTHCHECK", Action.WARN, "p1", "r3")
WAIVED = Finding(
    "files", "suid_or_guid_set", "s1", "suid", Action.STOP, "p1", "r4", allowlisted=AllowlistMatch("a", "waivers", "w7")
)


def evaluation(*findings: Finding, problems: tuple[Problem, ...] = (), **changes: object) -> Evaluation:
    live = [finding.action for finding in findings if not finding.allowlisted]
    fields: dict[str, object] = {
        "digest": DIGEST,
        "tag": "registry.test/team/app:1.0",
        "policy_id": "application",
        "policy_digest": "sha256:" + "0" * 64,
        "final_action": max(live, key=lambda action: action.rank, default=Action.GO),
        "reason": Reason.POLICY,
        "mapping": "default",
        "findings": findings,
        "evaluated_at": NOW,
        "problems": problems,
        "platform": "linux/amd64",
    }
    return Evaluation(**(fields | changes))  # type: ignore[arg-type]


DETAILS = "<details><summary>The stop findings explained, with waivers to paste</summary>"
STOPPED = evaluation(WARNING, CVE, WAIVED, ROOT)
CONTEXT = Context(
    policy="application (application.yaml)",
    packages={DIGEST: 1201},
    advisories=NOW,
    next_step="nothing was copied, signed or tagged.",
)


def junit(*evaluations: Evaluation, context: Context = CONTEXT) -> ElementTree.Element:
    return ElementTree.fromstring(FORMATS["junit"](evaluations, context))  # noqa: S314 - our own document


def test_text_has_verdict_then_stops_then_warnings_then_the_next_step() -> None:
    assert render_text([STOPPED], CONTEXT, width=110) == (
        "STOP  registry.test/team/app:1.0  2 stop, 1 warn, 1 allowlisted\n"
        f"      {DIGEST}  linux/amd64\n"
        "      policy application (application.yaml), mapping default, 1,201 packages, advisories of 2026-11-23\n"
        "\n"
        "stop  dockerfile/effective_user  runs as root (Dockerfile:7)\n"
        "      fix: add a USER instruction\n"
        "stop  vulnerabilities/package  HIGH  CVE-2021-44906 in minimist 1.2.0 (npm,\n"
        "      /app/node_modules/minimist/package.json)\n"
        "      fix: upgrade minimist to 1.2.6\n"
        "warn  dockerfile/instruction  no HEALTHCHECK\n"
        "\n"
        "next: fix the 2 stop findings and build again; nothing was copied, signed or tagged. "
        "`imagegate explain` tells\n"
        "      more."
    )


def test_text_of_a_pass_is_short() -> None:
    assert render_text([evaluation()], Context(next_step="promoted.")) == (
        f"PASS  registry.test/team/app:1.0  no findings\n      {DIGEST}  linux/amd64\n"
        "      policy application, mapping default\n\nnext: promoted."
    )


def test_text_shows_every_stop_and_counts_the_warnings_beyond_the_first_ones() -> None:
    warnings = [Finding("files", "name_match", f"w{n}", f"warning {n}", Action.WARN, "p", "r") for n in range(40)]
    stops = [Finding("files", "name_match", f"s{n}", f"stopper {n}", Action.STOP, "p", "q") for n in range(40)]
    text = render_text([evaluation(*warnings, *stops)], Context())
    assert text.count("stopper") == 40
    assert text.count("warning ") == 15
    assert "and 25 more warnings" in text


def test_text_says_why_nothing_could_be_decided() -> None:
    undecided = evaluation(problems=(Problem("error", "missing", "no advisories for Debian:12"),))
    text = render_text([undecided], Context())
    assert text.startswith("UNDECIDED  registry.test/team/app:1.0")
    assert "error no advisories for Debian:12" in text
    assert "next: clear the errors and" in text


def test_text_of_several_images_begins_with_the_joint_verdict() -> None:
    text = render_text([evaluation(), STOPPED], Context())
    assert text.startswith("STOP  2 images: 1 pass, 1 stop\n")


def test_text_of_nothing_is_no_pass() -> None:
    assert render_text([], Context()).startswith("UNDECIDED  nothing was evaluated")


def test_text_names_an_image_that_is_listed_as_a_whole() -> None:
    denied = evaluation(final_action=Action.STOP, reason=Reason.DENYLISTED_IMAGE, matched_image_rule="old-app")
    assert "the image itself is denylisted by old-app" in render_text([denied], Context())


def test_colours_change_nothing_but_the_colour() -> None:
    painted = render_text([STOPPED], CONTEXT, colour=True)
    assert "\x1b[1;31mSTOP\x1b[0m" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == render_text([STOPPED], CONTEXT)


def test_junit_has_a_case_for_the_verdict_and_one_for_each_rule() -> None:
    context = Context(rules=(Rule("files", "content", "p1", "r9", Action.STOP), Rule("x", "y", "p1", "r1", Action.GO)))
    root = junit(STOPPED, context=context)
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert set(cases) == {
        "verdict",
        "package (r1)",
        "effective_user (r2)",
        "instruction (r3)",
        "suid_or_guid_set (r4)",
        "content (r9)",
        "y (r1)",
    }
    failed = {name for name, case in cases.items() if case.find("failure") is not None}
    assert failed == {"package (r1)", "effective_user (r2)"}
    assert "allowlisted by waivers/w7" in str(cases["suid_or_guid_set (r4)"].findtext("system-out"))
    assert all(case.get("classname") for case in cases.values())
    assert cases["package (r1)"].get("classname") == "registry.test/team/app (linux/amd64).vulnerabilities"
    suite = root.find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("7", "2", "0")


def test_junit_lists_no_rule_as_passed_that_nobody_evaluated() -> None:
    context = Context(rules=(Rule("files", "content", "p1", "r9", Action.STOP, mapping="others"),))
    everywhere = Context(rules=(Rule("files", "content", "p1", "r9", Action.STOP),))
    undecided = evaluation(problems=(Problem("error", "t", "d"),))
    listed = evaluation(reason=Reason.ALLOWLISTED_IMAGE)
    assert junit(STOPPED, context=context).find(".//testcase[@name='content (r9)']") is None
    assert junit(STOPPED, context=everywhere).find(".//testcase[@name='content (r9)']") is not None
    assert junit(undecided, listed, context=everywhere).find(".//testcase[@name='content (r9)']") is None


def test_junit_of_an_undecided_image_is_an_error() -> None:
    root = junit(evaluation(problems=(Problem("error", "missing", "no advisories"),)))
    assert root.get("errors") == "1"
    assert root.find("testsuite/testcase/error") is not None


def test_junit_fails_for_a_denied_image_and_not_for_what_an_allowed_one_has() -> None:
    denied = evaluation(final_action=Action.STOP, reason=Reason.DENYLISTED_IMAGE)
    allowed = evaluation(CVE, final_action=Action.GO, reason=Reason.ALLOWLISTED_IMAGE)
    assert junit(denied).get("failures") == "1"
    assert junit(allowed).get("failures") == "0"


def test_junit_keeps_to_the_elements_and_attributes_that_jenkins_reads() -> None:
    """Names by the xUnit plugin's junit-10.xsd."""
    allowed = {
        "testsuites": {"name", "time", "tests", "failures", "errors"},
        "testsuite": {"name", "tests", "failures", "errors", "time", "skipped", "timestamp"},
        "properties": set(),
        "property": {"name", "value"},
        "testcase": {"name", "classname", "time"},
        "failure": {"type", "message"},
        "error": {"type", "message"},
        "system-out": set(),
    }
    undecided = evaluation(CVE, problems=(Problem("error", "t", "d"),))
    for element in junit(STOPPED, undecided).iter():
        assert set(element.attrib) <= allowed[element.tag]


def test_sarif_points_into_the_dockerfile_and_suppresses_what_is_allowlisted() -> None:
    log = json.loads(FORMATS["sarif"]([STOPPED, evaluation()], Context(dockerfile="deploy/Docker file")))
    assert log["version"] == "2.1.0"
    assert len(log["runs"]) == 2
    run = log["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
    root = next(result for result in run["results"] if result["ruleId"] == "dockerfile/effective_user")
    place = root["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "deploy/Docker%20file"}, "region": {"startLine": 7}}
    waived = next(result for result in run["results"] if "suppressions" in result)
    assert waived["suppressions"][0]["justification"] == "allowlisted by waivers/w7"


def test_sarif_fingerprints_survive_a_rebuild() -> None:
    def prints(image: Evaluation) -> list[str]:
        runs = json.loads(FORMATS["sarif"]([image], Context()))["runs"]
        return [result["partialFingerprints"]["imagegate/v1"] for result in runs[0]["results"]]

    rebuilt = evaluation(
        WARNING, CVE, WAIVED, ROOT, digest=Digest("sha256:" + "a" * 64), tag="registry.test/team/app:2"
    )
    assert prints(STOPPED) == prints(rebuilt)
    assert len(set(prints(STOPPED))) == 4


def test_sarif_of_an_undecided_image_says_that_the_run_failed() -> None:
    log = json.loads(FORMATS["sarif"]([evaluation(problems=(Problem("error", "t", "no data"),))], Context()))
    invocation = log["runs"][0]["invocations"][0]
    assert invocation["executionSuccessful"] is False
    assert "no data" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_json_leads_with_schema_and_verdict_and_holds_everything() -> None:
    text = FORMATS["json"]([STOPPED], CONTEXT)
    document = json.loads(text)
    assert list(document)[:2] == ["schema", "verdict"]
    assert document["schema"] == "imagegate/report/1"
    assert document["summary"][0]["counts"] == {"stop": 2, "warn": 1, "go": 0, "allowlisted": 1}
    assert len(document["evaluations"][0]["findings"]) == 4


def test_markdown_is_a_table_with_the_gravest_first() -> None:
    text = FORMATS["markdown"]([STOPPED], CONTEXT)
    rows = [row for row in text.splitlines() if row.startswith(("| **stop**", "| warn"))]
    assert len(rows) == 3
    assert rows[-1].startswith("| warn | `dockerfile/instruction` |")


@pytest.mark.parametrize("images", [1, 7, 2000])
def test_markdown_fits_into_a_comment(images: int) -> None:
    findings = [Finding("files", "name_match", f"{n}", "x" * 500, Action.STOP, "p", "r") for n in range(500)]
    text = FORMATS["markdown"]([evaluation(*findings)] * images, CONTEXT)
    assert len(text) <= MAX_LENGTH
    assert "more" in text


@pytest.mark.parametrize("name", FORMATS)
def test_the_time_grows_with_the_findings_and_not_with_their_square(name: str) -> None:
    findings = [replace(CVE, trigger_id=str(n), vulnerability=f"CVE-2021-{n}") for n in range(10_000)]

    def seconds(count: int) -> float:
        images = [evaluation(*findings[:count])]
        return min(timeit(lambda: FORMATS[name](images), number=1) for _ in range(2))

    assert seconds(10_000) < 40 * max(seconds(1000), 0.005)


hostile = st.text(
    alphabet=st.one_of(
        st.sampled_from("\x1b\x07\x9b\r\n\t\0\u202e\u2028\ud800\ufffe`|<>&\"'\\[]()@#*_~!$"), st.characters()
    ),
    max_size=60,
)


@st.composite
def hostile_evaluations(draw: st.DrawFn) -> Evaluation:
    package = Package(draw(hostile), draw(hostile), PackageType.NPM, draw(hostile), path=draw(hostile))
    finding = Finding(
        draw(hostile),
        draw(hostile),
        draw(hostile),
        draw(hostile),
        draw(st.sampled_from(Action)),
        draw(hostile),
        draw(hostile),
        severity=draw(st.sampled_from([*Severity, None])),
        package=draw(st.sampled_from([package, None])),
        vulnerability=draw(hostile),
        path=draw(hostile),
        line=draw(st.integers(0, 99)),
        fix=draw(hostile),
        allowlisted=draw(st.sampled_from([None, AllowlistMatch(draw(hostile), draw(hostile), draw(hostile))])),
    )
    problems = draw(st.lists(st.builds(Problem, st.sampled_from(["error", "warn"]), hostile, hostile), max_size=2))
    return evaluation(
        finding, problems=tuple(problems), tag=draw(hostile), mapping=draw(hostile), platform=draw(hostile)
    )


@given(image=hostile_evaluations(), step=hostile, width=st.integers(-5, 200))
def test_no_image_can_steer_the_terminal(image: Evaluation, step: str, width: int) -> None:
    text = render_text([image], Context(next_step=step), width=width)
    assert all(character == "\n" or unicodedata.category(character)[0] != "C" for character in text)
    assert text.isprintable() or text.replace("\n", "").isprintable()


@given(image=hostile_evaluations())
def test_no_image_can_add_or_break_an_element(image: Evaluation) -> None:
    suite = junit(image).find("testsuite")
    assert suite is not None
    assert len(suite.findall("testcase")) == 2


@given(image=hostile_evaluations(), step=hostile)
def test_no_image_can_break_json(image: Evaluation, step: str) -> None:
    for name in ("json", "sarif"):
        text = FORMATS[name]([image], Context(next_step=step))
        json.loads(text)
        assert text.isascii()
        assert text.replace("\n", "").isprintable()


@given(image=hostile_evaluations(), step=hostile)
def test_no_image_can_leave_its_cell_or_be_markup(image: Evaluation, step: str) -> None:
    text = FORMATS["markdown"]([image], Context(next_step=step))
    for row in text.splitlines():
        if row.startswith("    ") or row in ("</details>", DETAILS):
            continue
        if row.startswith("| "):
            assert len(re.findall(r"(?<!\\)\|", row)) == 6
        # What is left of a line without its code spans is ours alone.
        outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", row)
        assert not re.search(r"[<>\[\]@\x00-\x1f]", outside)


def test_reports_are_written_whole_with_directories_made(tmp_path: Path) -> None:
    target = tmp_path / "reports" / "junit.xml"
    write_atomically(target, FORMATS["junit"]([STOPPED]))
    assert target.read_text().startswith("<?xml")
    assert [path.name for path in target.parent.iterdir()] == ["junit.xml"]


def test_a_report_through_a_link_replaces_the_file_and_keeps_the_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_atomically(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_what_is_no_file_is_written_to_and_never_replaced() -> None:
    write_atomically(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()


def test_a_report_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_atomically(tmp_path / "file" / "report.json", "text")
