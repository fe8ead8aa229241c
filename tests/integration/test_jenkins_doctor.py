"""`imagegate jenkins doctor` against a fake Jenkins that lacks one thing after another."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from imagegate.cli.main import attempt
from tests.fakes.jenkins import TOKEN, USER, FakeJenkins

TEAMS: dict[str, Any] = {
    "jenkins": {
        "credentials": {"registryCredentials": "registry"},
        "folderCredentials": {"platform": ["notary-keys"]},
        "promotion": {"name": "platform/promote", "url": "https://git.example.com/jobs.git"},
        "permissions": True,
    },
    "teams": {
        "A": {
            "owners": "a",
            "repositories": [
                {
                    "name": "a",
                    "url": "https://x/a.git",
                    "credentials": "git",
                    "agent": "docker",
                    "images": [{"to": "a"}],
                },
                {"name": "b", "agent": "linux && docker", "images": [{"to": "b"}]},
            ],
        }
    },
}


class Doctor:
    """A Jenkins that has all, and the command."""

    def __init__(self, jenkins: FakeJenkins, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.jenkins, self.file, self._capsys = jenkins, file, capsys

    def run(self, *options: str) -> tuple[int, str]:
        """Return the exit code and all that is printed."""
        code = attempt(["jenkins", "doctor", "--teams", str(self.file), "--server", self.jenkins.url, *options]).code
        out, err = self._capsys.readouterr()
        assert TOKEN not in out + err
        return code, out + err


@pytest.fixture
def doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Doctor]:
    file = tmp_path / "teams.yaml"
    file.write_text(yaml.safe_dump(TEAMS))
    with FakeJenkins() as jenkins:
        (tmp_path / "site.yaml").write_text(json.dumps({"hosts": {jenkins.host: {"plain_http": True}}}))
        monkeypatch.setenv("IMAGEGATE_SITE_CONFIG", str(tmp_path / "site.yaml"))
        monkeypatch.setenv("IMAGEGATE_JENKINS_USER", USER)
        monkeypatch.setenv("IMAGEGATE_JENKINS_TOKEN", TOKEN)
        jenkins.put("platform", b"<com.cloudbees.hudson.plugins.folder.Folder/>")
        jenkins.credentials = {"": ["registry", "git"], "platform": ["notary-keys"]}
        yield Doctor(jenkins, file, capsys)


def test_a_jenkins_that_has_all_is_well(doctor: Doctor) -> None:
    code, text = doctor.run()
    assert code == 0, text
    assert "ok        version" in text
    assert "next:" not in text
    code, text = doctor.run("--json")
    assert {each["health"] for each in json.loads(text)["checks"]} == {"ok"}


def old(jenkins: FakeJenkins) -> None:
    jenkins.version = "2.289.3"


def no_url(jenkins: FakeJenkins) -> None:
    jenkins.root_url = None


def no_crumbs(jenkins: FakeJenkins) -> None:
    jenkins.crumbs = False


def no_plugin(jenkins: FakeJenkins) -> None:
    jenkins.plugins.discard("workflow-multibranch")


def plugin_off(jenkins: FakeJenkins) -> None:
    jenkins.plugins.discard("git")
    jenkins.disabled.add("git")


def no_matrix(jenkins: FakeJenkins) -> None:
    jenkins.plugins.discard("matrix-auth")


def no_library(jenkins: FakeJenkins) -> None:
    jenkins.libraries = ["other"]


def no_credential(jenkins: FakeJenkins) -> None:
    jenkins.credentials[""] = ["git"]


def no_signing_credential(jenkins: FakeJenkins) -> None:
    jenkins.credentials["platform"] = []


def no_agent(jenkins: FakeJenkins) -> None:
    jenkins.agents = [("agent-1", True, ["docker", "linux"]), ("agent-2", False, ["docker"])]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (old, "Update Jenkins to 2.361 or newer"),
        (no_url, "root URL"),
        (no_crumbs, "Turn CSRF protection on"),
        (no_plugin, "plugin workflow-multibranch"),
        (plugin_off, "Enable it"),
        (no_matrix, "plugin matrix-auth"),
        (no_library, "`imagegate jenkins casc` prints what to set"),
        (no_credential, "credential registry"),
        (no_signing_credential, "Add it to the store of platform"),
        (no_agent, "Start an agent with the label linux"),
    ],
)
def test_what_is_missing_is_told_with_what_to_do(
    doctor: Doctor, spoil: Callable[[FakeJenkins], None], words: str
) -> None:
    spoil(doctor.jenkins)
    code, text = doctor.run()
    assert code == 1
    assert words in text
    assert text.count("missing ") == 1


def test_an_optional_plugin_is_no_failure(doctor: Doctor) -> None:
    doctor.jenkins.plugins.discard("badge")
    code, text = doctor.run()
    assert code == 0
    assert "optional  plugin badge" in text


def test_who_is_no_administrator_is_told_what_cannot_be_seen(doctor: Doctor) -> None:
    doctor.jenkins.is_admin = False
    code, text = doctor.run()
    assert code == 1
    assert "unknown   plugins" in text
    assert "unknown   library imagegate" in text
    assert "Only administrators read it" in text
    assert "missing   may make jobs" in text


def test_one_that_cannot_be_asked_is_not_decided(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEGATE_JENKINS_TOKEN", "wrong")
    assert doctor.run()[0] == 2
    monkeypatch.setenv("IMAGEGATE_HTTP_RETRIES", "0")
    code, text = doctor.run("--server", "https://127.0.0.1:9/ci")
    assert code == 2
    assert "Check that 127.0.0.1:9 is up" in text
