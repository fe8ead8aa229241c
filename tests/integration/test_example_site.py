"""The example site, whole: its settings, waivers, teams and templates bring up a site that promotes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

from imagegate.cli.main import attempt
from lab.docker import Engine
from lab.notary import Notary
from lab.packages import ensure
from lab.pki import Pki
from lab.postgresql import PASSWORD, Postgresql
from lab.registry import Registry
from tests.fakes.inbox import Webhook, webhook
from tests.fakes.jenkins import FakeJenkins
from tests.integration.controller import ROOT
from tests.integration.site import EXAMPLES, LOGIN, Site
from tests.integration.test_jenkins_jobs import settings
from tests.unit.rechecks import HIGH
from tests.unit.test_inventory import advisory

SITE = ROOT / "examples" / "site"
INVENTORY = "postgresql://imagegate@inventory.example.com/imagegate"
PIN = re.compile(r"\b[0-9a-f]{64}\b")


def mirror(directory: Path) -> None:
    """Make a mirror of OSV's exports: it has the demo's advisories."""
    for ecosystem, name in {"Debian": "debian-12", "PyPI": "pypi", "npm": "npm"}.items():
        file = directory / ecosystem / "all.zip"
        file.parent.mkdir(parents=True)
        with ZipFile(file, "w") as archive:
            for record in json.loads((ROOT / "demo" / "advisories" / f"{name}.json").read_text()):
                archive.writestr(f"{record['id']}.json", json.dumps(record))


@pytest.fixture(scope="module")
def with_chat(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, registry: Registry, notary: Notary, docker_engine: Engine
) -> Iterator[tuple[Site, Webhook]]:
    """A site by the files of the example, with this machine's servers in place of example.com's, and its chat."""
    ensure("docker-registry", "notary")
    directory = tmp_path_factory.mktemp("example")
    with (
        Registry(directory / "trusted", pki, name="trusted", login=LOGIN) as trusted,
        Postgresql() as database,
        webhook() as chat,
    ):
        site = Site(directory, pki, registry, trusted, notary, docker_engine)
        hosts = {"registry": trusted.host, "staging": registry.host, "notary": notary.host}
        inventory = database.database()
        keys = directory / "keys"
        notary.cli("key", "generate", "ecdsa", "--role", "root", trust=keys)
        (root,) = PIN.findall(notary.cli("key", "list", trust=keys).stdout)
        for source in SITE.rglob("*.*"):
            text = source.read_text()
            for name, host in hosts.items():
                text = text.replace(f"{name}.example.com", host).replace(rf"{name}\.example\.com", re.escape(host))
            text = PIN.sub(root, text).replace("/var/lib/imagegate", str(directory)).replace(INVENTORY, inventory)
            text = text.replace("https://mirror.example.com/osv/", f"{directory / 'mirror'}")
            text = re.sub("^hosts:$", f"hosts:\n  {chat.host}: {{plain_http: true}}", text, flags=re.MULTILINE)
            target = directory / "site" / source.relative_to(SITE)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        shutil.copy(pki.ca_file, directory / "site" / "ca.crt")
        settings = str(directory / "site" / "imagegate.yaml")
        job = {
            "IMAGEGATE_PROMOTION_JOB": "/Platform/promote",
            "IMAGEGATE_INVENTORY_PASSWORD_CREDENTIALS": "inventory-password",
        }
        site.controller.environment = {**site.controller.environment, **job, "IMAGEGATE_SITE_CONFIG": settings}
        secrets = directory / "notify-secrets"
        secrets.write_text(f"IMAGEGATE_NOTIFY_CHAT_WEBHOOK={chat.url}\n")
        site.everything |= {
            "inventory-password": {"kind": "string", "secret": PASSWORD},
            "notify-secrets": {"kind": "file", "path": str(secrets)},
        }
        site.controller.credentials = site.everything
        site.import_advisories()
        yield site, chat


@pytest.fixture
def example(with_chat: tuple[Site, Webhook]) -> Site:
    site, _ = with_chat
    site.controller.credentials = site.everything
    return site


def checkout(site: Site, name: str, *sources: Path) -> Path:
    """Return a repository's checkout: files of an example, and the Jenkinsfile that the site generates for it."""
    directory = site.directory / "checkouts" / name
    directory.mkdir(parents=True, exist_ok=True)
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
        jobs={"Platform/promote": {"jenkinsfile": str(job), "credentials": example.everything}},
    )
    assert done["result"] == "SUCCESS", done["error"]
    example.assert_promoted("payments/api", "main-1")
    assert "numToKeepStr: '20'" in (application / "Jenkinsfile").read_text()


def test_the_nightly_job_says_what_new_advisories_hit(with_chat: tuple[Site, Webhook], example: Site) -> None:
    """By the Jenkinsfile that the site generates for it: the teams' promoted images, and the platform's."""
    if example.tag("platform/debian", "12") is None:
        assert run(example, checkout(example, "platform/debian", EXAMPLES / "base-image"))["result"] == "SUCCESS"
    _, chat = with_chat
    job = checkout(example, "platform/jobs") / "recheck.Jenkinsfile"
    assert job.read_text() == (SITE / "recheck.Jenkinsfile").read_text()
    assert example.controller.run(job, restart="never")["result"] == "SUCCESS"
    record = advisory("CVE-2026-9001", "base-files", "99", **HIGH)
    (example.directory / "new.json").write_text(json.dumps([record]))
    imported = f"node {{ imagegate args: ['db', 'import', '{example.directory / 'new.json'}'] }}"
    assert example.controller.run(f"@Library('imagegate') _\n{imported}", restart="never")["result"] == "SUCCESS"
    done = example.controller.run(job)
    assert done["result"] == "UNSTABLE", done["error"]
    assert done["description"].startswith("re-check: 1 new or changed vulnerability in ")
    (page,) = (done["root"] / "archive").rglob("report.html")
    assert "platform/debian" in page.read_text()
    assert "CVE-2026-9001" in chat.posts[-1].body.decode()
    assert example.controller.run(job, restart="never")["description"].endswith(
        "no promoted image is hit by anything new"
    )


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


def test_the_nightly_job_fetches_what_the_mirror_has(example: Site) -> None:
    mirror(example.directory / "mirror")
    job = SITE / "advisories.Jenkinsfile"
    done = example.controller.run(job)
    assert done["result"] == "SUCCESS", done["error"]
    assert any("updated: osv/Debian, osv/PyPI, osv/npm" in line for line in done["log"]), done["log"]


def test_its_jobs_and_its_configuration_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeJenkins() as jenkins:
        settings(tmp_path, monkeypatch, {jenkins.host: {"plain_http": True}})
        where = ["--teams", str(SITE / "teams.yaml")]
        server = [*where, "--server", jenkins.url]
        assert attempt(["jenkins", "apply", *server]).code == 0
        assert attempt(["jenkins", "drift", *server]).code == 0
        capsys.readouterr()
        assert attempt(["jenkins", "plan", *server, "--json"]).code == 0
        names = {each["name"] for each in json.loads(capsys.readouterr().out)["items"]}
    assert {
        "Platform/promote",
        "Platform/advisories",
        "Platform/re-check",
        "Payments/payments-api",
        "Payments/payments-shop",
    } <= names
    assert attempt(["jenkins", "casc", *where]).code == 0
    written = yaml.safe_load(capsys.readouterr().out)
    (library,) = written["unclassified"]["globalLibraries"]["libraries"]
    assert (library["name"], library["defaultVersion"]) == ("imagegate", "v0.1.0")
