"""What the Jenkins library adds to the command."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.cases import IMAGEGATE, ROOT, Bench, Case, Goal
from imagegate import __version__
from lab import harness

_STEP = "@Library('imagegate') _\nnode {{ gateImage image: '{image}', to: '{to}', tags: '{tag}' }}\n"
_BARE = "node {{ sh '{command} gate {image} --to {to} --tag {tag}' }}\n"


def library(bench: Bench) -> Iterator[Case]:
    """The Jenkins library, by whole pipelines on the harness of tests/groovy: the step beside the bare command."""
    image, to = f"oci:{bench.large.layout}", f"{bench.registry('library').host}/bench"
    java = harness.harness()
    numbers = iter(range(1_000_000))

    def pipeline(text: str) -> list[str]:
        number = next(numbers)
        here = bench.work / f"pipeline-{number}"
        here.mkdir()
        (here / "Jenkinsfile").write_text(text.format(image=image, to=to, tag=f"t{number}", command=IMAGEGATE))
        scenario = {
            "library": str(ROOT),
            "libraryVersion": f"v{__version__}",
            "jenkinsfile": str(here / "Jenkinsfile"),
            "root": str(here / "jenkins"),
            "plugins": ["junit", "warnings-ng", "htmlpublisher", "badge"],
            "restart": "never",
            "sandbox": False,
            "env": {**bench.environment, "PATH": f"{Path(IMAGEGATE).parent}:{os.environ['PATH']}"},
        }
        (here / "scenario.json").write_text(json.dumps(scenario))
        return [*java, str(here / "scenario.json"), str(here / "result.json")]

    yield Case(
        "gateImage in a pipeline, a warm agent / the bare command in one",
        lambda _: pipeline(_STEP),
        lambda _: pipeline(_BARE),
        goals=(Goal(more=3.0),),
    )

    def cold(_: int) -> list[str]:
        tools = bench.work / "tools"
        shutil.rmtree(tools, ignore_errors=True)
        step = bench.work / "cold-step"
        step.mkdir(exist_ok=True)
        variables = {
            "IMAGEGATE_STEP": step,
            "IMAGEGATE_VERSION": __version__,
            "IMAGEGATE_INSTALL": f"{ROOT}[syft]",
            "IMAGEGATE_TOOLS": tools,
            "PATH": f"{Path(sys.base_prefix) / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        }
        script = ROOT / "resources" / "org" / "imagegate" / "bootstrap.sh"
        return ["env", *(f"{name}={value}" for name, value in variables.items()), "sh", str(script)]

    yield Case(
        "a cold agent: the command installed from the package index's wheels",
        cold,
        None,
        goals=(Goal(absolute=30.0),),
        runs=3,
        warm_up=False,
    )
