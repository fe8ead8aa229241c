"""Anchore's own command line against the fake server: evidence that the fake is one."""

from __future__ import annotations

import os
import subprocess
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagegate.model import Verdict
from tests.fakes.anchore import PASSWORD, USER
from tests.fakes.contract import DEVIATIONS, DOCUMENTS, general
from tests.integration.test_anchore_judge import World, verdict

pytestmark = pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="Anchore's OpenAPI documents are not here")

OLD = ["click==8.0.1", "requests<2.32", "urllib3<2", "six", "PyYAML", "prettytable", "python-dateutil", "setuptools<80"]
"""What anchorecli 0.9.3 runs with. It pins a PyYAML that cannot be built any more, so pins are not taken from it."""
TAG = "staging.test/team/app:1.0"
Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Anchore's client in an environment of its own: its libraries are older than ours."""
    home = tmp_path_factory.mktemp("anchorecli")
    venv.create(home, with_pip=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *OLD], check=True, timeout=300)
    subprocess.run([*pip, "--no-deps", "anchorecli==0.9.3"], check=True, timeout=300)
    return home / "bin" / "anchore-cli"


@pytest.fixture
def world() -> Iterator[World]:
    made = World("v1", seconds=0.5)
    with made.fake:
        yield made
    assert sorted({general(each) for each in made.fake.violations} - DEVIATIONS) == []


@pytest.fixture
def cli(program: Path, world: World) -> Cli:
    login = {"ANCHORE_CLI_URL": world.fake.url, "ANCHORE_CLI_USER": USER, "ANCHORE_CLI_PASS": PASSWORD}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, **login}
        return subprocess.run(
            [str(program), *arguments], env=environ, capture_output=True, text=True, timeout=60, check=False
        )

    return run


def test_its_main_commands_work(world: World, cli: Cli) -> None:
    built = world.image(bad=True)
    world.fake.tagged[TAG] = built.digest
    for words, code, told in (
        ("system status", 0, "Engine Code Version: 1.1.0"),
        (f"image add {TAG}", 0, "Analysis Status: "),
        (f"image wait {TAG} --interval 1", 0, "Analysis Status: analyzed"),
        ("image list", 0, built.digest),
        (f"image get {TAG}", 0, f"Full Tag: {TAG}"),
        (f"image content {TAG} npm", 0, "lodash"),
        (f"image vuln {TAG} all", 0, "CVE-2026-1"),
        (f"evaluate check {TAG} --detail", 1, "HIGH Vulnerability found in non-os package type (npm)"),
        ("policy list", 0, "True"),
        ("policy get b --detail", 0, "effective_user"),
        ("policy activate b", 0, "Success: b activated"),
        ("policy describe --gate dockerfile", 0, "effective_user"),
        ("registry list", 0, ""),
        ("subscription list", 0, ""),
        ("event list", 0, ""),
        (f"image del {TAG} --force", 0, "Success"),
        (f"image get {TAG}", 1, "image data not found in DB"),
    ):
        done = cli(*words.split())
        assert (done.returncode, told in done.stdout + done.stderr) == (code, True), (words, done.stdout, done.stderr)


def test_it_says_the_same_of_an_image_as_we_do(world: World, cli: Cli) -> None:
    for number, (bad, code, expected) in enumerate([(True, 1, Verdict.STOP), (False, 0, Verdict.PASS)]):
        assert verdict(world, world.image(number, bad=bad)) is expected
        found = list(world.fake.images.values())[-1]
        found.tags = [f"staging.test/team/app{number}:1.0"]
        done = cli("evaluate", "check", found.tags[0])
        assert done.returncode == code, (done.stdout, done.stderr)
