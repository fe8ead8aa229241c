"""The library's script that runs the command in a container image: what the container sees of the agent."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import docker
import pytest

from lab.docker import Engine
from lab.packages import ensure
from tests.integration.test_jenkins_bootstrap import Agent


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path)


CONTAINED = """\
#!/bin/sh
{ id -u; pwd; env; echo "arguments: $*"; } > "$2/seen"
echo kept > "$IMAGEGATE_CACHE_DIRECTORY/kept"
test "$3" != wait || exec sleep 60
test "$3" != read || { shift 3; cat "$@" && { rm -f "$@" || echo cannot change; } } >> "$IMAGEGATE_STEP/seen" 2>&1
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


READ = {
    "DOCKER_CERT_PATH": "certificates/ca.pem",
    "DOCKER_CONFIG": "docker/config.json",
    "SSL_CERT_FILE": "ssl file.pem",
    "SSL_CERT_DIR": "ssl/ca.pem",
    "REQUESTS_CA_BUNDLE": "requests,bundle.pem",
    "CURL_CA_BUNDLE": "curl:bundle.pem",
    "IMAGEGATE_NOTARY_ROOT_PASSPHRASE_FILE": 'pass"phrase"*',
    "IMAGEGATE_CONFIG": "project.yaml",
    "IMAGEGATE_SITE_CONFIG": "site/imagegate.yaml",
    "IMAGEGATE_ADVISORIES_DATABASE": "advisories.sqlite",
    "IMAGEGATE_ANALYSIS_MALWARE_DATABASE": "signatures/main.cvd",
    "IMAGEGATE_POLICY_BUNDLE": "policy.json",
    "IMAGEGATE_POLICY_PACKAGES": "packages.json",
}
"""What variables name, outside of what the container sees anyway; those that name a directory, by a file of it."""

DIRECTORIES = {"DOCKER_CERT_PATH", "DOCKER_CONFIG", "SSL_CERT_DIR", "IMAGEGATE_ANALYSIS_MALWARE_DATABASE"}


def test_what_variables_name_is_there_to_read(
    contained: tuple[Agent, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    agent, step = contained
    outside = tmp_path_factory.mktemp("outside: a, b*")
    files = [outside / name for name in (*READ.values(), "waivers 1.yaml", "waivers 2.yaml")]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"<{file.name}>\n")
    named = {name: outside / (Path(file).parent if name in DIRECTORIES else file) for name, file in READ.items()}
    # A list's items are parted by commas, and those of SSL_CERT_DIR by colons, which this directory has in its name.
    plain = tmp_path_factory.mktemp("plain")
    for name in ("waivers 1.yaml", "waivers 2.yaml"):
        shutil.copy(outside / name, plain)
    shutil.copytree(outside / "ssl", plain / "ssl")
    agent.environment |= {name: str(path) for name, path in named.items()}
    agent.environment |= {
        "SSL_CERT_DIR": f"/no/such:{plain / 'ssl'}/",
        "IMAGEGATE_POLICY_WAIVERS": f"{plain / 'waivers 1.yaml'}, {plain / 'waivers 2.yaml'}",
        "SOMEBODY_ELSES": "lines\nIMAGEGATE_NO_SUCH_FILE=/",
    }
    copies = [plain / file.relative_to(outside) for file in files]
    seen = [copy if copy.exists() else file for copy, file in zip(copies, files, strict=True)]
    done = subprocess.run(
        ["/bin/sh", str(step / "run.sh"), "step", str(step), "read", *map(str, seen)],
        cwd=agent.environment["WORKSPACE"],
        env=agent.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    said = (step / "seen").read_text()
    assert "".join(f"<{file.name}>\n" for file in files) in said
    assert "cannot change" in said
    assert all(file.exists() for file in seen)
    assert f"SSL_CERT_FILE={outside}" in said


def test_any_name_of_a_workspace_will_do(contained: tuple[Agent, Path]) -> None:
    agent, step = contained
    for name in ("a:b", "a,b", 'a"b"', "a*", "a 'b'"):
        workspace = agent.directory.with_name(f"{agent.directory.name} {name}")
        workspace.mkdir()
        (workspace / "file").write_text(f"<{name}>\n")
        agent.environment |= {"WORKSPACE": f"{workspace}/", "WORKSPACE_TMP": f"{workspace}/./"}
        subprocess.run(
            ["/bin/sh", str(step / "run.sh"), "step", str(step), "read", "file"],
            cwd=workspace,
            env=agent.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert f"<{name}>\n" in (step / "seen").read_text()
        assert not (workspace / "file").exists()  # it can be written to
