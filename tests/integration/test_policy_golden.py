"""Under `compat: engine`, evaluations equal those that a real Anchore Engine 1.1.0 gave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections import Counter
from typing import Any

import msgspec
import pytest

from imagegate.errors import PolicyError
from imagegate.model import Analysis, Evaluation, Verdict
from imagegate.policy.document import PolicyBundle, parse_bundle
from imagegate.policy.evaluate import evaluate
from imagegate.policy.facts import Facts
from imagegate.policy.gates import TRIGGERS
from imagegate.policy.gates.known import ENDED, UNSUPPORTED
from imagegate.settings import PolicySettings
from tests.integration import golden

if not golden.SHARED.exists():
    pytest.skip("no recorded evaluations beside the repository", allow_module_level=True)

CASES = golden.cases()
FACTS = {image: golden.facts(image) for image in golden.IMAGES}
ENGINE = PolicySettings(compat="engine", unmapped="go")


def unsupported(case: dict[str, Any]) -> bool:
    rules = [rule for policy in case["bundle"]["policies"] for rule in policy["rules"]]
    return any(rule["trigger"] in UNSUPPORTED.get(rule["gate"], ()) for rule in rules)


def named(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in cases]


def load(case: dict[str, Any]) -> PolicyBundle:
    return parse_bundle(json.dumps(case["bundle"]).encode(), case["name"])


def row(entry: dict[str, Any]) -> tuple[Any, ...]:
    let_through = entry["Whitelisted"]
    return (
        entry["Gate"],
        entry["Trigger"],
        entry["Trigger_Id"],
        entry["Check_Output"],
        entry["Gate_Action"],
        entry["Policy_Id"],
        (let_through["whitelist_id"], let_through["matched_rule_id"]) if let_through else None,
    )


def rows(evaluation: Evaluation) -> Counter[tuple[Any, ...]]:
    return Counter(
        (
            finding.gate,
            finding.trigger,
            finding.trigger_id,
            finding.message,
            "go" if finding.allowlisted else finding.action.value,
            finding.policy_id,
            (finding.allowlisted.allowlist_id, finding.allowlisted.item_id) if finding.allowlisted else None,
        )
        for finding in evaluation.findings
    )


def test_every_trigger_and_parameter_of_the_engine_is_known() -> None:
    spec = json.loads((golden.SHARED.parent / "policy_spec_engine.json").read_text())
    active = {gate["name"]: gate["triggers"] for gate in spec if gate["state"] == "active"}
    assert set(ENDED) == {gate["name"] for gate in spec if gate["state"] == "eol"}
    known = {(gate, name) for gate, names in UNSUPPORTED.items() for name in names} | set(TRIGGERS)
    own = {key for key in TRIGGERS if key[0] == "base_image"}
    assert known - own == {(gate, trigger["name"]) for gate, triggers in active.items() for trigger in triggers}
    for gate, triggers in active.items():
        for trigger in triggers:
            if (gate, trigger["name"]) in TRIGGERS:
                ours = {(each.name, each.required) for each in TRIGGERS[gate, trigger["name"]].parameters}
                assert ours == {(each["name"], each["required"]) for each in trigger["parameters"] or ()}


def test_no_case_is_left_out() -> None:
    assert len(CASES) == 144
    assert len([case for case in CASES if not unsupported(case)]) == 124


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Facts]:
    """The same facts, out of what `imagegate analyze` says of the images."""
    home = tmp_path_factory.mktemp("home")
    found = {}
    for image in golden.IMAGES:
        layout = home / image
        with tarfile.open(golden.SHARED / "images" / f"{image}.oci.tar") as tar:
            tar.extractall(layout, filter="data")
        command = [sys.executable, "-m", "imagegate.cli.main", "--json", "analyze", f"oci:{layout}"]
        environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
        done = subprocess.run(command, capture_output=True, check=True, env=environment)
        found[image] = golden.facts(image, msgspec.json.decode(done.stdout, type=Analysis))
    return found


def test_the_analysis_leads_to_the_same_evaluations(analysed: dict[str, Facts]) -> None:
    for case in CASES:
        results = case["engine"].get("images", {})
        if unsupported(case) or case["engine"]["add"]["status"] != 200 or any("http" in r for r in results.values()):
            continue
        for image, expected in results.items():
            name = f"127.0.0.1:15301/team/{image}:1.0"
            evaluation = evaluate(load(case), analysed[image], tag=name, settings=ENGINE, now=golden.now())
            assert rows(evaluation) == Counter(row(entry) for entry in expected["rows"]), case["name"]


@pytest.mark.parametrize("case", named([case for case in CASES if not unsupported(case)]))
def test_it_decides_as_the_engine_did(case: dict[str, Any]) -> None:
    engine = case["engine"]
    if engine["add"]["status"] != 200 or any("http" in result for result in engine["images"].values()):
        with pytest.raises(PolicyError):
            load(case)
        return
    bundle = load(case)
    for image, expected in engine["images"].items():
        name = f"127.0.0.1:15301/team/{image}:1.0"
        evaluation = evaluate(bundle, FACTS[image], tag=name, settings=ENGINE, now=golden.now())
        assert rows(evaluation) == Counter(row(entry) for entry in expected["rows"])
        assert evaluation.final_action.value == expected["final_action"]
        assert evaluation.reason.value == expected["final_action_reason"]
        mapping = expected["matched_mapping_rule"]
        assert evaluation.mapping == (mapping["name"] if mapping else "")
        problems = [problem["details"] for problem in expected["evaluation_problems"]]
        assert [problem.details for problem in evaluation.problems] == problems
        if not problems:
            assert (evaluation.verdict is Verdict.PASS) == (expected["status"] == "pass")


@pytest.mark.parametrize("case", named([case for case in CASES if unsupported(case)]))
def test_what_is_not_evaluated_yet_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(PolicyError, match="not supported yet"):
        load(case)
