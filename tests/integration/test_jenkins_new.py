"""The first build of every kind of new repository, by its own Jenkinsfile, passes the gate."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from imagegate.cli.main import attempt
from imagegate.jenkins.kinds import KINDS
from lab.packages import ensure
from tests.integration.site import LOGIN, Site

TOOLS = {"node-app": "npm"}
"""What an agent needs for a kind."""


def made(site: Site, kind: str, name: str, directory: Path) -> Path:
    """Write a repository on the site's base, and return its directory."""
    base = f"{site.trusted.host}/platform/debian:12"
    assert attempt(["new", str(directory), "--kind", kind, "--name", name, "--base", base]).code == 0
    return directory


def environment(site: Site, kind: str) -> dict[str, str]:
    """Return an agent's environment with the kind's tools on its PATH."""
    ours = dict(site.controller.environment)
    if tool := TOOLS.get(kind):
        ensure(tool)
        found = shutil.which(tool)
        assert found
        ours["PATH"] = f"{ours['PATH']}:{Path(found).parent}"
    return ours


def built(site: Site, kind: str, directory: Path) -> dict[str, Any]:
    """Run the repository's own Jenkinsfile."""
    return site.controller.run(directory / "Jenkinsfile", scm=str(directory), env=environment(site, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_build_of_a_new_repository_passes(site: Site, kind: str, tmp_path: Path) -> None:
    name = f"platform/{kind}" if kind == "base-image" else f"new/{kind}"
    done = built(site, kind, made(site, kind, name, tmp_path / "new"))
    assert done["result"] == "SUCCESS", done["error"]
    site.assert_promoted(name, "12" if kind == "base-image" else "1")


@pytest.mark.parametrize("kind", KINDS)
def test_its_policy_test_says_before_what_the_gate_says_later(site: Site, kind: str, tmp_path: Path) -> None:
    """The first ten minutes, as its README has them."""
    made(site, kind, f"ten/{kind}", tmp_path / "new")
    login = {"IMAGEGATE_REGISTRY_USER": LOGIN[0], "IMAGEGATE_REGISTRY_PASSWORD": LOGIN[1]}

    def run(*command: str) -> str:
        done = subprocess.run(
            command,
            cwd=tmp_path / "new",
            env={**environment(site, kind), **login},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    told = (tmp_path / "new" / "README.md").read_text().partition("## The first ten minutes\n")[2]
    commands = [line.strip() for line in told.splitlines() if line.startswith("    ") and "git init" not in line]
    assert len(commands) >= 3
    for command in commands:
        output = run("sh", "-c", command)
    assert "the image of this repository passes" in output


def test_a_dependency_with_a_vulnerability_is_stopped(site: Site, tmp_path: Path) -> None:
    """What is copied in is seen, and the application policy is what decides."""
    directory = made(site, "python-app", "new/vulnerable", tmp_path / "new")
    (directory / "requirements.txt").write_text("urllib3==1.26.4\n")
    done = built(site, "python-app", directory)
    assert done["result"] == "FAILURE"
    assert "stopped" in done["description"]
    assert "vulnerabilities/package: CVE-2023-43804 in urllib3 1.26.4" in done["error"]
    assert site.tag("new/vulnerable", "1") is None


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].on_base])
def test_an_application_that_runs_as_root_is_stopped(site: Site, kind: str, tmp_path: Path) -> None:
    """That the first build passes is the policy's word: it has another for the same files with another user."""
    directory = made(site, kind, f"root/{kind}", tmp_path / "new")
    dockerfile = directory / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("USER app", "USER root"))
    done = built(site, kind, directory)
    assert done["result"] == "FAILURE"
    assert "dockerfile/effective_user" in done["error"]
    assert site.tag(f"root/{kind}", "1") is None


def test_a_dependency_that_is_raised_leaves_nothing_of_the_old(site: Site, tmp_path: Path) -> None:
    directory = made(site, "python-app", "new/raised", tmp_path / "new")
    command = KINDS["python-app"].stages[0].run
    for version in ("3.6", "3.10"):
        (directory / "requirements.txt").write_text(f"idna=={version}\n")
        subprocess.run(
            ["sh", "-c", command], cwd=directory, check=True, env=environment(site, "python-app"), timeout=120
        )
    assert [each.name for each in (directory / "vendor").glob("*.dist-info")] == ["idna-3.10.dist-info"]
