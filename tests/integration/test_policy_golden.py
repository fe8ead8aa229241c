"""Under `compat: engine`, evaluations equal those that a real Anchore Engine 1.1.0 gave."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from imagegate.policy.gates import TRIGGERS
from imagegate.policy.gates.known import ENDED, UNSUPPORTED

GOLDEN = Path(__file__).parents[3] / "shared" / "anchore" / "golden"

if not GOLDEN.exists():
    pytest.skip("no recorded evaluations beside the repository", allow_module_level=True)


def cases() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (GOLDEN / "cases.jsonl").read_text().splitlines()]


def run(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "imagegate.cli.main", *options, "parity", "golden", str(directory)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def altered(tmp_path: Path) -> Path:
    """A copy of the recording that a test may change."""
    for each in GOLDEN.iterdir():
        (tmp_path / each.name).symlink_to(each)
    (tmp_path / "cases.jsonl").unlink()
    return tmp_path


def test_every_case_is_equal() -> None:
    done = run(GOLDEN)
    assert done.stdout.splitlines()[-1] == f"{len(cases())} of {len(cases())} cases equal"
    assert done.returncode == 0
    assert len(cases()) == 144


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image["rows"].pop(),
        lambda image: image["rows"][0].update(Trigger_Id="another"),
        lambda image: image["rows"][0].update(Check_Output="other words"),
        lambda image: image["rows"][0].update(Gate_Action="go"),
        lambda image: image["rows"].append(image["rows"][0]),
        lambda image: image.update(final_action="go"),
        lambda image: image.update(final_action_reason="whitelisted"),
        lambda image: image.update(matched_mapping_rule={"name": "another"}),
        lambda image: image.update(status="pass"),
        lambda image: image["evaluation_problems"].append({"details": "trouble"}),
    ],
)
def test_a_difference_is_seen(altered: Path, change: Any) -> None:
    case = copy.deepcopy(next(case for case in cases() if case["name"] == "vuln-all"))
    change(case["engine"]["images"]["debian-root"])
    (altered / "cases-one.jsonl").write_text(json.dumps(case))
    done = run(altered)
    assert done.stdout.splitlines()[-1] == "0 of 1 cases equal"
    assert done.returncode == 1


def test_a_bundle_that_the_engine_refused_and_we_take_is_a_difference(altered: Path) -> None:
    case = copy.deepcopy(next(case for case in cases() if case["name"] == "vuln-all"))
    case["engine"] = {"add": {"status": 400}}
    (altered / "cases-one.jsonl").write_text(json.dumps(case))
    done = run(altered, "--json")
    assert done.returncode == 1
    (difference,) = json.loads(done.stdout)["differences"]
    assert (difference["what"], difference["ours"]) == ("bundle", "accepted")


def test_every_trigger_and_parameter_of_the_engine_is_known() -> None:
    spec = json.loads((GOLDEN.parent / "policy_spec_engine.json").read_text())
    active = {gate["name"]: gate["triggers"] for gate in spec if gate["state"] == "active"}
    assert set(ENDED) == {gate["name"] for gate in spec if gate["state"] == "eol"}
    wanted = {
        (gate, trigger["name"]): {(each["name"], each["required"]) for each in trigger["parameters"] or ()}
        for gate, triggers in active.items()
        for trigger in triggers
    }
    ours = {
        key: {(each.name, each.required) for each in trigger.parameters if not each.beyond}
        for key, trigger in TRIGGERS.items()
        if not trigger.beyond
    }
    assert ours == wanted
    assert not {(gate, name) for gate, names in UNSUPPORTED.items() for name in names} & set(TRIGGERS)
