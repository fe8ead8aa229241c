"""Every example of a Jenkinsfile, as it stands, on the real CPS transformer, over real servers.

Each pipeline is written out and read back at every step, as a controller's restart does, and runs in the sandbox.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.images import DEBIAN, Layout
from tests.integration.controller import ROOT
from tests.integration.site import EXAMPLES, Site
from tests.integration.test_gate_line import root_digest
from tests.integration.world import POLICY


def test_the_base_image_example_promotes_a_base(site: Site) -> None:
    site.assert_promoted("platform/debian", "12", "12-1")


def test_the_simple_example_is_one_step(site: Site) -> None:
    done = site.example("simple-app")
    assert done["result"] == "SUCCESS", done["error"]
    site.assert_promoted("team/app", "1")
    assert "team/app:1 promoted" in done["description"]
    assert [badge["text"] for badge in done["badges"]] == ["gate: promoted"]
    assert {Path(file).name for file in done["archived"]} >= {"report.html", "report.css", "junit.xml", "issues.json"}
    assert done["restarts"] > 20
    assert not list((done["root"] / "workspace").rglob("imagegate-*"))


def test_the_example_of_several_images_gates_them_at_once(site: Site) -> None:
    done = site.example("monorepo")
    assert done["result"] == "SUCCESS", done["error"]
    for repository in ("team/api", "team/web"):
        site.assert_promoted(repository, "1")
        assert f"{repository}:1 promoted" in done["description"]
    assert any("gated: team/" in line for line in done["log"])


def test_the_example_for_kubernetes_runs_in_its_container(site: Site) -> None:
    done = site.example("kubernetes")
    assert done["result"] == "SUCCESS", done["error"]
    site.assert_promoted("team/pod", "1")


def test_the_long_example_has_each_stage_as_a_step(site: Site) -> None:
    done = site.controller.run(ROOT / "Jenkinsfile.example", scm=str(EXAMPLES / "simple-app"))
    assert done["result"] == "SUCCESS", done["error"]
    site.assert_promoted("team/example", "1.0", "1")
    assert (done["root"] / "workspace" / "job" / "gate.md").read_text().startswith("## imagegate")
    tools = [tool for each in done["issues"] for tool in each["tools"]]
    assert {tool["arguments"]["id"] for tool in tools} == {"imagegate-team-example", "imagegate-check-team-example"}


def promotion_job(site: Site) -> dict[str, Any]:
    """Return the admins' job: only it knows the credentials that sign."""
    folder = EXAMPLES / "delegated-promotion"
    job = {"jenkinsfile": str(folder / "promotion-job.Jenkinsfile"), "credentials": site.everything}
    return {"platform/promote": job}


@pytest.fixture
def keyless(site: Site) -> Iterator[Site]:
    """The site as a team's pipelines see it: no credential that signs is to be had."""
    site.controller.credentials = {"registry-robot": site.everything["registry-robot"]}
    yield site
    site.controller.credentials = site.everything


def test_a_team_without_a_key_has_its_image_promoted_by_the_admins_job(keyless: Site) -> None:
    done = keyless.example("delegated-promotion", jobs=promotion_job(keyless))
    assert done["result"] == "SUCCESS", done["error"]
    keyless.assert_promoted("team/delegated", "1")
    assert [build["result"] for build in done["builds"]] == ["SUCCESS"]
    assert "team/delegated:1 promoted, " in done["description"]
    assert [badge["text"] for badge in done["badges"]] == ["gate: promoted"]
    assert not [step for step in done["steps"] if set(step["credentials"]) & {"notary-root", "notary-targets"}]


def test_what_the_admins_job_stops_is_stopped_for_the_team(keyless: Site) -> None:
    """The team's own policy lets everything through; the site's, which the job goes by, does not."""
    lenient = keyless.directory / "lenient.json"
    lenient.write_text(json.dumps({**POLICY, "policies": [{**POLICY["policies"][0], "rules": []}]}))  # type: ignore[dict-item, index]
    pipeline = f"""
        @Library('imagegate') _
        node {{
            writeFile file: 'Dockerfile', text: 'FROM scratch\\nCOPY Dockerfile /\\nUSER root\\n'
            def built = buildImage(names: 'root:1')
            gateImage image: built.image, to: 'team/refused', tags: '1', policy: '{lenient}', promotion: 'delegated'
        }}
    """
    done = keyless.controller.run(pipeline, jobs=promotion_job(keyless))
    assert done["result"] == "FAILURE"
    assert "team/refused:1 refused by /platform/promote: " in done["error"]
    assert "team/refused:1 stopped (" in done["error"]
    assert "team/refused:1 refused by /platform/promote" in done["description"]
    assert "could not decide" not in done["error"]
    assert keyless.tag("team/refused", "1") is None


def test_the_admins_job_promotes_the_digest_that_it_is_told_an_index_too(keyless: Site) -> None:
    layout = Layout(keyless.directory / "indices")
    children = [
        (name, layout.image([DEBIAN], config={"User": "app"}, architecture=name)) for name in ("amd64", "arm64")
    ]
    image = layout.name(layout.index(children), "both")
    policy = keyless.directory / "index.json"
    policy.write_text(json.dumps(POLICY))
    settings = keyless.directory / "index.yaml"
    settings.write_text(json.dumps({**keyless.settings, "policy": {"bundle": str(policy)}}))
    gate = f"gateImage image: '{image}', to: 'team/index', tags: '1', promotion: 'delegated', allPlatforms: true"
    pipeline = f"@Library('imagegate') _\nnode {{ {gate} }}"
    environment = {**keyless.controller.environment, "IMAGEGATE_SITE_CONFIG": str(settings)}
    job = {**promotion_job(keyless)["platform/promote"], "env": environment}
    done = keyless.controller.run(
        pipeline, jobs={"platform/promote": job}, env={"IMAGEGATE_SITE_CONFIG": str(settings)}, restart="never"
    )
    assert done["result"] == "SUCCESS", done["error"]
    assert root_digest(image) == keyless.signed("team/index")["1"]


def test_an_admins_job_that_could_not_decide_is_no_pass(keyless: Site) -> None:
    environment = {**keyless.controller.environment, "IMAGEGATE_SITE_CONFIG": "/none"}
    job = {**promotion_job(keyless)["platform/promote"], "env": environment}
    done = keyless.example("delegated-promotion", jobs={"platform/promote": job})
    assert done["result"] == "FAILURE"
    assert "could not decide" in done["error"]


HOSTILE_IMAGES = (
    "registry.example.com/team/app@sha256:" + "0" * 64,
    "$(touch executed)",
    "'; touch executed; '",
    "STAGING/team/app:latest",
    "STAGING/../platform/debian@sha256:" + "0" * 64,
    "--to=platform/debian",
)


def test_an_admins_job_that_does_not_know_where_images_wait_promotes_none(site: Site) -> None:
    job = EXAMPLES / "delegated-promotion" / "promotion-job.Jenkinsfile"
    params = {"IMAGE": f"{site.staging.host}/team/app@sha256:{'0' * 64}", "TAGS": "1.0"}
    environment = {key: value for key, value in site.controller.environment.items() if key != "IMAGEGATE_STAGING"}
    site.controller.environment, kept = environment, site.controller.environment
    done = site.controller.run(job, params=params, restart="never")
    site.controller.environment = kept
    assert "from is missing" in done["error"]


@pytest.mark.parametrize("image", HOSTILE_IMAGES)
def test_nobody_talks_the_admins_job_into_anything_else(site: Site, image: str) -> None:
    job = EXAMPLES / "delegated-promotion" / "promotion-job.Jenkinsfile"
    params = {"IMAGE": image.replace("STAGING", site.staging.host), "TAGS": "1.0 $(touch executed)"}
    done = site.controller.run(job, params=params, restart="never")
    assert done["result"] == "FAILURE"
    assert not list(done["root"].rglob("executed"))
    assert site.tag("team/app", "1.0") is None
