"""`imagegate jenkins plan|apply|drift|destroy` against a fake Jenkins: what it does, and what it leaves alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from imagegate.cli.main import attempt
from lab.pki import Pki
from tests.fakes.jenkins import TOKEN, USER, FakeJenkins
from tests.fakes.jenkins_items import FOLDER, SECRET

TEAMS: dict[str, Any] = {
    "jenkins": {
        "owner": "example",
        "view": "Images",
        "promotion": {"name": "platform/promote", "url": "https://git.example.com/platform/jobs.git"},
        "scheduled": [
            {"name": "platform/advisories", "url": "ssh://git@git.example.com/jobs.git", "cron": "H 3 * * *"}
        ],
    },
    "teams": {
        "Payments": {
            "owners": ["payments@example.com"],
            "repositories": [
                {
                    "name": "payments/api",
                    "url": "https://git.example.com/payments/api.git",
                    "credentials": "git",
                    "images": [{"to": "payments/api"}],
                    "scheduled": [{"name": "nightly", "cron": "H 4 * * *"}],
                },
                {"name": "payments/no-job", "images": [{"to": "payments/other"}]},
            ],
        },
        "Büro für Bilder": {
            "owners": "bilder",
            "folder": "Häuser/Büro für Bilder (neu)",
            "repositories": [
                {
                    "name": "größe + mehr",
                    "url": "git@git.example.com:büro/größe.git",
                    "images": [{"to": "bilder/groesse"}],
                }
            ],
        },
    },
}
NAMES = {
    "Payments", "Payments/payments-api", "Payments/payments-api nightly", "platform", "platform/promote",
    "platform/advisories", "Häuser", "Häuser/Büro für Bilder (neu)", "Häuser/Büro für Bilder (neu)/größe + mehr",
}  # fmt: skip


class Site:
    """A Jenkins, a teams file and a command."""

    def __init__(self, jenkins: FakeJenkins, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.jenkins, self.file, self._capsys = jenkins, directory / "teams.yaml", capsys
        self.teams = deepcopy(TEAMS)
        self.out = self.err = ""

    def run(self, verb: str, *options: str) -> int:
        """Run a verb, and return its exit code."""
        self.file.write_text(yaml.safe_dump(self.teams, allow_unicode=True))
        code = attempt(["jenkins", verb, "--teams", str(self.file), "--server", self.jenkins.url, *options]).code
        self.out, self.err = self._capsys.readouterr()
        assert TOKEN not in self.out + self.err
        assert SECRET not in self.out + self.err
        return code

    def states(self, verb: str, *options: str) -> dict[str, str]:
        """Run a verb, and return the state of each item that is not as it should be."""
        self.run(verb, *options, "--json")
        items = json.loads(self.out)["items"]
        return {each["name"]: each["state"] for each in items if each["state"] != "current"}

    def writes(self, verb: str, *options: str) -> int:
        """Run a verb, and return how many requests of it wrote."""
        before = self.jenkins.counted["POST"]
        self.run(verb, *options)
        return self.jenkins.counted["POST"] - before


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with FakeJenkins() as jenkins:
        settings(tmp_path, monkeypatch, {jenkins.host: {"plain_http": True}})
        yield Site(jenkins, tmp_path, capsys)


def settings(directory: Path, monkeypatch: pytest.MonkeyPatch, hosts: dict[str, Any]) -> None:
    (directory / "site.yaml").write_text(json.dumps({"hosts": hosts, "http": {"budget": 20.0}}))
    monkeypatch.setenv("IMAGEGATE_SITE_CONFIG", str(directory / "site.yaml"))
    monkeypatch.setenv("IMAGEGATE_JENKINS_USER", USER)
    monkeypatch.setenv("IMAGEGATE_JENKINS_TOKEN", TOKEN)


def test_a_plan_writes_nothing_and_shows_what_would_be(site: Site) -> None:
    assert site.writes("plan", "--diff") == 0
    assert site.run("plan") == 0
    assert "new       Payments/payments-api: is not there yet; would be made" in site.out
    assert site.run("drift") == 1


def test_an_apply_makes_all_of_it_and_a_second_one_writes_nothing(site: Site) -> None:
    assert site.run("apply") == 0, site.err
    assert site.jenkins.names() == NAMES
    assert "images" in site.jenkins.root.views
    api = site.jenkins.find("Payments/payments-api").root
    assert api.findtext("sources/data/jenkins.branch.BranchSource/source/credentialsId") == "git"
    assert site.jenkins.find("platform/promote").document.count(b"StringParameterDefinition>") == 4
    assert "owner example, sha256 " in site.jenkins.find("Payments").description
    assert site.writes("apply") == 0
    assert site.run("drift") == 0


def test_names_with_spaces_slashes_and_other_letters_are_found_again(site: Site) -> None:
    site.run("apply")
    site.teams["teams"]["Büro für Bilder"]["repositories"][0]["url"] = "https://git.example.com/größe.git"
    name = "Häuser/Büro für Bilder (neu)/größe + mehr"
    assert site.states("plan") == {name: "outdated"}
    assert site.run("apply") == 0
    assert "https://git.example.com/größe.git" in site.jenkins.find(name).document.decode()


def test_an_edit_by_hand_is_seen_and_kept_until_it_is_overwritten_by_name(site: Site) -> None:
    site.run("apply")
    site.jenkins.edit("Payments/payments-api", b"payments/api.git", b"fork/api.git")
    assert site.writes("apply") == 0
    assert site.run("drift", "--diff") == 1
    assert "-          <remote>https://git.example.com/fork/api.git</remote>" in site.out
    site.teams["teams"]["Payments"]["repositories"][0]["credentials"] = "another"
    assert site.states("apply")["Payments/payments-api"] == "edited"
    assert b"fork/api.git" in site.jenkins.find("Payments/payments-api").document
    assert site.run("apply", "--overwrite", "Payments/payments-api") == 0
    assert b"fork/api.git" not in site.jenkins.find("Payments/payments-api").document
    assert site.run("drift") == 0


def test_a_trait_or_a_source_added_by_hand_is_an_edit(site: Site) -> None:
    site.run("apply")
    site.jenkins.edit("Payments/payments-api", b"<traits>", b"<traits><jenkins.plugins.git.traits.CleanTrait/>")
    assert site.states("drift") == {"Payments/payments-api": "edited"}


def test_what_administrators_keep_in_a_folder_survives_an_update(site: Site) -> None:
    site.run("apply")
    kept = f"<properties><some.FolderCredentials><password>{SECRET}</password></some.FolderCredentials></properties>"
    site.jenkins.edit("Payments", b"<properties />", kept.encode())
    site.teams["teams"]["Payments"]["owners"] = ["new@example.com"]
    assert site.run("plan", "--diff") == 0
    assert site.run("apply", "--diff") == 0
    folder = site.jenkins.find("Payments").document.decode()
    assert SECRET in folder
    assert "new@example.com" in folder
    assert site.run("drift") == 0


def test_a_foreign_job_of_the_same_name_is_untouched(site: Site) -> None:
    site.jenkins.put("Payments", f"<{FOLDER}><description>by hand</description></{FOLDER}>".encode())
    site.jenkins.put("Payments/payments-api", b"<flow-definition><description>mine</description></flow-definition>")
    before = site.jenkins.find("Payments/payments-api").document
    assert site.run("apply") == 1
    states = site.states("plan")
    assert states == {"Payments": "foreign", "Payments/payments-api": "foreign"}
    assert site.jenkins.find("Payments/payments-api").document == before
    assert site.run("apply", "--overwrite", "Payments") == 1
    assert site.states("plan") == {"Payments/payments-api": "foreign"}


def test_a_job_where_a_folder_is_to_be_blocks_what_is_in_it(site: Site) -> None:
    site.jenkins.put("platform", b"<flow-definition><description>mine</description></flow-definition>")
    assert site.run("apply") == 1
    states = site.states("plan")
    assert states["platform"] == "foreign"
    assert states["platform/promote"] == "blocked"
    assert site.run("apply", "--overwrite", "platform") == 2
    assert "is of another kind, and cannot be taken over" in site.err
    assert "Payments/payments-api" in site.jenkins.names()


def test_jobs_of_another_owner_are_foreign(site: Site) -> None:
    site.run("apply")
    site.teams["jenkins"]["owner"] = "other"
    assert site.writes("apply") == 0
    assert set(site.states("plan").values()) == {"foreign"}
    assert site.run("destroy", "--yes") == 0
    assert site.jenkins.names() == NAMES


def test_nothing_is_removed_but_when_it_is_asked_for(site: Site) -> None:
    site.run("apply")
    site.jenkins.put("platform/mine", b"<flow-definition><description>mine</description></flow-definition>")
    del site.teams["teams"]["Payments"]
    del site.teams["jenkins"]["promotion"], site.teams["jenkins"]["scheduled"]
    gone = {"Payments", "Payments/payments-api", "Payments/payments-api nightly"}
    assert site.states("plan") == {
        **dict.fromkeys(gone | {"platform/promote", "platform/advisories"}, "orphan"),
        "platform": "kept",
        "view Images": "outdated",
    }
    assert site.run("apply") == 0
    assert gone <= site.jenkins.names()
    assert site.run("drift") == 1
    site.jenkins.edit("Payments/payments-api nightly", b"H 4", b"H 5")
    assert site.run("apply", "--delete") == 0
    assert site.jenkins.names() & gone == {"Payments", "Payments/payments-api nightly"}
    assert site.run("apply", "--delete", "--overwrite", "Payments/payments-api nightly") == 0
    assert not site.jenkins.names() & gone
    assert {"platform", "platform/mine"} <= site.jenkins.names()


def test_destroy_asks_and_removes_only_what_is_ours(site: Site) -> None:
    site.run("apply")
    site.jenkins.put("Payments/mine", b"<flow-definition><description>mine</description></flow-definition>")
    assert site.run("destroy") == 1
    assert site.jenkins.names() > NAMES
    assert site.run("destroy", "--yes") == 0
    assert site.jenkins.names() == {"Payments", "Payments/mine"}
    assert not site.jenkins.root.views
    assert "Payments: stays: it holds what is not ours" in site.out


def test_permissions_are_given_and_taken_by_the_file_only(site: Site) -> None:
    site.teams["jenkins"]["permissions"] = True
    site.run("apply")
    assert b">hudson.model.Item.Build:payments@example.com<" in site.jenkins.find("Payments").document
    site.jenkins.edit("Payments", b"Item.Build:payments", b"Item.Build:somebody")
    assert site.states("plan") == {"Payments": "edited"}
    site.jenkins.edit("Payments", b"Item.Build:somebody", b"Item.Build:payments")
    site.teams["jenkins"]["permissions"] = False
    assert set(site.states("plan").values()) == {"outdated"}
    assert site.run("apply") == 0
    assert b"hudson.model.Item" not in site.jenkins.find("Payments").document
    assert site.run("drift") == 0


def test_hostile_values_stay_text(site: Site) -> None:
    hostile = "x</description><disabled>true</disabled>]]>&lt;script&gt;<!-- ${IFS} {{x}} 'q' \"d\""
    site.teams["teams"]["Payments"]["owners"] = [hostile]
    site.teams["teams"]["Payments"]["repositories"][0]["credentials"] = hostile
    site.teams["teams"]["Payments"]["repositories"][0]["scheduled"][0]["cron"] = hostile
    assert site.run("apply") == 0, site.err
    job = site.jenkins.find("Payments/payments-api").root
    assert job.findtext("sources/data/jenkins.branch.BranchSource/source/credentialsId") == hostile
    assert job.findtext("disabled") == "false"
    assert hostile in site.jenkins.find("Payments").description
    assert site.run("drift") == 0


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("--upload-pack=touch /tmp/x", "is no URL of a git server"),
        ("ext::sh -c id", "is no URL of a git server"),
        ("/srv/git/x.git", "is no URL of a git server"),
        ("https://user:s3cret@git.example.com/x.git", "'https://…@git.example.com/x.git' is no URL"),
        ("https://git.example.com/\x07.git", "cannot be written into a job"),
    ],
)
def test_what_is_no_url_of_a_repository_makes_no_job(site: Site, url: str, words: str) -> None:
    site.teams["teams"]["Payments"]["repositories"][0]["url"] = url
    assert site.run("apply") == 2
    assert words in site.err
    assert "s3cret" not in site.err
    assert not site.jenkins.requests


def test_jenkins_that_fails_now_and_then_is_brought_to_the_end(site: Site) -> None:
    site.jenkins.share = 0.15
    for _ in range(5):
        if site.run("apply") == 0:
            break
    site.jenkins.share = 0.0
    assert site.run("apply") == 0
    assert site.jenkins.names() == NAMES
    assert site.writes("apply") == 0
    assert site.run("drift") == 0


@pytest.mark.parametrize("at", range(14))
def test_an_apply_that_breaks_off_anywhere_is_finished_by_the_next(
    site: Site, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEGATE_HTTP_RETRIES", "0")
    monkeypatch.setattr("imagegate.jenkins.sync._LOOKS", 1)
    site.jenkins.next_faults = [""] * at + ["reset", "lost", "reset", "lost"]
    site.run("apply", "--concurrency", "1")
    site.jenkins.next_faults = []
    assert site.run("apply") == 0
    assert site.jenkins.names() == NAMES
    assert site.run("drift") == 0


def test_a_create_whose_answer_was_lost_is_looked_at_and_not_repeated(site: Site) -> None:
    site.jenkins.next_faults = ["", "", "lost"]  # list, crumb, the first create
    assert site.run("apply", "--concurrency", "1") == 0
    created = [path for method, path in site.jenkins.requests if method == "POST" and path == "/ci/createItem"]
    assert len(created) == 3
    assert site.run("drift") == 0


def test_two_applies_at_once_do_no_harm(site: Site) -> None:
    site.jenkins.delay = 0.005
    site.file.write_text(yaml.safe_dump(site.teams, allow_unicode=True))
    codes: list[int] = []

    def one() -> None:
        codes.append(attempt(["jenkins", "apply", "--teams", str(site.file), "--server", site.jenkins.url]).code)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert codes == [0, 0]
    assert site.jenkins.names() == NAMES
    assert site.run("drift") == 0


def test_a_restart_between_two_writes_costs_a_new_crumb_only(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    restarts = iter([True])

    def restarting() -> str:
        if site.jenkins.counted["POST"] >= 3 and next(restarts, False):
            site.jenkins.restart()
        return ""

    monkeypatch.setattr(site.jenkins, "fault", restarting)
    assert site.run("apply", "--concurrency", "2") == 0, site.err
    assert site.jenkins.names() == NAMES


def test_without_crumbs_it_works_too(site: Site) -> None:
    site.jenkins.crumbs = False
    assert site.run("apply") == 0
    assert site.run("drift") == 0


def test_a_wrong_token_is_explained_and_not_shown(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEGATE_JENKINS_TOKEN", "wrong-and-secret")
    assert site.run("plan", "--debug") == 2
    assert "the login from IMAGEGATE_JENKINS_USER was refused" in site.err
    assert "wrong-and-secret" not in site.err + site.out
    monkeypatch.delenv("IMAGEGATE_JENKINS_TOKEN")
    assert site.run("plan") == 2
    assert "Set IMAGEGATE_JENKINS_USER and IMAGEGATE_JENKINS_TOKEN" in site.err


def test_a_missing_plugin_is_named(site: Site) -> None:
    site.jenkins.plugins.discard("workflow-multibranch")
    assert site.run("apply") == 2
    assert "it does not know org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject" in site.err
    assert "imagegate jenkins doctor" in site.err
    site.jenkins.plugins.add("workflow-multibranch")
    assert site.run("apply") == 0


def test_what_is_no_jenkins_is_told(site: Site) -> None:
    site.jenkins.version = ""
    assert site.run("plan") == 2
    assert "is no Jenkins" in site.err


def test_http_and_logins_in_urls_are_refused(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert site.run("plan", "--server", "https://me:s3cret@jenkins.example.com") == 2
    assert "s3cret" not in site.err
    settings(tmp_path, monkeypatch, {})
    assert site.run("plan") == 2
    assert "the token would go over the wire readable" in site.err
    assert not site.jenkins.requests


def test_a_redirect_is_told_and_not_followed(site: Site) -> None:
    site.jenkins.next_faults = ["302"]
    assert site.run("plan") == 2
    assert "redirects to http://" in site.err
    assert "--server" in site.err


def test_headers_that_python_jenkins_would_print_are_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JENKINS_API_EXTRA_HEADERS", "X-Gate: s3cret")
    assert site.run("plan") == 2
    assert "JENKINS_API_EXTRA_HEADERS" in site.err
    assert "s3cret" not in site.err


def test_the_section_that_the_documents_show_is_understood(site: Site) -> None:
    page = (Path(__file__).parents[2] / "docs" / "onboarding.md").read_text()
    shown = page.partition("## Jobs\n```yaml\n")[2].partition("```")[0]
    site.teams["jenkins"] = yaml.safe_load(shown)["jenkins"]
    assert site.run("apply") == 0, site.err


def test_an_unknown_name_to_overwrite_is_told(site: Site) -> None:
    assert site.run("apply", "--overwrite", "Payments/payment-api") == 2
    assert "Did you mean 'Payments/payments-api'" in site.err


def test_tls_by_a_ca_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pki = Pki(tmp_path / "pki")
    with FakeJenkins(pki.issue("jenkins")) as jenkins:
        site = Site(jenkins, tmp_path, capsys)
        settings(tmp_path, monkeypatch, {})
        monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")  # python-jenkins takes it for leave to verify nothing
        assert site.run("apply") == 2
        assert f"Set hosts.{jenkins.host}.ca_file" in site.err
        settings(tmp_path, monkeypatch, {jenkins.host: {"ca_file": str(tmp_path / "none.crt")}})
        assert site.run("apply") == 2
        assert "ca_file is no file of CA certificates" in site.err
        for host in ({"ca_file": str(pki.ca_file)}, {"insecure": True}):
            settings(tmp_path, monkeypatch, {jenkins.host: host})
            assert site.run("apply") == 0, site.err
        assert jenkins.names() == NAMES
