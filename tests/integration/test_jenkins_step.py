"""`imagegate step`, which the Jenkins library runs, on real servers."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

from imagegate import __version__
from tests.integration.test_gate_line import root_digest
from tests.integration.world import World


class Steps:
    """Runs steps in directories of their own."""

    def __init__(self, world: World) -> None:
        self.world, self.number = world, 0

    def write(self, step: str, parameters: dict[str, Any]) -> Path:
        self.number += 1
        directory = self.world.directory / f"step-{self.number}"
        directory.mkdir()
        keyless = parameters.get("promotion") == "delegated"
        request = {"step": step, "version": __version__, "parameters": parameters, "keyless": keyless}
        (directory / "request.json").write_text(json.dumps(request))
        return directory

    def run(self, step: str, **parameters: Any) -> tuple[dict[str, Any], Path]:
        directory = self.write(step, parameters)
        done = self.world.run("step", str(directory))
        result: dict[str, Any] = json.loads((directory / "result.json").read_text())
        assert result["schema"] == "imagegate/step/1"
        assert done.returncode == result["exitCode"], done.stderr
        print(done.stdout, done.stderr)
        return result, directory / "reports"


def test_a_gate_that_passes_tells_what_it_promoted_and_writes_its_reports(world: World) -> None:
    image = world.good()
    result, reports = Steps(world).run("gateImage", image=image, to="step/good", tags="1.0 latest")
    assert (result["outcome"], result["badge"]) == ("pass", "gate: promoted")
    assert result["image"] == f"{world.repository('step/good')}@{root_digest(image)}"
    assert result["tags"] == ["1.0", "latest"]
    assert world.tag("step/good") == result["digest"]
    assert result["description"] == f"step/good:1.0, step/good:latest promoted, {root_digest(image)[7:19]}"
    named = result["reports"]
    assert named["id"] == "imagegate-step-good"
    for kind in ("junit", "issues", "html"):
        assert (reports / named[kind]).is_file()
    assert "<failure" not in (reports / named["junit"]).read_text()


def test_a_gate_that_stops_says_why_and_still_has_its_reports(world: World) -> None:
    result, reports = Steps(world).run("gateImage", image=world.bad(), to="step/bad", tags=["1.0"], onStop="UNSTABLE")
    assert (result["outcome"], result["onStop"], result["badge"]) == ("stop", "UNSTABLE", "gate: stopped")
    assert "step/bad:1.0 stopped (1 stop): dockerfile/effective_user" in result["message"]
    assert "<failure" in (reports / result["reports"]["junit"]).read_text()
    issues = json.loads((reports / result["reports"]["issues"]).read_text())["issues"]
    assert [issue["severity"] for issue in issues] == ["ERROR"]
    assert world.tag("step/bad") is None


def test_what_could_not_be_decided_is_neither_a_pass_nor_a_stop(world: World) -> None:
    steps = Steps(world)
    result, _ = steps.run("gateImage", image=f"{world.staging.host}/no/such:1", to="step/none")
    assert (result["outcome"], result["exitCode"], result["reports"]) == ("undecided", 2, None)
    assert "no/such:1" in result["message"]
    result, _ = steps.run("gateImage", image=world.good(), to="step/none", polcy="x")
    assert result["outcome"] == "undecided"
    assert "did you mean 'policy'" in result["message"]


def test_what_is_staged_is_not_signed_and_the_other_job_promotes_it_by_its_digest(world: World) -> None:
    steps, image = Steps(world), world.good()
    delegated = {"promotion": "delegated", "staging": f"{world.staging.host}/waiting", "promotionJob": "/promote"}
    result, _ = steps.run("gateImage", image=image, to="step/delegated", tags="1.0", **delegated)
    assert result["outcome"] == "pass"
    assert not result["description"]
    assert result["delegated"]["pass"]["description"] == f"step/delegated:1.0 promoted, {root_digest(image)[7:19]}"
    assert result["delegated"]["stop"]["description"] == "step/delegated:1.0 refused by /promote"
    assert result["staged"] == f"{world.staging.host}/waiting/step/delegated@{root_digest(image)}"
    assert world.tag("step/delegated") is None
    assert not world.notary_proxy.requests
    origin = {"from": f"{world.staging.host}/waiting"}
    promoted, _ = steps.run("promoteImage", image=result["staged"], tags=" ".join(result["tags"]), **origin)
    assert promoted["outcome"] == "pass", promoted["message"]
    assert world.tag("step/delegated") == root_digest(image) == world.signed("step/delegated")["1.0"]


def test_the_promoting_job_takes_nothing_from_elsewhere(world: World) -> None:
    digest = root_digest(world.good())
    result, _ = Steps(world).run(
        "promoteImage",
        image=f"{world.staging.host}/other/team/app@{digest}",
        tags="1.0",
        **{"from": f"{world.staging.host}/waiting"},
    )
    assert result["outcome"] == "undecided"
    assert "is not in" in result["message"]


def test_nothing_waits_in_the_trusted_registry(world: World) -> None:
    delegated = {"promotion": "delegated", "staging": f"{world.trusted.host}/waiting", "promotionJob": "/promote"}
    result, _ = Steps(world).run("gateImage", image=world.good(), to="step/own", tags="1.0", **delegated)
    assert result["outcome"] == "undecided"
    assert "is in the trusted registry" in result["message"]
    assert not [request for request in world.trusted.requests if request.method in ("POST", "PUT", "PATCH")]


def test_signing_and_verifying_tell_their_documents(world: World) -> None:
    steps = Steps(world)
    steps.run("gateImage", image=world.good(), to="step/signed", tags="1.0")
    name = world.repository("step/signed:1.0")
    result, _ = steps.run("verifyImage", image=name)
    assert result["document"]["verified"]["target"]["name"] == "1.0"
    result, _ = steps.run("signImage", image=name, tags="again")
    assert result["document"]["verified"][0]["target"]["name"] == "again"
    result, _ = steps.run("verifyImage", image=world.repository("step/signed:2.0"))
    assert result["outcome"] == "stop"


def test_any_command_can_be_run(world: World) -> None:
    result, _ = Steps(world).run("imagegate", args=["config", "show", "--json"])
    assert result["document"]["settings"]["trusted.registry"]["value"] == world.trusted.host


def test_an_aborted_step_cleans_up_and_leaves_no_result_that_passes(world: World) -> None:
    """Jenkins ends what it aborts with SIGTERM."""
    steps = Steps(world)
    directory = steps.write("gateImage", {"image": world.good(), "to": "step/aborted", "tags": "1.0"})
    process = world.start("step", str(directory))
    deadline = time.monotonic() + 30
    while not world.trusted.requests and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=30)
    result = json.loads((directory / "result.json").read_text())
    assert (process.returncode, result["outcome"]) == (2, "undecided"), stderr
    assert "running the same command again finishes the job" in result["message"]
    world.assert_no_unsigned_tag("step/aborted")
    assert steps.run("gateImage", image=world.good(), to="step/aborted", tags="1.0")[0]["outcome"] == "pass"


def test_secrets_are_in_no_result_and_no_report(world: World) -> None:
    _, reports = Steps(world).run("gateImage", image=world.good(), to="step/secret", tags="1.0")
    for file in reports.parent.rglob("*"):
        assert not file.is_file() or b"-passphrase" not in file.read_bytes()
