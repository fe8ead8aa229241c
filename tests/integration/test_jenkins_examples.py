"""Every example of a Jenkinsfile, as it stands, on the real CPS transformer, over real servers.

Each pipeline is written out and read back at every step, as a controller's restart does, and runs in the sandbox.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from lab.docker import Engine
from lab.notary import PASSPHRASES, Notary
from lab.packages import ensure
from lab.pki import Pki
from lab.registry import Registry
from tests.images import DEBIAN
from tests.integration.controller import ROOT, Controller, agent_environment, built_harness
from tests.integration.world import POLICY

EXAMPLES = ROOT / "examples" / "jenkins"
LOGIN = ("robot", "registry-password")
DEBOOTSTRAP = """\
#!/bin/sh
# Debian's mirrors are not what is tested: a root that looks like Debian's.
set -eu
mkdir -p "$3/etc" "$3/var/lib/dpkg" "$3/dev"
cp "$(dirname "$0")/os-release" "$(dirname "$0")/passwd" "$3/etc/"
printf '%s\\n' 'Package: base-files' 'Status: install ok installed' 'Version: 12.4' 'Architecture: amd64' '' \\
  > "$3/var/lib/dpkg/status"
"""


class Site:
    """A site with everything: registries, Notary, an engine, and a controller that knows their credentials."""

    def __init__(
        self, directory: Path, pki: Pki, staging: Registry, trusted: Registry, notary: Notary, engine: Engine
    ) -> None:
        self.directory, self.pki, self.staging, self.trusted, self.notary = directory, pki, staging, trusted, notary
        self.site_file = directory / "site.yaml"
        self.settings: dict[str, Any] = {
            "hosts": {host: {"ca_file": str(pki.ca_file)} for host in (staging.host, trusted.host, notary.host)},
            "cache": {"directory": str(directory / "cache")},
            "trusted": {"registry": trusted.host, "bases": [f"{trusted.host.replace('.', '[.]')}/platform/.*"]},
            "policy": {"bundle": "application"},
            "notary": {
                "server": notary.url,
                "keys": str(directory / "keys"),
                "trust_on_first_use": True,
                "create_root": True,
            },
            "advisories": {"database": str(directory / "advisories.sqlite")},
            "lock": ["trusted", "notary.server", "policy.missing_advisories", "policy.unmapped"],
        }
        self.site_file.write_text(json.dumps(self.settings))
        tools = directory / "tools"
        tools.mkdir()
        for name, text in (("debootstrap", DEBOOTSTRAP), *((Path(name).name, text) for name, text in DEBIAN.items())):
            (tools / name).write_text(text)
        (tools / "debootstrap").chmod(0o755)
        self.environment = {
            "IMAGEGATE_SITE_CONFIG": str(self.site_file),
            "IMAGEGATE_REGISTRY_HOST": trusted.host,
            "IMAGEGATE_REGISTRY_CREDENTIALS": "registry-robot",
            "IMAGEGATE_NOTARY_ROOT_PASSPHRASE_CREDENTIALS": "notary-root",
            "IMAGEGATE_NOTARY_TARGETS_PASSPHRASE_CREDENTIALS": "notary-targets",
            "TRUSTED_REGISTRY": trusted.host,
            "STAGING_REGISTRY": staging.host,
            "DOCKER_HOST": engine.host,
            "DOCKER_CONFIG": str(directory / "docker"),
        }
        agents = agent_environment(directory, self.environment)
        agents["PATH"] = f"{tools}:{agents['PATH']}"
        signing = {
            "notary-root": {"kind": "string", "secret": PASSPHRASES["NOTARY_ROOT_PASSPHRASE"]},
            "notary-targets": {"kind": "string", "secret": PASSPHRASES["NOTARY_TARGETS_PASSPHRASE"]},
        }
        robot = {"kind": "usernamePassword", "username": LOGIN[0], "password": LOGIN[1]}
        self.everything = {"registry-robot": robot, **signing}
        self.controller = Controller(directory / "controller", built_harness(), agents, self.everything)

    def example(self, name: str, **scenario: Any) -> dict[str, Any]:
        """Run an example's Jenkinsfile in its own repository."""
        folder = EXAMPLES / name
        return self.controller.run(folder / "Jenkinsfile", scm=str(folder), **scenario)

    def tag(self, repository: str, tag: str) -> str | None:
        """Return the digest that a tag of the trusted registry points at."""
        reply = requests.head(
            f"https://{self.trusted.host}/v2/{repository}/manifests/{tag}",
            headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
            auth=LOGIN,
            verify=str(self.pki.ca_file),
            timeout=10,
        )
        return reply.headers["Docker-Content-Digest"] if reply.status_code == 200 else None

    def signed(self, repository: str) -> dict[str, str]:
        """Return tag to digest as Debian's `notary` verifies it."""
        trust = self.directory / f"peer-{repository.replace('/', '-')}"
        listing = self.notary.cli("list", f"{self.trusted.host}/{repository}", trust=trust, check=False)
        rows = [line.split() for line in listing.stdout.splitlines() if "sha256" not in line]
        return {row[0]: f"sha256:{row[1]}" for row in rows if len(row) == 4 and len(row[1]) == 64}

    def assert_promoted(self, repository: str, *tags: str) -> None:
        """A consumer finds each tag, and what it points at is what is signed."""
        signed = self.signed(repository)
        for tag in tags:
            assert self.tag(repository, tag) == signed[tag], f"{repository}:{tag} of {signed}"


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, registry: Registry, notary: Notary, docker_engine: Engine
) -> Iterator[Site]:
    """A site whose base image was promoted by its own example."""
    ensure("docker-registry")
    directory = tmp_path_factory.mktemp("site")
    with Registry(directory / "trusted", pki, name="trusted", login=LOGIN) as trusted:
        site = Site(directory, pki, registry, trusted, notary, docker_engine)
        imported = site.controller.run(
            f"@Library('imagegate') _\nnode {{ imagegate args: ['db', 'import', '{ROOT / 'demo' / 'advisories'}'] }}"
        )
        assert imported["result"] == "SUCCESS"
        based = site.example("base-image")
        assert based["result"] == "SUCCESS", based["error"]
        yield site


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
            gateImage image: built.image, to: 'team/refused', tags: '1', policy: '{lenient}', promotion: 'delegated',
                staging: env.STAGING_REGISTRY, promotionJob: '/platform/promote'
        }}
    """
    done = keyless.controller.run(pipeline, jobs=promotion_job(keyless))
    assert done["result"] == "FAILURE"
    assert "ended as UNSTABLE" in done["error"]
    assert "could not decide" not in done["error"]
    assert keyless.tag("team/refused", "1") is None


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


@pytest.mark.parametrize("image", HOSTILE_IMAGES)
def test_nobody_talks_the_admins_job_into_anything_else(site: Site, image: str) -> None:
    job = EXAMPLES / "delegated-promotion" / "promotion-job.Jenkinsfile"
    params = {"IMAGE": image.replace("STAGING", site.staging.host), "TAGS": "1.0 $(touch executed)"}
    done = site.controller.run(job, params=params, restart="never")
    assert done["result"] == "FAILURE"
    assert not list(done["root"].rglob("executed"))
    assert site.tag("team/app", "1.0") is None
