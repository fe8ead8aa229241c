"""New repositories: their files are what they should be, and nothing is overwritten or half done."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from imagegate.cli.main import attempt
from imagegate.dockerfile import parse
from imagegate.errors import ConfigError, UsageError
from imagegate.jenkins.scaffold import KINDS, new_repository
from imagegate.policy.cases import Suite
from imagegate.yamlfile import load_yaml

BASE = "registry.example.com/platform/debian:12"


def files(kind: str, name: str = "team/app", base: str = BASE) -> dict[str, str]:
    return new_repository(kind, name, base=base, team="Team", library="v0.1.0").files


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_of_every_kind_are_what_they_are_named(kind: str) -> None:
    made = files(kind)
    assert {"Dockerfile", "Jenkinsfile", "README.md", ".dockerignore", ".gitignore", "policy-test.yaml"} <= made.keys()
    assert not [text for text in made.values() if "{{" in text or "{%" in text]
    assert parse(made["Dockerfile"]).stages
    for path, text in made.items():
        if path.endswith(".py"):
            compile(text, path, "exec")
        if path.endswith(".json"):
            json.loads(text)
    import msgspec

    suite = msgspec.convert(yaml.safe_load(made["policy-test.yaml"]), Suite, strict=False)
    assert suite.cases[0].image == "docker-daemon:team/app:dev"


@pytest.mark.parametrize("kind", KINDS)
def test_generate_takes_a_new_repository_for_current(kind: str, tmp_path: Path) -> None:
    directory = tmp_path / "team" / "app"
    assert (
        attempt(["new", str(directory), "--kind", kind, "--name", "team/app", "--base", BASE, "--team", "Team"]).code
        == 0
    )
    entry = new_repository(kind, "team/app", base=BASE, team="Team", library="v0.1.0").entry
    document = {"teams": {"Team": {"owners": ["owner@example.com"], "repositories": [entry]}}}
    (tmp_path / "teams.yaml").write_text(yaml.safe_dump(document))
    where = ["--teams", str(tmp_path / "teams.yaml"), "--into", str(tmp_path)]
    assert attempt(["generate", "--check", "--diff", *where]).code == 0


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


def test_what_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path, _text: str) -> int:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_text", full)
    ended = attempt(["new", str(tmp_path / "n"), "--kind", "node-app", "--name", "a/b", "--base", BASE])
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


def test_the_policy_test_is_read_with_its_places(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(files("base-image")["policy-test.yaml"])
    assert load_yaml(tmp_path / "t.yaml").plain()["policy"] == "base-image"
