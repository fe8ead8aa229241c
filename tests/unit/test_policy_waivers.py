"""Waivers: what they let through, when they stop, and that none makes anything worse."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegate.cli.main import run as command
from imagegate.errors import ConfigError, PolicyError
from imagegate.model import Evaluation, Severity, Verdict
from imagegate.policy.evaluate import evaluate
from imagegate.policy.waivers import Waiver, read_waivers, whitelist
from imagegate.settings import PolicySettings
from imagegate.yamlfile import load_yaml
from tests.unit.policies import ALL, DIGEST, LODASH, NAME, NOW, OPENSSL, bundle, facts, report, rule, vulnerability

VULNERABLE = rule("vulnerabilities", "package", package_type="all")
ROOT = rule("dockerfile", "effective_user", users="root", type="blacklist")
FOUND = vulnerability(LODASH, Severity.HIGH, "CVE-2026-1", aliases=("GHSA-1",))
TODAY = NOW.date()


def waiver(**fields: Any) -> Waiver:
    given = {
        "id": "w",
        "owner": "me",
        "reason": "because",
        "created": TODAY,
        "expires": TODAY + timedelta(90),
        **fields,
    }
    return Waiver(**given)


def decide(*waivers: Waiver, days: dict[str, int] | None = None, found: Any = FOUND, policy: Any = None) -> Evaluation:
    settings = PolicySettings(waiver_days=days or {})
    known = facts(user="app", packages=(found.package,), report=report(found))
    return evaluate(policy or bundle(VULNERABLE), known, tag=NAME, settings=settings, now=NOW, waivers=waivers)


@pytest.mark.parametrize(
    ("scope", "holds"),
    [
        ({"cve": "CVE-2026-1"}, True),
        ({"cve": "GHSA-1"}, True),
        ({"cve": "CVE-2026-2"}, False),
        ({"cve": "CVE-*"}, False),
        ({"rule": "vulnerabilities/package"}, True),
        ({"rule": "vulnerabilities"}, True),
        ({"rule": "vulnerabilities/*"}, True),
        ({"rule": "dockerfile/*"}, False),
        ({"cve": "CVE-2026-1", "purl": "pkg:npm/lodash"}, True),
        ({"cve": "CVE-2026-1", "purl": "pkg:npm/lodash@4.17.10"}, True),
        ({"cve": "CVE-2026-1", "purl": "pkg:npm/*"}, True),
        ({"cve": "CVE-2026-1", "purl": "pkg:npm/lodash@9"}, False),
        ({"cve": "CVE-2026-1", "path": "/app/*"}, True),
        ({"cve": "CVE-2026-1", "path": "/opt/*"}, False),
        ({"cve": "CVE-2026-1", "image": NAME}, True),
        ({"cve": "CVE-2026-1", "image": "registry.example.com/team/app"}, True),
        ({"cve": "CVE-2026-1", "image": DIGEST}, True),
        ({"cve": "CVE-2026-1", "image": "registry.example.com/other/*"}, False),
    ],
)
def test_all_that_is_given_must_hold(scope: dict[str, str], holds: bool) -> None:
    evaluation = decide(waiver(**scope))
    assert (evaluation.verdict is Verdict.PASS) is holds
    (finding,) = evaluation.findings
    assert bool(finding.allowlisted) is holds
    if finding.allowlisted:
        assert finding.allowlisted.item_id == "w"
        assert finding.allowlisted.allowlist_name == f"me: because, until {TODAY + timedelta(90)}"


@pytest.mark.parametrize(
    ("fields", "days", "verdict", "kind"),
    [
        ({"expires": TODAY}, {}, Verdict.PASS, "waiver_expires"),
        ({"expires": TODAY + timedelta(15)}, {}, Verdict.PASS, ""),
        ({"created": TODAY - timedelta(9), "expires": TODAY - timedelta(1)}, {}, Verdict.STOP, "waiver_expired"),
        ({}, {"high": 30}, Verdict.STOP, "waiver_too_long"),
        ({}, {"high": 90}, Verdict.PASS, ""),
        ({}, {"critical": 30, "high": 0}, Verdict.PASS, ""),
        ({"cve": "CVE-0"}, {}, Verdict.STOP, "waiver_unused"),
        ({"cve": "CVE-0", "image": "another"}, {}, Verdict.STOP, ""),
    ],
)
def test_a_waiver_ends_and_the_report_says_so(
    fields: dict[str, Any], days: dict[str, int], verdict: Verdict, kind: str
) -> None:
    evaluation = decide(waiver(**{"cve": "CVE-2026-1", **fields}), days=days)
    assert evaluation.verdict is verdict
    assert [problem.type for problem in evaluation.problems] == ([kind] if kind else [])
    assert all(problem.severity == "warn" for problem in evaluation.problems)


def test_one_that_ended_does_not_hide_one_that_holds() -> None:
    old = waiver(id="old", cve="CVE-2026-1", created=TODAY - timedelta(9), expires=TODAY - timedelta(1))
    assert decide(old, waiver(cve="CVE-2026-1")).verdict is Verdict.PASS


def test_findings_without_a_severity_have_a_cap_too() -> None:
    known = facts(user="root")
    for days, verdict in (({"other": 30}, Verdict.STOP), ({"other": 90}, Verdict.PASS)):
        settings = PolicySettings(waiver_days=days)
        about = waiver(rule="dockerfile/effective_user")
        evaluation = evaluate(bundle(ROOT), known, tag=NAME, settings=settings, now=NOW, waivers=[about])
        assert evaluation.verdict is verdict


def test_no_waiver_helps_an_image_that_is_denied_or_undecided() -> None:
    everything = waiver(rule="*")
    denied = bundle(VULNERABLE, blacklisted_images=[{k: v for k, v in ALL.items() if k != "policy_id"}])
    assert decide(everything, policy=denied).verdict is Verdict.STOP
    known = facts(packages=(LODASH,), report=report(missing=("npm",)))
    undecided = evaluate(bundle(VULNERABLE), known, tag=NAME, settings=PolicySettings(), now=NOW, waivers=[everything])
    assert undecided.verdict is Verdict.UNDECIDED


SCOPES = st.fixed_dictionaries(
    {"id": st.sampled_from("abc"), "expires": st.integers(-5, 40).map(lambda days: TODAY + timedelta(days))},
    optional={"cve": st.sampled_from(["CVE-2026-1", "CVE-2026-2"]), "rule": st.sampled_from(["*", "dockerfile/*"])},
)
FINDINGS = (FOUND, vulnerability(OPENSSL, Severity.LOW, "CVE-2026-2"))
RULES = st.permutations([VULNERABLE, ROOT, rule("always", "always", "WARN")])


@given(st.lists(SCOPES.filter(lambda each: "cve" in each or "rule" in each), max_size=4), SCOPES, RULES)
def test_another_waiver_makes_nothing_worse_and_order_and_repetition_change_nothing(
    given_: list[dict[str, Any]], another: dict[str, Any], rules: list[dict[str, Any]]
) -> None:
    known = facts(user="root", packages=(LODASH, OPENSSL), report=report(*FINDINGS))

    def action(scopes: list[dict[str, Any]], order: list[dict[str, Any]]) -> Evaluation:
        waivers = [waiver(**{"created": TODAY - timedelta(9), **scope}) for scope in scopes]
        policy = bundle(*order)
        return evaluate(policy, known, tag=NAME, settings=PolicySettings(), now=NOW, waivers=waivers)

    before = action(given_, rules)
    assert action([*given_, {"rule": "none/*", **another}], rules).final_action.rank <= before.final_action.rank
    assert action(given_, rules) == before
    backwards = action(given_, list(reversed(rules)))
    assert backwards.final_action is before.final_action
    assert {each.trigger_id for each in backwards.findings} == {each.trigger_id for each in before.findings}


GOOD = "{id: a, owner: b, reason: c, created: 2026-01-01, expires: 2026-02-01, cve: CVE-1}"


def parse(tmp_path: Path, text: str) -> tuple[Waiver, ...]:
    (tmp_path / "w.yaml").write_text(text)
    return read_waivers([load_yaml(tmp_path / "w.yaml")])


@pytest.mark.parametrize("text", [f"- {GOOD}\n", f"waivers:\n  - {GOOD}\n"])
def test_a_file_is_a_list_or_has_one(tmp_path: Path, text: str) -> None:
    (found,) = parse(tmp_path, text)
    assert (found.id, found.expires, found.cve) == ("a", date(2026, 2, 1), "CVE-1")
    assert found.place.endswith(("w.yaml:1", "w.yaml:2"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("owner: b, ", ""), "the waiver lacks owner"),
        (("expires: 2026-02-01, ", ""), "the waiver lacks expires"),
        (("2026-02-01", "soon"), "expires: 'soon' is no day"),
        (("2026-02-01", "2025-02-01"), "it expires before it was created"),
        (("reason", "reasn"), "'reasn' is no key of a waiver; did you mean 'reason'?"),
        ((", cve: CVE-1", ""), "give `cve` or `rule`"),
        (("owner: b", "owner: ''"), "owner must be text"),
        ((GOOD, f"{GOOD}\n- {GOOD}"), "the id 'a' stands at"),
        ((f"- {GOOD}", "x: 1"), "it is no list of waivers"),
        ((GOOD, "x"), "a waiver is a mapping"),
    ],
)
def test_mistakes_are_told_with_their_lines(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(tmp_path, f"- {GOOD}\n".replace(*change))
    assert told in str(caught.value)
    assert "w.yaml:" in str(caught.value)


def test_a_day_that_is_not_in_the_calendar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"w\.yaml:1: '2026-99-99' is no value"):
        parse(tmp_path, f"- {GOOD}\n".replace("2026-02-01", "2026-99-99"))


def test_a_whitelist_says_what_it_can() -> None:
    given_ = [
        waiver(id="a", cve="CVE-1"), waiver(id="b", cve="CVE-2", purl="pkg:npm/lodash@1"),
        waiver(id="c", rule="dockerfile/*"), waiver(id="d", cve="CVE-3", path="/x", place="w.yaml:9"),
        waiver(id="e", rule="dockerfile/exposed_ports", place="w.yaml:12"),
    ]  # fmt: skip
    document, left_out = whitelist(given_)
    assert [(item["gate"], item["trigger_id"]) for item in document["items"]] == [
        ("vulnerabilities", "CVE-1+*"), ("vulnerabilities", "CVE-2+lodash*"), ("dockerfile", "*"),
    ]  # fmt: skip
    # One trigger's waiver would let the whole gate through: a whitelist names gates and ids.
    assert left_out == [
        "w.yaml:9: a whitelist cannot say what waiver 'd' is about",
        "w.yaml:12: a whitelist cannot say what waiver 'e' is about",
    ]
    assert document["items"][0]["expires_on"] == f"{TODAY + timedelta(90)}T23:59:59Z"


def test_the_command_prints_a_whitelist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "w.yaml").write_text(f"- {GOOD}\n")
    assert command(["policy", "waivers", str(tmp_path / "w.yaml")]) == 0
    assert json.loads(capsys.readouterr().out)["items"][0]["trigger_id"] == "CVE-1+*"
    assert msgspec.json.encode(waiver())
