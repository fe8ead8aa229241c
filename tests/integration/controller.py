"""Pipelines on the real CPS transformer: the harness of `tests/groovy`, over real servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagegate import __version__
from lab import harness

ROOT = Path(__file__).parents[2]
PLUGINS = (
    *("junit", "warnings-ng", "htmlpublisher", "badge", "docker-workflow", "kubernetes"),
    "pipeline-utility-steps",
)


@dataclass
class Controller:
    """A Jenkins controller as far as a library can tell. environment: global, of builds and agents."""

    directory: Path
    command: Sequence[str]
    environment: Mapping[str, str]
    credentials: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    plugins: Sequence[str] = PLUGINS
    number: int = 0

    def run(self, jenkinsfile: Path | str, **scenario: Any) -> dict[str, Any]:
        """Run a pipeline to its end and return the harness's account of it.

        jenkinsfile: a file, or a pipeline's text. scenario: more keys of it; `env` and `credentials` are added to.
        """
        self.number += 1
        here = self.directory / f"build-{self.number}"
        here.mkdir(parents=True)
        if isinstance(jenkinsfile, str):
            (here / "Jenkinsfile").write_text(jenkinsfile)
            jenkinsfile = here / "Jenkinsfile"
        document = {
            "library": str(ROOT),
            "libraryVersion": f"v{__version__}",
            "jenkinsfile": str(jenkinsfile),
            "root": str(here / "jenkins"),
            "plugins": list(self.plugins),
            "whitelist": [str(harness.DIRECTORY / "whitelist.txt")],
            **scenario,
            "env": {**self.environment, **scenario.get("env", {})},
            "credentials": {**self.credentials, **scenario.get("credentials", {})},
        }
        (here / "scenario.json").write_text(json.dumps(document))
        done = subprocess.run(
            [*self.command, str(here / "scenario.json"), str(here / "result.json")],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        result: dict[str, Any] = json.loads((here / "result.json").read_text())
        print("\n".join(result["log"]), result["error"], sep="\n")
        return {**result, "root": here / "jenkins"}


def agent_environment(directory: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of an agent that has the command on its PATH."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(directory), "LANG": "C.UTF-8", **more}
