"""The report as JUnit XML, as Jenkins's junit step reads it: a suite for an image, a case for a rule.

There is no standard; the elements and their order are those of the schema of Jenkins's xUnit plugin (junit-10.xsd). A
rule that stops is a failure, a problem is an error, and warnings and allowlisted findings are output of a passed case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from imagegate.model import Action, Evaluation, Finding, Reason, Verdict
from imagegate.report.context import Context, Rule, name, place, remark, stopped_by_rules, subject
from imagegate.report.escape import line, xml
from imagegate.report.explain import explain
from imagegate.report.fingerprint import lasting_name

_VERDICT = "verdict"


def render(evaluations: Sequence[Evaluation], context: Context) -> str:
    """Return the report. A suite always has a case for the verdict, so that it is never empty."""
    root = Element("testsuites", name="imagegate")
    for evaluation in evaluations:
        _suite(root, evaluation, context)
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, evaluation: Evaluation, context: Context) -> None:
    title, subject_name = xml(line(name(evaluation))), xml(line(lasting_name(evaluation)))
    timestamp = evaluation.evaluated_at.strftime("%Y-%m-%dT%H:%M:%S")
    suite = SubElement(root, "testsuite", name=title, timestamp=timestamp, time="0")
    properties = SubElement(suite, "properties")
    for field in ("digest", "platform", "policy_id", "policy_digest", "mapping"):
        SubElement(properties, "property", name=field, value=xml(line(getattr(evaluation, field))))
    _verdict_case(suite, subject_name, evaluation)
    fired: set[tuple[str, ...]] = set()
    for key, group in groupby(sorted(evaluation.findings, key=_rule), key=_rule):
        fired.add(key)
        _rule_case(suite, subject_name, tuple(group), evaluation, context)
    for rule in _in_force(evaluation, context):
        if _rule(rule) not in fired:
            _case(suite, subject_name, rule.gate, f"{rule.trigger} ({rule.rule_id})")
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    suite.set("skipped", "0")


def _in_force(evaluation: Evaluation, context: Context) -> Iterator[Rule]:
    """Yield the rules that were evaluated. Nobody knows for an image that is undecided, or listed as a whole."""
    if evaluation.verdict is not Verdict.UNDECIDED and evaluation.reason is Reason.POLICY:
        yield from (rule for rule in context.rules if rule.mapping in ("", evaluation.mapping))


def _rule(fired: Finding | Rule) -> tuple[str, ...]:
    return fired.gate, fired.trigger, fired.policy_id, fired.rule_id


def _case(suite: Element, title: str, gate: str, case: str) -> Element:
    """Add a case. Jenkins shows what stands before the last dot of the class name as the package: the image.

    title: of the image without its tag, for a test has a history only under the same name.
    """
    return SubElement(suite, "testcase", classname=f"{title}.{xml(line(gate))}", name=xml(line(case)), time="0")


def _verdict_case(suite: Element, title: str, evaluation: Evaluation) -> None:
    case = _case(suite, title, "imagegate", _VERDICT)
    if evaluation.verdict is Verdict.UNDECIDED:
        problems = [problem for problem in evaluation.problems if problem.severity == "error"]
        details = [line(f"{problem.type}: {problem.details}") for problem in problems]
        error = SubElement(case, "error", type="undecided", message=xml("; ".join(details)))
        error.text = xml("\n".join(details))
    elif evaluation.verdict is Verdict.STOP and not stopped_by_rules(evaluation):
        SubElement(case, "failure", type="stop", message=xml(line(remark(evaluation) or "the final action is stop")))


def _rule_case(
    suite: Element, title: str, findings: tuple[Finding, ...], evaluation: Evaluation, context: Context
) -> None:
    rule = findings[0]
    case = _case(suite, title, rule.gate, f"{rule.trigger} ({rule.rule_id})")
    stops: list[Finding] = []
    others: list[Finding] = []
    for finding in findings:
        # What a rule says about an image that is allowlisted as a whole decides nothing, and must not fail the build.
        decides = not finding.allowlisted and evaluation.reason is not Reason.ALLOWLISTED_IMAGE
        (stops if decides and finding.action is Action.STOP else others).append(finding)
    if stops:
        more = f" and {len(stops) - 1} more" if len(stops) > 1 else ""
        message = xml(line(subject(stops[0])) + more)
        SubElement(case, "failure", type="stop", message=message).text = xml(
            "\n\n".join(explain(finding, evaluation, context) for finding in stops)
        )
    if others:
        SubElement(case, "system-out").text = xml(_listing(others, context))


def _listing(findings: Iterable[Finding], context: Context) -> str:
    return "\n".join(_described(finding, context) for finding in findings)


def _described(finding: Finding, context: Context) -> str:
    allowlisted = finding.allowlisted
    state = (
        f"allowlisted by {allowlisted.allowlist_name}/{allowlisted.item_id}" if allowlisted else finding.action.value
    )
    severity = f" {finding.severity.value.upper()}" if finding.severity else ""
    where = f" ({place(finding, context)})" if finding.line else ""
    fix = f"; fix: {finding.fix}" if finding.fix else ""
    return line(f"{state}{severity} {subject(finding)}{where}{fix} [{finding.trigger_id}]")
