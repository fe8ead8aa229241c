"""New repositories: their files are what they should be, and nothing is overwritten or half done."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest
import yaml

from imagegate.cli.main import End, attempt
from imagegate.dockerfile import parse
from imagegate.errors import ConfigError, UsageError
from imagegate.jenkins.kinds import KINDS
from imagegate.jenkins.scaffold import new_repository
from imagegate.policy.cases import Suite
from imagegate.yamlfile import load_yaml

BASE = "registry.example.com/platform/debian:12"


def files(kind: str, name: str = "team/app", base: str = BASE) -> dict[str, str]:
    return new_repository(kind, name, base=base).files


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_of_every_kind_are_what_they_are_named(kind: str) -> None:
    made = files(kind)
    assert {"Dockerfile", "README.md", ".dockerignore", ".gitignore", "policy-test.yaml"} <= made.keys()
    assert not [text for text in made.values() if "{{" in text or "{%" in text]
    assert parse(made["Dockerfile"]).stages
    for path, text in made.items():
        if path.endswith(".py"):
            compile(text, path, "exec")
        if path.endswith(".json"):
            json.loads(text)
    suite = msgspec.convert(yaml.safe_load(made["policy-test.yaml"]), Suite, strict=False)
    assert suite.cases[0].image == "docker-daemon:team/app:dev"


@pytest.mark.parametrize("kind", KINDS)
def test_generate_takes_a_new_repository_for_current(kind: str, tmp_path: Path) -> None:
    directory = tmp_path / "team" / "app"
    assert (
        attempt(["new", str(directory), "--kind", kind, "--name", "team/app", "--base", BASE, "--team", "Team"]).code
        == 0
    )
    entry = new_repository(kind, "team/app", base=BASE).entry
    document = {"teams": {"Team": {"owners": ["owner@example.com"], "repositories": [entry]}}}
    (tmp_path / "teams.yaml").write_text(yaml.safe_dump(document))
    where = ["--teams", str(tmp_path / "teams.yaml"), "--into", str(tmp_path)]
    assert attempt(["generate", "--check", "--diff", *where]).code == 0


TEAMS = """\
library: v0.9.0
defaults: {notify: [platform@example.com], policy: application, timeout: 20}
teams:
  Payments:
    owners: [payments@example.com]
    repositories:
      - name: payments/api    # a comment
        images: [{to: payments/api}]
      # the end
"""


@pytest.fixture
def teams(tmp_path: Path) -> Path:
    file = tmp_path / "teams.yaml"
    file.write_text(TEAMS)
    return file


def added(teams: Path, *more: str, kind: str = "node-app", name: str = "payments/new", team: str = "Payments") -> End:
    where = ["--kind", kind, "--name", name, "--base", BASE, "--team", team, "--teams", str(teams)]
    return attempt(["new", str(teams.parent / name), *where, *more])


@pytest.mark.parametrize("kind", KINDS)
def test_a_sites_choices_and_owners_are_in_the_jenkinsfile(kind: str, teams: Path) -> None:
    assert added(teams, "--add", kind=kind).code == 0
    assert "imagegate@v0.9.0" in (teams.parent / "payments" / "new" / "Jenkinsfile").read_text()
    here = ["--teams", str(teams), "--into", str(teams.parent)]
    assert attempt(["generate", "--check", "--only", "payments/new", *here]).code == 0
    assert "# the end" in teams.read_text()


def test_a_sites_templates_are_those_of_generate(teams: Path) -> None:
    own = teams.parent / "own"
    own.mkdir()
    (own / "application.j2").write_text(
        '{% extends "shipped/application.j2" %}{% block agent %}label {{ "own" | groovy }}\n{% endblock %}'
    )
    assert added(teams, "--add", "--templates", str(own)).code == 0
    here = ["--teams", str(teams), "--into", str(teams.parent), "--templates", str(own)]
    assert attempt(["generate", "--check", "--only", "payments/new", *here]).code == 0


def test_without_add_the_teams_file_is_as_it_was(teams: Path) -> None:
    ended = added(teams)
    assert ended.code == 0
    assert teams.read_text() == TEAMS


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"team": "Paymen"}, "Did you mean 'Payments'"),
        ({"name": "payments/api"}, "two repositories have the name payments/api"),
    ],
)
def test_what_cannot_be_in_the_teams_file_writes_nothing(choices: dict[str, str], words: str, teams: Path) -> None:
    ended = added(teams, "--add", **choices)  # type: ignore[arg-type]
    assert ended.code == 2
    assert words in ended.words
    assert teams.read_text() == TEAMS
    assert [each.name for each in teams.parent.iterdir()] == ["teams.yaml"]


def test_a_teams_file_that_cannot_be_written_leaves_nothing(teams: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, _text: str) -> None:
        raise UsageError(f"{path} cannot be written")

    monkeypatch.setattr("imagegate.report.write_atomically", refuse)
    assert added(teams, "--add").code == 2
    assert [each.name for each in teams.parent.iterdir()] == ["teams.yaml"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_readme_has_the_commands_of_the_pipeline(kind: str) -> None:
    for stage in KINDS[kind].stages:
        assert f"    {stage.run}" in files(kind)["README.md"]


HOSTILE = (
    "../x",
    "Team/App",
    "a b",
    "x;y",
    "$(id)",
    "a'b",
    'a"b',
    "a\nb",
    "{{ 7*7 }}",
    "registry.example.com/a",
    "a:b",
    "",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_is_none_is_an_error_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    directory = tmp_path / "new"
    ended = attempt(["new", str(directory), "--kind", "python-app", f"--name={name}", "--base", BASE])
    assert ended.code == 2 if name else ended.code == 0
    assert directory.exists() is (ended.code == 0)


@pytest.mark.parametrize("base", ["a b", "x'y", "docker-daemon:x", "$(id)"])
def test_a_base_that_is_none_is_an_error(base: str, tmp_path: Path) -> None:
    assert attempt(["new", str(tmp_path / "n"), "--kind", "node-app", f"--base={base}"]).code == 2
    assert not list(tmp_path.iterdir())


def test_what_is_no_safe_value_gets_into_no_file() -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        files("python-app", base="x\nRUN id")


def test_an_unknown_kind_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'python-app'"):
        files("python-ap")


def test_a_directory_that_has_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    ended = attempt(["new", str(tmp_path), "--kind", "node-app", "--name", "a/b", "--base", BASE])
    assert ended.code == 2
    assert "mine" in ended.words
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


def test_the_directory_that_one_stands_in_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert attempt(["new", ".", "--kind", "python-app", "--name", "a/b", "--base", BASE]).code == 0
    assert (Path("app") / "greeting.py").is_file()
    assert not [each for each in Path().iterdir() if each.name.startswith(f".{tmp_path.name}")]


@pytest.mark.parametrize("is_there", [True, False])
def test_what_cannot_be_put_in_its_place_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    directory = tmp_path / "a" / "b"
    if is_there:
        directory.mkdir(parents=True)
    rename, count = Path.rename, 0

    def fail_once(path: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count == (4 if is_there else 1):
            raise OSError(5, os.strerror(5))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_once)
    assert attempt(["new", str(directory), "--kind", "node-app", "--name", "a/b", "--base", BASE]).code == 2
    left = [each.relative_to(tmp_path) for each in tmp_path.rglob("*")]
    assert left == ([Path("a"), Path("a/b")] if is_there else [])


def test_the_kinds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert attempt(["new", "--list"]).code == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(KINDS)


def test_what_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path, _text: str) -> int:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_text", full)
    ended = attempt(["new", str(tmp_path / "n" / "m"), "--kind", "node-app", "--name", "a/b", "--base", BASE])
    assert ended.code == 2
    assert "No space left" in ended.words
    assert not list(tmp_path.iterdir())


def test_it_can_be_a_git_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "t")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "t@example.com")
    assert attempt(["new", str(tmp_path / "n"), "--kind", "base-image", "--name", "a/b", "--git"]).code == 0
    assert (tmp_path / "n" / ".git").is_dir()
    assert os.access(tmp_path / "n" / "make-root.sh", os.X_OK)
    assert "git init" not in (tmp_path / "n" / "README.md").read_text()


def test_a_commit_that_git_refuses_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "")
    ended = attempt(["new", str(tmp_path / "n"), "--kind", "base-image", "--name", "a/b", "--git"])
    assert ended.code == 2
    assert "git could not make the first commit" in ended.words
    assert not list(tmp_path.iterdir())


def test_the_policy_test_is_read_with_its_places(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(files("base-image")["policy-test.yaml"])
    assert load_yaml(tmp_path / "t.yaml").plain()["policy"] == "base-image"
