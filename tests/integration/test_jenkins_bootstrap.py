"""The library's bootstrap script on agents of all kinds: it finds the command, or installs it, or runs a container."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from imagegate import __version__
from lab.docker import Engine
from lab.packages import ensure

ROOT = Path(__file__).parents[2]
RESOURCES = ROOT / "resources" / "org" / "imagegate"

PACKAGE = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "imagegate"
version = "{version}"
[project.scripts]
imagegate = "fake:main"
[tool.setuptools]
py-modules = ["fake"]
"""
"""A package of our name without dependencies, so that what is tested is the script and not the index."""


class Agent:
    """A build's machine: a cache of its own, and a directory for each step."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.number = directory, 0
        self.tools = directory / "tools"
        self.environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(directory),
            "IMAGEGATE_VERSION": __version__,
            "IMAGEGATE_REF": "",
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_CERT")},
        }
        python = Path(sys.base_prefix, "bin", "python3")
        (directory / "bin").mkdir()
        (directory / "bin" / "python3").symlink_to(python)
        self.environment["PATH"] = f"{directory / 'bin'}:{self.environment['PATH']}"

    def start(self, install: str) -> tuple[subprocess.Popen[str], Path]:
        self.number += 1
        step = self.directory / f"a step {self.number}"
        step.mkdir()
        for name in ("bootstrap.sh", "container.sh"):
            shutil.copy(RESOURCES / name, step)
        process = subprocess.Popen(
            ["/bin/sh", str(step / "bootstrap.sh")],
            cwd=self.directory,
            env={**self.environment, "IMAGEGATE_STEP": str(step), "IMAGEGATE_INSTALL": install},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return process, step

    def run(self, install: str) -> tuple[int, str, Path]:
        process, step = self.start(install)
        output, _ = process.communicate(timeout=180)
        return process.returncode, output, step

    def version(self, step: Path) -> str:
        """Return what the command says that the script found."""
        environment = {**self.environment, "IMAGEGATE_STEP": str(step)}
        done = subprocess.run(
            ["/bin/sh", str(step / "run.sh"), "version"], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    agent = Agent(tmp_path)
    agent.environment["IMAGEGATE_TOOLS"] = str(agent.tools)
    return agent


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout of the fake package, in git, with a tag and a branch."""
    directory = tmp_path_factory.mktemp("package")
    write_package(directory, __version__)
    git(directory, "init", "-q", "-b", "main")
    commit(directory)
    git(directory, "tag", "-a", "-m", "released", f"v{__version__}")
    return directory


def write_package(directory: Path, version: str, words: str = "") -> None:
    (directory / "pyproject.toml").write_text(PACKAGE.format(version=version))
    said = words or f"imagegate {version}"
    (directory / "fake.py").write_text(f"def main():\n    print({said!r})\n")


def git(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    done = subprocess.run(["git", *identity, *arguments], cwd=directory, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(directory: Path) -> str:
    git(directory, "add", ".")
    git(directory, "commit", "-q", "--allow-empty", "-m", "a change")
    return git(directory, "rev-parse", "HEAD")


def put_on_path(agent: Agent, version: str) -> None:
    command = agent.directory / "bin" / "imagegate"
    command.write_text(f"#!/bin/sh\necho imagegate {version}\n")
    command.chmod(0o755)


def test_a_command_of_the_right_version_on_path_is_used(agent: Agent) -> None:
    put_on_path(agent, __version__)
    code, output, step = agent.run("index")
    assert (code, output) == (0, "")
    assert agent.version(step) == f"imagegate {__version__}"
    assert not agent.tools.exists()


def test_a_command_of_another_version_is_not(agent: Agent, package: Path) -> None:
    put_on_path(agent, "0.0.1")
    code, output, step = agent.run(str(package))
    assert code == 0, output
    assert agent.version(step) == f"imagegate {__version__}"


def test_ten_builds_at_once_install_once(agent: Agent, package: Path) -> None:
    started = [agent.start(str(package)) for _ in range(10)]
    ends = [(process.communicate(timeout=180)[0], process.returncode, step) for process, step in started]
    assert [code for _, code, _ in ends] == [0] * 10, ends
    assert sum("installing" in output for output, _, _ in ends) == 1
    assert {agent.version(step) for _, _, step in ends} == {f"imagegate {__version__}"}
    again = agent.run(str(package))
    assert again[:2] == (0, "")


def test_what_a_killed_install_left_is_made_anew(agent: Agent, package: Path) -> None:
    process, _ = agent.start(str(package))
    deadline = time.monotonic() + 60
    while not list(agent.tools.glob("*/bin/python")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    assert not list(agent.tools.glob("*/complete"))
    code, output, step = agent.run(str(package))
    assert code == 0, output
    assert agent.version(step) == f"imagegate {__version__}"


def test_a_library_in_git_brings_the_command_of_its_own_ref(agent: Agent, package: Path) -> None:
    agent.environment["IMAGEGATE_REF"] = f"v{__version__}"
    code, output, step = agent.run(f"git+file://{package}")
    assert code == 0, output
    assert agent.version(step) == f"imagegate {__version__}"
    assert git(package, "rev-parse", "HEAD") in output


def test_a_branch_that_moved_is_installed_anew(agent: Agent, package: Path) -> None:
    source = f"git+file://{package}@main"
    assert agent.run(source)[0] == 0
    assert agent.run(source)[1] == ""
    moved = commit(package)
    code, output, _ = agent.run(source)
    assert code == 0
    assert moved in output


def test_a_ref_that_is_not_there_is_said(agent: Agent, package: Path) -> None:
    code, output, step = agent.run(f"git+file://{package}@no-such")
    assert code == 2
    assert f"{package} has no branch or tag no-such" in output
    assert "no branch or tag no-such" in (step / "problem").read_text()


def test_a_package_of_another_version_is_refused(agent: Agent, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write_package(other, "9.9")
    code, output, step = agent.run(str(other))
    assert code == 2
    assert f"is imagegate 9.9, and the library is of version {__version__}" in output
    assert not list(agent.tools.glob("*/complete"))
    assert (step / "problem").read_text()


def test_what_pip_cannot_find_is_said(agent: Agent) -> None:
    code, output, _ = agent.run("/no/such/directory")
    assert code == 2
    assert "pip could not install /no/such/directory" in output


def test_an_agent_without_python_is_told_what_it_can_do(agent: Agent) -> None:
    for name in ("python3.13", "python3.12", "python3.11", "python3"):
        file = agent.directory / "bin" / name
        file.unlink(missing_ok=True)
        file.write_text("#!/bin/sh\nexit 1\n")
        file.chmod(0o755)
    code, output, _ = agent.run("index")
    assert code == 2
    assert "no Python 3.11" in output
    assert "container:IMAGE" in output


@pytest.mark.parametrize(
    "install",
    ["x; touch executed", "$(touch executed)", "`touch executed`", "a' 'b", 'git+file:///x"; touch executed "'],
)
def test_a_source_is_never_executed(agent: Agent, install: str) -> None:
    code, _, _ = agent.run(install)
    assert code == 2
    assert not (agent.directory / "executed").exists()


def test_a_home_that_cannot_be_written_to_is_no_hindrance(agent: Agent, package: Path) -> None:
    """As in `docker.image(…).inside`, where the user has no home."""
    del agent.environment["IMAGEGATE_TOOLS"]
    agent.environment |= {"HOME": "/proc", "WORKSPACE_TMP": str(agent.directory / "workspace@tmp")}
    code, output, step = agent.run(str(package))
    assert code == 0, output
    assert agent.version(step) == f"imagegate {__version__}"


CONTAINED = """\
#!/bin/sh
{ id -u; pwd; env; echo "arguments: $*"; } > "$2/seen"
echo kept > "$IMAGEGATE_CACHE_DIRECTORY/kept"
test "$3" != wait || exec sleep 60
exit 1
"""
"""What the image's `imagegate` is: it writes down what it was given."""


@pytest.fixture(scope="module")
def image(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with a shell and an `imagegate`."""
    ensure("docker", "busybox")
    context = tmp_path_factory.mktemp("image")
    shutil.copy(shutil.which("busybox") or "", context / "busybox")
    (context / "imagegate").write_text(CONTAINED)
    (context / "Dockerfile").write_text(
        "FROM scratch\nCOPY busybox /bin/\nCOPY imagegate /bin/\n"
        'RUN ["/bin/busybox", "--install", "-s", "/bin"]\nENV PATH=/bin\n'
    )
    (context / "imagegate").chmod(0o755)
    client = docker.APIClient(base_url=docker_engine.host, timeout=120)
    try:
        for message in client.build(path=str(context), tag="imagegate-test:1", decode=True, rm=True):
            assert "error" not in message, message
    finally:
        client.close()
    return "imagegate-test:1"


@pytest.fixture
def contained(agent: Agent, image: str, docker_engine: Engine) -> tuple[Agent, Path]:
    """An agent whose command is a container image, and a step there."""
    workspace = agent.directory / "work space"
    workspace.mkdir()
    agent.environment |= {
        "DOCKER_HOST": docker_engine.host,
        "WORKSPACE": str(workspace),
        "WORKSPACE_TMP": str(agent.directory),
        "NOTARY_TARGETS_PASSPHRASE": "a secret\nof two lines",
        "SOMEBODY_ELSES": "secret",
    }
    spy = agent.directory / "bin" / "docker"
    real = shutil.which("docker")
    spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> "{agent.directory}/docker.log"\nexec {real} "$@"\n')
    spy.chmod(0o755)
    code, output, step = agent.run(f"container:{image}")
    assert code == 0, output
    agent.environment["IMAGEGATE_STEP"] = str(step)
    return agent, step


def test_a_container_image_is_the_command(contained: tuple[Agent, Path]) -> None:
    agent, step = contained
    done = subprocess.run(
        ["/bin/sh", str(step / "run.sh"), "step", str(step)],
        cwd=agent.environment["WORKSPACE"],
        env=agent.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    seen = (step / "seen").read_text()
    assert seen.splitlines()[:2] == [str(os.getuid()), agent.environment["WORKSPACE"]]
    assert "NOTARY_TARGETS_PASSPHRASE=a secret\nof two lines" in seen
    assert f"arguments: step {step}" in seen
    assert "SOMEBODY_ELSES" not in seen
    assert "a secret" not in (agent.directory / "docker.log").read_text()
    assert (agent.directory / ".cache" / "imagegate" / "kept").is_file()


def test_an_aborted_container_ends(contained: tuple[Agent, Path], docker_engine: Engine) -> None:
    agent, step = contained
    process = subprocess.Popen(
        ["/bin/sh", str(step / "run.sh"), "step", str(step), "wait"], cwd=agent.directory, env=agent.environment
    )
    deadline = time.monotonic() + 30
    while not (step / "seen").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    client = docker.APIClient(base_url=docker_engine.host, timeout=30)
    try:
        deadline = time.monotonic() + 15
        while (left := client.containers(filters={"ancestor": "imagegate-test:1"})) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        client.close()
    assert not left
