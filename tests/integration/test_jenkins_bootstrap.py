"""The library's bootstrap script on agents of all kinds: it finds the command, or installs it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagegate import __version__

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


Started = tuple[subprocess.Popen[str], Path]


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

    def start(self, install: str, workspace: Path | None = None, user: int | None = None) -> Started:
        self.number += 1
        step = self.directory / f"a step {self.number}"
        step.mkdir()
        for name in ("bootstrap.sh", "container.sh"):
            shutil.copy(RESOURCES / name, step)
        if user is not None:
            os.chown(step, user, user)
        process = subprocess.Popen(
            ["/bin/sh", str(step / "bootstrap.sh")],
            cwd=workspace or self.directory,
            env={**self.environment, "IMAGEGATE_STEP": str(step), "IMAGEGATE_INSTALL": install},
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return process, step

    def run(self, install: str, workspace: Path | None = None, user: int | None = None) -> tuple[int, str, Path]:
        process, step = self.start(install, workspace, user)
        output, _ = process.communicate(timeout=180)
        return process.returncode, output, step

    def version(self, step: Path, workspace: Path | None = None) -> str:
        """Return what the command says that the script found."""
        done = subprocess.run(
            ["/bin/sh", str(step / "run.sh"), "version"],
            cwd=workspace or self.directory,
            env={**self.environment, "IMAGEGATE_STEP": str(step)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def homes(self) -> list[Path]:
        """Return where commands are installed, whole."""
        return sorted(path.parent for path in self.tools.glob("*/complete"))

    def refuse_to_install(self) -> None:
        """Let the script come as far as the installation, which takes long."""
        python = self.directory / "bin" / "python3"
        real = python.resolve()
        python.unlink()
        python.write_text(f'#!/bin/sh\ncase "$*" in *"-m venv"*) exit 1 ;; esac\nexec {real} "$@"\n')
        python.chmod(0o755)


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    agent = Agent(tmp_path)
    agent.environment["IMAGEGATE_TOOLS"] = str(agent.tools)
    return agent


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
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


def write_wheel(directory: Path, code: str = "", *, version: str = __version__, command: str = "imagegate") -> Path:
    """Write a wheel of our name, the quickest thing to install. code: of the command, which else says its version."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / f"imagegate-{version}-py3-none-any.whl"
    info = f"imagegate-{version}.dist-info"
    members = {
        "fake.py": "def main():\n    " + (code or f"print('imagegate {version}')") + "\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: imagegate\nVersion: {version}\nProvides-Extra: syft\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{command} = fake:main\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name), text)  # without the time of day
    return file


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


def test_ten_builds_at_once_install_once(agent: Agent) -> None:
    wheel = str(write_wheel(agent.directory))
    started = [agent.start(wheel) for _ in range(10)]
    ends = [(process.communicate(timeout=180)[0], process.returncode, step) for process, step in started]
    assert [code for _, code, _ in ends] == [0] * 10, ends
    assert sum("installing" in output for output, _, _ in ends) == 1
    assert {agent.version(step) for _, _, step in ends} == {f"imagegate {__version__}"}
    assert agent.run(wheel)[:2] == (0, "")


def test_what_a_killed_install_left_is_made_anew(agent: Agent) -> None:
    wheel = str(write_wheel(agent.directory))
    process, _ = agent.start(wheel)
    deadline = time.monotonic() + 60
    while not list(agent.tools.glob("*/bin/python")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    assert not agent.homes()
    code, output, step = agent.run(wheel)
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


HOSTILE = ("pip", "venv", "ensurepip", "logging", "fcntl", "hashlib", "re", "fake", "sitecustomize")
"""Modules that Python would find in a working directory first."""


def test_what_lies_in_the_workspace_is_never_loaded(agent: Agent) -> None:
    workspace, executed = agent.directory / "workspace", agent.directory / "executed"
    workspace.mkdir()
    for name in HOSTILE:
        (workspace / f"{name}.py").write_text(f"open({str(executed)!r}, 'a').write({name!r})\n")
    code, output, step = agent.run(str(write_wheel(agent.directory)), workspace)
    assert code == 0, output
    for path in ("", ".", str(workspace)):
        agent.environment["PYTHONPATH"] = path
        code, output, step = agent.run(str(agent.directory / write_wheel(agent.directory).name), workspace)
        assert code == 0, output
        assert agent.version(step, workspace) == f"imagegate {__version__}"
    assert not executed.exists(), executed.read_text()


def test_the_settings_of_git_in_the_workspace_do_not_count(agent: Agent, package: Path) -> None:
    """The step's directory may lie within a repository's as well."""
    git(agent.directory, "init", "-q")
    git(agent.directory, "config", "url.file:///elsewhere/.insteadOf", "file:///")
    code, output, _ = agent.run(f"git+file://{package}@main")
    assert code == 0, output


def test_sources_that_look_alike_to_a_checksum_are_apart(agent: Agent) -> None:
    """Two requirements of one CRC-32, from an index that pip's own settings name."""
    wheel = write_wheel(agent.directory / "index")
    agent.environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheel.parent)}
    sources = [f"imagegate[{extra}]=={__version__}" for extra in ("jdmbadxekx", "hmssmjgpfp")]
    sums = [subprocess.run(["cksum"], input=each.encode(), capture_output=True, check=True).stdout for each in sources]
    assert sums[0] == sums[1]
    for source in sources:
        code, output, _ = agent.run(source)
        assert code == 0, output
    assert len(agent.homes()) == 2


@pytest.mark.parametrize("form", ["./{name}", "{name}", "{workspace}/{name}", "imagegate @ file://{workspace}/{name}"])
def test_a_local_file_is_known_by_its_content(agent: Agent, form: str) -> None:
    """A repository's own file is not another's of that path, nor its own of before."""
    said = []
    for number, words in enumerate(("one", "two", "two")):
        workspace = agent.directory / ("a" if "workspace" in form else str(number))
        wheel = write_wheel(workspace, f"import sys; print('imagegate {__version__}' if sys.argv[1:] else '{words}')")
        code, output, step = agent.run(form.format(name=wheel.name, workspace=workspace), workspace)
        assert code == 0, output
        command = ["/bin/sh", str(step / "run.sh")]
        said.append(subprocess.run(command, env=agent.environment, capture_output=True, text=True, check=True).stdout)
    assert said == ["one\n", "two\n", "two\n"]
    assert output == ""
    assert len(agent.homes()) == 2


def test_a_local_directory_is_installed_for_one_step(agent: Agent, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    write_package(source, __version__)
    code, output, first = agent.run("./source", tmp_path)
    assert code == 0, output
    assert agent.version(first) == f"imagegate {__version__}"
    assert not agent.tools.exists()
    assert (first / "tools" / "complete").exists()


@pytest.fixture(scope="module")
def refs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A repository with refs whose names end alike, and the commit of each."""
    directory = tmp_path_factory.mktemp("user@host")
    git(directory, "init", "-q", "-b", "main")
    commits = {"main": commit(directory)}
    for name in ("feature/x", "wip/main", "zz/feature/x", "npm/@types/node", "both"):
        git(directory, "switch", "-q", "-c", name)
        commits[name] = commit(directory)
    git(directory, "switch", "-q", "--detach", "main")
    for name in ("v1", "z/v1", "both"):
        commits["tag both" if name == "both" else name] = commit(directory)
        git(directory, "tag", "-a", "-m", "released", name)
    bare = directory.with_name("a.git")
    git(directory, "clone", "-q", "--bare", str(directory), str(bare))
    return bare, commits


@pytest.mark.parametrize(
    ("ref", "wanted"),
    [
        ("main", "main"),
        ("v1", "v1"),
        ("wip/main", "wip/main"),
        ("feature/x", "feature/x"),
        ("npm/@types/node", "npm/@types/node"),
        ("refs/heads/feature/x", "feature/x"),
        ("both", "tag both"),
        ("main#egg=imagegate", "main"),
    ],
)
def test_a_ref_is_the_one_of_just_that_name(
    agent: Agent, refs: tuple[Path, dict[str, str]], ref: str, wanted: str
) -> None:
    agent.refuse_to_install()
    repository, commits = refs
    _, output, _ = agent.run(f"git+file://{repository}@{ref}")
    fragment = ref.partition("#")[1] + ref.partition("#")[2]
    assert f"installing git+file://{repository}@{commits[wanted]}{fragment}\n" in output


@pytest.mark.parametrize("ref", ["host/a", "ain", "x", "*", "v[1]", ""])
def test_a_ref_that_is_none_is_not_guessed(agent: Agent, refs: tuple[Path, dict[str, str]], ref: str) -> None:
    agent.refuse_to_install()
    code, output, step = agent.run(f"git+file://{refs[0]}@{ref}")
    assert (code, "installing" in output) == (2, False)
    assert "no branch or tag" in (step / "problem").read_text()


def test_a_short_commit_is_asked_for_whole(agent: Agent, refs: tuple[Path, dict[str, str]]) -> None:
    repository, commits = refs
    code, _, step = agent.run(f"git+file://{repository}@{commits['main'][:9]}")
    assert code == 2
    assert "must be given by all of its 40 digits" in (step / "problem").read_text()


@pytest.mark.parametrize("source", ["git+git@127.0.0.1:team/a.git", "git+git@127.0.0.1:team/a.git@main"])
def test_a_place_of_ssh_is_no_ref(agent: Agent, source: str) -> None:
    code, _, step = agent.run(source)
    assert code == 2
    assert "is written as git+ssh://HOST/PATH" in (step / "problem").read_text()


def test_the_user_of_a_url_is_no_ref(agent: Agent) -> None:
    agent.environment["GIT_SSH_COMMAND"] = f'echo "$@" > {agent.directory}/ssh; false'
    code, output, step = agent.run("git+ssh://git@127.0.0.1/team/a.git")
    assert code == 2
    assert "git cannot read ssh://***@127.0.0.1/team/a.git" in (step / "problem").read_text()
    assert "git@127.0.0.1" in (agent.directory / "ssh").read_text(), output


TOKEN = "s3cr3t-t0ken"


@pytest.mark.parametrize(
    "source",
    [
        "git+http://user:{}@127.0.0.1:1/a.git@main",
        "git+http://{}@127.0.0.1:1/a.git",
        "git+http://user:{}@127.0.0.1:1/a.git@" + "1" * 40,
        "git+http://user:with/{}@127.0.0.1:1/a.git@" + "1" * 40,
        "http://user:{}@127.0.0.1:1/imagegate-1-py3-none-any.whl",
        "imagegate @ http://user:{}@127.0.0.1:1/imagegate-1-py3-none-any.whl",
        "imagegate @ git+http://user:{}@127.0.0.1:1/a.git@main",
        "http://127.0.0.1:1/imagegate-1-py3-none-any.whl?token={}",
        "git+user:{}@127.0.0.1:a.git",
    ],
)
def test_a_token_is_never_shown(agent: Agent, source: str) -> None:
    agent.environment["PIP_RETRIES"] = "0"
    code, output, step = agent.run(source.format(TOKEN))
    problem = (step / "problem").read_text()
    assert code == 2
    assert len(problem.splitlines()) == 1
    assert TOKEN not in output + problem


def test_a_command_whose_python_is_gone_is_made_anew(agent: Agent) -> None:
    wheel = str(write_wheel(agent.directory))
    assert agent.run(wheel)[0] == 0
    (home,) = agent.homes()
    for python in (home / "bin").glob("python*"):
        python.unlink()
        python.symlink_to("/no/such/python")
    code, output, step = agent.run(wheel)
    assert code == 0, output
    assert agent.version(step) == f"imagegate {__version__}"
    assert agent.run(wheel)[1] == ""


@pytest.mark.parametrize(
    ("wheel", "told"),
    [
        ({"command": "another"}, "brings no command imagegate"),
        ({"code": "raise SystemExit('no libc')"}, "the command imagegate of"),
        ({"code": "print('what\\never')"}, f"is what, and the library is of version {__version__}"),
    ],
)
def test_a_package_without_a_command_that_works_is_said(agent: Agent, wheel: dict[str, str], told: str) -> None:
    code, _, step = agent.run(str(write_wheel(agent.directory, **wheel)))
    assert code == 2
    assert told in (step / "problem").read_text()
    assert not agent.homes()


def test_whatever_fails_leaves_a_problem(agent: Agent) -> None:
    broken = agent.directory / "bin" / "rm"
    broken.write_text("#!/bin/sh\nexit 7\n")
    broken.chmod(0o755)
    code, _, step = agent.run(str(write_wheel(agent.directory)))
    assert code == 2
    assert "cannot be removed" in (step / "problem").read_text()
    broken.rename(agent.directory / "bin" / "sh")  # what runs the script anew, under the lock
    code, _, step = agent.run(str(write_wheel(agent.directory)))
    assert code == 2
    assert (step / "problem").read_text()


@pytest.mark.parametrize(
    ("source", "told"), [("x" * 100_000, "100000 characters long; at most 4096"), ("a\nb", "must be one")]
)
def test_a_source_that_is_none_is_refused(agent: Agent, source: str, told: str) -> None:
    code, output, step = agent.run(source)
    assert code == 2
    assert told in (step / "problem").read_text()
    assert len(output) < 200


@pytest.mark.parametrize("source", ["container:", "container:--privileged"])
def test_an_option_of_docker_is_no_image(agent: Agent, source: str) -> None:
    docker = agent.directory / "bin" / "docker"
    docker.symlink_to("/bin/true")
    code, _, step = agent.run(source)
    assert code == 2
    assert "names no image" in (step / "problem").read_text()


OTHER = 12345
"""A user that has nothing on this machine."""


@pytest.fixture
def shared() -> Iterator[Agent]:
    """An agent of several users, whose tools are the admin's."""
    python = Path("/usr/bin/python3")
    usable = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))"
    if os.getuid() != 0 or not python.exists() or subprocess.run([python, "-c", usable], check=False).returncode:
        pytest.skip("needs root, to be other users, and a Python that they can read")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        agent = Agent(directory)
        (directory / "bin" / "python3").unlink()
        (directory / "bin" / "python3").symlink_to(python)
        agent.tools.mkdir()
        agent.environment["IMAGEGATE_TOOLS"] = str(agent.tools)
        yield agent


def test_what_an_admin_installed_is_used_by_who_cannot_write_there(shared: Agent) -> None:
    wheel = str(write_wheel(shared.directory))
    assert shared.run(wheel)[0] == 0
    assert shared.run(wheel, user=OTHER)[:2] == (0, "")


@pytest.mark.parametrize(("owner", "mode"), [(OTHER, 0o755), (0, 0o777)])
def test_tools_that_another_user_can_change_are_not_used(shared: Agent, owner: int, mode: int) -> None:
    wheel = str(write_wheel(shared.directory))
    assert shared.run(wheel)[0] == 0
    os.chown(shared.tools, owner, owner)
    shared.tools.chmod(mode)
    code, output, step = shared.run(wheel)
    assert code == 0, output
    assert f"{shared.tools} is not used" in output
    assert str(shared.tools) not in (step / "run.sh").read_text()


def test_users_that_share_tools_each_run_their_own(shared: Agent) -> None:
    shared.tools.chmod(0o1777)
    wheel = str(write_wheel(shared.directory))
    for user in (OTHER, OTHER + 1):
        code, output, step = shared.run(wheel, user=user)
        assert code == 0, output
        (home,) = [home for home in shared.homes() if str(home / "bin") in (step / "run.sh").read_text()]
        assert home.stat().st_uid == user


def test_a_lock_of_another_user_is_taken(shared: Agent) -> None:
    shared.tools.chmod(0o1777)
    wheel = str(write_wheel(shared.directory))
    assert shared.run(wheel, user=OTHER)[0] == 0
    (home,) = shared.homes()
    lock = home.with_name(f"{home.name}.lock")
    assert lock.stat().st_mode & 0o777 == 0o666
    shutil.rmtree(home)
    lock.chmod(0o644)
    code, output, _ = shared.run(wheel, user=OTHER + 1)
    assert code == 0, output


def test_a_lock_that_cannot_be_taken_is_said(shared: Agent) -> None:
    shared.tools.chmod(0o1777)
    wheel = str(write_wheel(shared.directory))
    assert shared.run(wheel, user=OTHER)[0] == 0
    (home,) = shared.homes()
    shutil.rmtree(home)
    home.with_name(f"{home.name}.lock").chmod(0o600)
    code, output, step = shared.run(wheel, user=OTHER + 1)
    assert code == 2
    assert "cannot be locked" in (step / "problem").read_text()
    assert "Traceback" not in output
