"""The first build of every kind of new repository, by its own Jenkinsfile, passes the gate."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from imagegate.cli.main import attempt
from imagegate.jenkins.scaffold import KINDS
from lab.packages import ensure
from tests.integration.site import LOGIN, Site


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_build_of_a_new_repository_passes(site: Site, kind: str, tmp_path: Path) -> None:
    if kind == "node-app":
        ensure("npm")
    directory, name = tmp_path / "new", f"platform/{kind}" if kind == "base-image" else f"new/{kind}"
    base = f"{site.trusted.host}/platform/debian:12"
    assert attempt(["new", str(directory), "--kind", kind, "--name", name, "--base", base]).code == 0
    npm = Path(shutil.which("npm") or "/usr/bin/npm").parent
    done = site.controller.run(
        directory / "Jenkinsfile",
        scm=str(directory),
        env={"PATH": f"{site.controller.environment['PATH']}:{npm}"},
    )
    assert done["result"] == "SUCCESS", done["error"]
    site.assert_promoted(name, "12" if kind == "base-image" else "1")


@pytest.mark.parametrize("kind", ["python-app", "base-image"])
def test_its_policy_test_says_before_what_the_gate_says_later(site: Site, kind: str, tmp_path: Path) -> None:
    """The first ten minutes, as its README has them."""
    name, base = f"ten/{kind}", f"{site.trusted.host}/platform/debian:12"
    assert attempt(["new", str(tmp_path / "new"), "--kind", kind, "--name", name, "--base", base]).code == 0
    login = {"IMAGEGATE_REGISTRY_USER": LOGIN[0], "IMAGEGATE_REGISTRY_PASSWORD": LOGIN[1]}

    def run(*command: str) -> str:
        done = subprocess.run(
            command,
            cwd=tmp_path / "new",
            env={**site.controller.environment, **login},
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
