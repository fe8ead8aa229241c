"""Generated Jenkinsfiles: what is read from a teams file, what is rendered, and what becomes of hand edits."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from imagegate.cli.main import attempt
from imagegate.errors import ConfigError
from imagegate.jenkins.generate import State, checksum, decide, merge, stamp, take_apart
from imagegate.jenkins.rendering import Templates
from imagegate.jenkins.teams import Teams, read_teams
from imagegate.yamlfile import load_yaml

TEAMS: dict[str, Any] = {
    "library": "v0.1.0",
    "defaults": {"agent": "linux", "policy": "application", "notify": "platform@example.com"},
    "teams": {
        "Payments": {
            "owners": ["payments@example.com"],
            "promotion": "delegated",
            "repositories": [
                {
                    "name": "payments/api",
                    "images": [{"to": "payments/api", "buildArgs": {"A": "it's"}}],
                    "stages": [{"name": "Unit", "run": "make test"}, {"name": "Lint", "run": "l", "when": "before"}],
                }
            ],
        },
        "Platform": {
            "owners": "platform@example.com",
            "repositories": [{"name": "debian", "kind": "base", "images": [{"to": "platform/debian", "tags": "12"}]}],
        },
    },
}


def written(directory: Path, document: Any = None) -> Path:
    file = directory / "teams.yaml"
    file.write_text(document if isinstance(document, str) else yaml.safe_dump(document or TEAMS))
    return file


def teams(directory: Path, document: Any = None) -> Teams:
    return read_teams(load_yaml(written(directory, document)))


def rendered(directory: Path, document: Any = None, templates: Path | None = None) -> dict[str, str]:
    found = teams(directory, document)
    owners = {team.name: team for team in found.teams}
    shelf = Templates(templates)
    return {each.name: shelf.render(each, owners[each.team], "v0.1.0") for each in found.repositories}


def test_the_innermost_choice_counts(tmp_path: Path) -> None:
    api, debian = teams(tmp_path).repositories
    assert api.choices == {
        "agent": "linux",
        "policy": "application",
        "notify": ["platform@example.com"],
        "promotion": "delegated",
    }
    assert "policy" not in debian.choices


def test_a_repository_gets_its_stages_and_parameters(tmp_path: Path) -> None:
    files = rendered(tmp_path)
    assert "buildArgs: [A: 'it\\'s']," in files["payments/api"]
    assert files["payments/api"].index("stage('Lint')") < files["payments/api"].index("stage('Image')")
    assert files["payments/api"].index("test: { image ->") < files["payments/api"].index("sh 'make test'")
    assert "policy: 'base-image'," in files["debian"]
    assert "overwriteTag: true," in files["debian"]


MISTAKES = {
    "teams: {}": "there are no teams",
    "teams: [a]": "teams is a mapping",
    "library: 'v1; rm'\nteams: {}": "no name of a tag or branch",
    "teams: {a: {owners: x, repositories: [{name: n, images: [{}]}]}}": "to is missing",
    "teams: {a: {owners: x, repositories: [{name: ../n, images: [{to: t}]}]}}": "'../n' is no name",
    "teams: {a: {owners: x, repositories: [{name: -n, images: [{to: t}]}]}}": "'-n' is no name",
    "teams: {a: {owners: x, repositories: [{name: n, images: [{too: t}]}]}}": "did you mean 'to'",
    "teams: {a: {owners: x, repositories: [{name: n, kind: bse, images: [{to: t}]}]}}": "kind must be one of",
    "teams: {a: {owners: x, repositories: [{name: n, template: ../x.j2, images: [{to: t}]}]}}": "no name of a template",
    "teams: {a: {repositories: [{name: n, images: [{to: t}]}]}}": "owners is missing",
    "teams: {a: {owners: x, repositories: []}}": "repositories must be a list, not empty",
    "teams: {a: {owners: x, repositories: [{name: n, images: [{to: t}], stages: [{name: s}]}]}}": "run is missing",
    "teams: {a: {owners: x, repositories: [{name: n, images: [{to: t}]}, {name: n, images: [{to: t}]}]}}": "the name n",
    "teams: !!python/object/apply:os.system ['touch executed']": "",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_of_a_teams_file_is_told_with_its_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        teams(tmp_path, text)
    assert MISTAKES[text] in str(raised.value)
    assert "teams.yaml:" in str(raised.value)
    assert not list(tmp_path.glob("executed"))


def test_a_sites_template_extends_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "application.j2").write_text(
        '{% extends "shipped/application.j2" %}\n{% block options %}\n'
        "{{ super() }}buildDiscarder(logRotator(numToKeepStr: {{ repository | groovy }}))\n{% endblock %}\n"
    )
    text = rendered(tmp_path, templates=tmp_path)["payments/api"]
    assert "timeout(time: 60" in text
    assert "numToKeepStr: 'payments/api'" in text


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ repository }}", "Put it through `| groovy`"),
        ("{{ repository ~ 'x' }}", "Put it through `| groovy`"),
        ("{{ nothing | groovy }}", "'nothing' is undefined"),
        ("{% if %}", "application.j2:1 fails"),
        ("{{ repository.__class__.__mro__ | groovy }}", "fails"),
        ('{% extends "no-such.j2" %}', "there is no template no-such.j2"),
    ],
)
def test_a_template_that_forgets_to_quote_is_an_error(tmp_path: Path, template: str, words: str) -> None:
    (tmp_path / "application.j2").write_text(template)
    with pytest.raises(ConfigError) as raised:
        rendered(tmp_path, templates=tmp_path)
    assert words in str(raised.value)


def made(body: str) -> str:
    return stamp(body, template="t.j2", library="v1")


def nowhere(_: str) -> None:
    return None


BASE = "one\ntwo\nthree\nfour\nfive\n"
NEWER = BASE.replace("one", "ONE")


def test_what_is_not_edited_is_replaced_and_what_is_current_is_left() -> None:
    assert decide(None, made(BASE), nowhere) == (decision := decide(None, made(BASE), nowhere))
    assert (decision.state, decision.text) == (State.NEW, made(BASE))
    assert decide(made(BASE), made(BASE), nowhere).text is None
    assert decide(made(BASE).replace("\n", "\r\n"), made(BASE), nowhere).state is State.CURRENT
    assert decide(made(BASE), made(NEWER), nowhere).text == made(NEWER)


def test_hand_edits_are_kept_merged_or_reported_and_never_overwritten() -> None:
    edited = made(BASE).replace("five", "FIVE")
    assert decide(edited, made(BASE), nowhere).state is State.EDITED
    merged = decide(edited, made(NEWER), lambda _: BASE)
    assert merged.text
    found = take_apart(merged.text)
    assert found
    assert found.body == NEWER.replace("five", "FIVE")
    assert found.checksum == checksum(NEWER)
    assert decide(merged.text, made(NEWER), nowhere).state is State.EDITED
    same_line = made(BASE).replace("one", "own")
    assert decide(same_line, made(NEWER), lambda _: BASE).state is State.CONFLICT
    assert decide(edited, made(NEWER), nowhere).state is State.CONFLICT
    assert decide("theirs\n", made(BASE), nowhere).state is State.FOREIGN
    assert decide("theirs\n", made(BASE), nowhere, overwrite=True).text == made(BASE)


def test_a_merge_is_gits_own() -> None:
    assert merge("a\nb\nc\nd\nE\n", "a\nb\nc\nd\ne\n", "A\nb\nc\nd\ne\n") == "A\nb\nc\nd\nE\n"
    assert merge("x\n", "a\n", "y\n") is None


class Checkouts:
    """A directory of repositories, as `--into` has it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        written(directory)
        for name in ("payments/api", "debian"):
            (directory / name).mkdir(parents=True)
        self.file = directory / "payments" / "api" / "Jenkinsfile"

    def run(self, *arguments: str) -> int:
        where = ["--teams", str(self.directory / "teams.yaml"), "--into", str(self.directory)]
        return attempt(["generate", *where, *arguments]).code

    def git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", *identity, *arguments], cwd=self.file.parent, check=True, capture_output=True)


@pytest.fixture
def checkouts(tmp_path: Path) -> Checkouts:
    return Checkouts(tmp_path)


def test_check_tells_what_is_not_as_generated(checkouts: Checkouts, capsys: pytest.CaptureFixture[str]) -> None:
    assert checkouts.run("--check") == 1
    assert not checkouts.file.exists()
    assert checkouts.run() == 0
    assert checkouts.run("--check") == 0
    written(checkouts.directory, {**TEAMS, "library": "v0.2.0"})
    capsys.readouterr()
    assert checkouts.run("--check", "--diff") == 1
    assert "+@Library('imagegate@v0.2.0') _" in capsys.readouterr().out
    assert "v0.1.0" in checkouts.file.read_text()


def test_hand_edits_survive_an_upgrade_of_the_library(checkouts: Checkouts) -> None:
    checkouts.run()
    checkouts.git("init", "-q")
    checkouts.git("add", ".")
    checkouts.git("commit", "-q", "-m", "generated")
    checkouts.file.write_text(checkouts.file.read_text().replace("unit: 'MINUTES')", "unit: 'HOURS')"))
    written(checkouts.directory, {**TEAMS, "library": "v0.2.0"})
    assert checkouts.run() == 0
    text = checkouts.file.read_text()
    assert "unit: 'HOURS')" in text
    assert "imagegate@v0.2.0" in text
    written(checkouts.directory, {**TEAMS, "defaults": {"timeout": "5"}})
    assert checkouts.run("--only", "payments/api") == 1
    assert "unit: 'HOURS')" in checkouts.file.read_text()
    assert checkouts.run("--only", "payments/api", "--overwrite", "payments/api") == 0
    assert "time: 5, unit: 'MINUTES'" in checkouts.file.read_text()


def test_patches_apply_and_leave_the_checkouts_alone(checkouts: Checkouts) -> None:
    patches = checkouts.directory / "patches"
    checkouts.git("init", "-q")
    checkouts.git("commit", "-q", "--allow-empty", "-m", "first")
    assert checkouts.run("--pull-requests", str(patches)) == 0
    assert not checkouts.file.exists()
    checkouts.git("am", "-q", str(patches / "payments-api.patch"))
    assert checkouts.run("--check", "--only", "payments/api") == 0
    written(checkouts.directory, {**TEAMS, "library": "v0.2.0"})
    assert checkouts.run("--pull-requests", str(patches)) == 0
    checkouts.git("am", "-q", str(patches / "payments-api.patch"))
    assert "v0.2.0" in checkouts.file.read_text()


RECHECK = {
    "name": "Platform/re-check",
    "url": "https://git.example.com/jobs.git",
    "script": "recheck.Jenkinsfile",
    "cron": "@daily",
    "checkout": "platform/jobs",
    "parameters": {"onStop": "UNSTABLE", "agent": "it's", "shards": 4},
}


def test_the_job_that_rechecks_gets_its_jenkinsfile_from_a_template(checkouts: Checkouts) -> None:
    written(checkouts.directory, {**TEAMS, "jenkins": {"recheck": RECHECK}})
    patches = checkouts.directory / "patches"
    assert checkouts.run("--only", "platform/jobs", "--pull-requests", str(patches)) == 0
    assert [file.name for file in patches.iterdir()] == ["platform-jobs-recheck.Jenkinsfile.patch"]
    assert checkouts.run() == 0
    text = (checkouts.directory / "platform" / "jobs" / "recheck.Jenkinsfile").read_text()
    assert text.index("shards: 4,") < text.index("agent: 'it\\'s',") < text.index("onStop: 'UNSTABLE',")
    assert checkouts.run("--check") == 0
    (checkouts.directory / "recheck.j2").write_text(
        '{% extends "shipped/recheck.j2" %}\n{% block post %}\npost { always { cleanWs() } }\n{% endblock %}\n'
    )
    assert checkouts.run("--templates", str(checkouts.directory)) == 0
    assert "cleanWs()" in (checkouts.directory / "platform" / "jobs" / "recheck.Jenkinsfile").read_text()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"parameters": {"shard": 4}}, "did you mean 'shards'"),
        ({"parameters": {"shards": "many"}}, "shards must be a whole number"),
        ({"parameters": [1]}, "is a mapping"),
        ({"template": "../x"}, "no name of a template"),
        ({"checkout": "../x"}, "is no name"),
        ({"cron": None}, "cron is missing"),
    ],
)
def test_mistakes_about_the_job_that_rechecks_are_told(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        teams(tmp_path, {**TEAMS, "jenkins": {"recheck": {**RECHECK, **fields}}})


@pytest.mark.parametrize("script", ["../api/Jenkinsfile", "/tmp/x", "../../x"])
def test_a_script_is_in_its_checkout(checkouts: Checkouts, script: str) -> None:
    written(checkouts.directory, {**TEAMS, "jenkins": {"recheck": {**RECHECK, "script": script}}})
    assert checkouts.run("--only", "platform/jobs") == 2


@pytest.mark.parametrize("link", ["payments/api/Jenkinsfile", "payments/api"])
def test_a_link_of_a_checkout_leads_nowhere(checkouts: Checkouts, tmp_path: Path, link: str) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    path = checkouts.directory / link
    if path.is_dir():
        path.rmdir()
    path.symlink_to(outside / "Jenkinsfile" if path.name == "Jenkinsfile" else outside)
    assert checkouts.run() == 2
    assert not list(outside.iterdir())


def test_a_mistake_in_one_leaves_every_file_as_it_was(checkouts: Checkouts) -> None:
    broken = {**TEAMS["teams"]["Platform"]["repositories"][0], "template": "no-such.j2"}
    platform = {**TEAMS["teams"]["Platform"], "repositories": [broken]}
    written(checkouts.directory, {**TEAMS, "teams": {**TEAMS["teams"], "Platform": platform}})
    assert checkouts.run() == 2
    assert not checkouts.file.exists()
