"""The first build of every kind of new repository, by its own Jenkinsfile, passes the gate."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from imagegate.cli.main import attempt
from imagegate.jenkins.scaffold import KINDS
from lab.packages import ensure
from tests.integration.site import Site


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
