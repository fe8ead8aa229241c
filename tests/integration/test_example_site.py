"""The example site, whole: its settings, waivers, teams and templates bring up a site that promotes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagegate.cli.main import attempt
from lab.docker import Engine
from lab.notary import Notary
from lab.packages import ensure
from lab.pki import Pki
from lab.registry import Registry
from tests.integration.controller import ROOT
from tests.integration.site import EXAMPLES, LOGIN, Site

SITE = ROOT / "examples" / "site"
PIN = re.compile(r"\b[0-9a-f]{64}\b")


@pytest.fixture(scope="module")
def example(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, registry: Registry, notary: Notary, docker_engine: Engine
) -> Iterator[Site]:
    """A site by the files of the example, with this machine's servers in place of example.com's."""
    ensure("docker-registry", "notary")
    directory = tmp_path_factory.mktemp("example")
    with Registry(directory / "trusted", pki, name="trusted", login=LOGIN) as trusted:
        site = Site(directory, pki, registry, trusted, notary, docker_engine)
        hosts = {"registry": trusted.host, "staging": registry.host, "notary": notary.host}
        keys = directory / "keys"
        notary.cli("key", "generate", "ecdsa", "--role", "root", trust=keys)
        (root,) = PIN.findall(notary.cli("key", "list", trust=keys).stdout)
        for source in SITE.rglob("*.*"):
            text = source.read_text()
            for name, host in hosts.items():
                text = text.replace(f"{name}.example.com", host).replace(rf"{name}\.example\.com", re.escape(host))
            text = PIN.sub(root, text).replace("/var/lib/imagegate", str(directory))
            target = directory / "site" / source.relative_to(SITE)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        shutil.copy(pki.ca_file, directory / "site" / "ca.crt")
        settings = str(directory / "site" / "imagegate.yaml")
        site.controller.environment = {**site.controller.environment, "IMAGEGATE_SITE_CONFIG": settings}
        site.import_advisories()
        yield site


def checkout(site: Site, name: str, *sources: Path) -> Path:
    """Return a repository's checkout: files of an example, and the Jenkinsfile that the site generates for it."""
    directory = site.directory / "checkouts" / name
    for source in sources:
        shutil.copytree(source, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*Jenkinsfile"))
    where = ["--teams", str(site.directory / "site" / "teams.yaml"), "--into", str(site.directory / "checkouts")]
    templates = str(site.directory / "site" / "templates")
    assert attempt(["generate", *where, "--templates", templates, "--only", name]).code == 0
    return directory


def run(site: Site, directory: Path, **scenario: Any) -> dict[str, Any]:
    return site.controller.run(directory / "Jenkinsfile", scm=str(directory), **scenario)


def test_the_site_builds_its_base_and_a_team_builds_on_it_without_a_key(example: Site) -> None:
    base = checkout(example, "platform/debian", EXAMPLES / "base-image")
    done = run(example, base)
    assert done["result"] == "SUCCESS", done["error"]
    example.assert_promoted("platform/debian", "12")
    application = checkout(example, "payments/api", EXAMPLES / "delegated-promotion")
    dockerfile = application / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("registry.example.com", example.trusted.host))
    job = EXAMPLES / "delegated-promotion" / "promotion-job.Jenkinsfile"
    example.controller.credentials = {"registry-robot": example.everything["registry-robot"]}
    done = run(
        example,
        application,
        branchName="main",
        jobs={"platform/promote": {"jenkinsfile": str(job), "credentials": example.everything}},
    )
    assert done["result"] == "SUCCESS", done["error"]
    example.assert_promoted("payments/api", "main-1")
    assert "numToKeepStr: '20'" in (application / "Jenkinsfile").read_text()


def test_what_the_site_locked_no_project_can_change(example: Site) -> None:
    directory = example.directory / "loosening"
    directory.mkdir()
    pipeline = "node { checkout scm\ncheckImage image: 'docker-daemon:x', waivers: 'mine.yaml' }"
    done = example.controller.run(f"@Library('imagegate') _\n{pipeline}", scm=str(directory), restart="never")
    assert done["result"] == "FAILURE"
    assert "policy.waivers" in done["error"]
    assert "locks" in done["error"]
    (directory / "imagegate.yaml").write_text("policy: {missing_advisories: go}\n")
    pipeline = "node { checkout scm\ncheckImage image: 'docker-daemon:x' }"
    done = example.controller.run(f"@Library('imagegate') _\n{pipeline}", scm=str(directory), restart="never")
    assert "policy.missing_advisories" in done["error"]
