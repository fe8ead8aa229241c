"""The re-check as a scheduled job: on several agents at once, on the real CPS transformer, over a real PostgreSQL."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lab.postgresql import PASSWORD, Postgresql
from tests.fakes.inbox import webhook
from tests.integration.recheck_site import PACKAGES, TEAMS, Scheduled, found, report
from tests.unit.rechecks import HIGH, TEXT
from tests.unit.test_inventory import advisory, npm

SECRET = "secret-of-the-channel"
NEWS = [advisory(f"CVE-2026-{each:04}", f"package-{each}", **HIGH) for each in range(PACKAGES)]
ONE = "recheckImages onStop: 'UNSTABLE'"
TWO = "recheckImages shards: 2, onStop: 'UNSTABLE'"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgresql]:
    with Postgresql() as server:
        yield server


@pytest.fixture
def site(tmp_path: Path, server: Postgresql) -> Iterator[Scheduled]:
    site = Scheduled(tmp_path, server)
    site.populate()
    site.publish(*NEWS)
    yield site
    site.inventory.engine.dispose()


def shards_done(done: dict[str, Any]) -> Counter[str]:
    """Return how often each shard says that it was done."""
    return Counter(re.findall(r"shard (\d+/\d+): \d+ packages matched again", "\n".join(done["log"])))


def test_the_example_finds_all_on_four_agents_and_shows_it(site: Scheduled) -> None:
    done = site.run_job()
    assert done["result"] == "UNSTABLE", done["error"]
    assert shards_done(done) == Counter(["1/4", "2/4", "3/4", "4/4"])
    assert done["restarts"] > 20
    assert f"{PACKAGES} new or changed, in {TEAMS} images" in "\n".join(done["log"])
    told = f"re-check: {PACKAGES} new or changed vulnerabilities in {TEAMS} images, {TEAMS} would be stopped today"
    assert done["description"] == told
    assert [badge["text"] for badge in done["badges"]] == [f"re-check: {PACKAGES} new or changed"]
    assert {Path(file).name for file in done["archived"]} >= {"report.html", "report.json", "junit.xml"}
    assert done["junit"]
    assert not list((done["root"] / "workspace").rglob("imagegate-*"))
    assert len(found(report(done))) == PACKAGES * TEAMS


def test_shards_find_what_one_agent_finds(site: Scheduled, server: Postgresql, tmp_path: Path) -> None:
    done = site.run_job("recheckImages shards: 3, onStop: 'UNSTABLE'", restart="never")
    directory = tmp_path / "alone"
    directory.mkdir()
    alone = Scheduled(directory, server)
    alone.populate()
    alone.publish(*NEWS)
    whole = alone.run_job(f"node {{ {ONE} }}", restart="never")
    alone.inventory.engine.dispose()
    assert found(report(done)) == found(report(whole))
    assert len(found(report(done))) == PACKAGES * TEAMS
    assert report(done)["teams"] == report(whole)["teams"]
    assert report(done)["above"] == report(whole)["above"] == TEAMS
    assert site.run_job(restart="never")["description"] == "re-check: no promoted image is hit by anything new"


def test_a_shard_that_is_killed_is_done_again(site: Scheduled) -> None:
    site.fault('"only":"2/2"')
    done = site.run_job(TWO, restart="never")
    assert done["result"] == "UNSTABLE", done["error"]
    assert any("shard 2/2 is not done: the command ended with code 137" in line for line in done["log"])
    assert len(found(report(done))) == PACKAGES * TEAMS


def test_a_shard_that_dies_twice_is_undecided_and_what_others_found_is_told(site: Scheduled) -> None:
    site.fault('"only":"2/2"')
    site.fault('"only":"2/2"')
    done = site.run_job(TWO, restart="never")
    assert done["result"] == "FAILURE"
    assert "could not decide: shard 2/2 is not done: the command ended with code 137" in done["error"]
    assert done["description"].startswith("re-check undecided: ")
    first = found(report(done))
    assert 0 < len(first) < PACKAGES * TEAMS
    alone = site.run_job("node { recheckImages only: '2/2' }", restart="never")
    assert alone["result"] == "SUCCESS", alone["error"]
    rest = site.run_job("node { recheckImages only: 'report', onStop: 'UNSTABLE' }", restart="never")
    assert rest["result"] == "UNSTABLE", rest["error"]
    assert not first & found(report(rest))
    assert len(first | found(report(rest))) == PACKAGES * TEAMS


def test_what_shards_could_not_decide_is_told_and_not_tried_again(site: Scheduled) -> None:
    site.promote("page", npm("left-pad"), team="web", policy=TEXT)
    done = site.run_job(TWO, restart="never")
    assert done["result"] == "FAILURE"
    assert "could not decide: " in done["error"]
    assert "npm" in done["error"]
    assert not any("Retrying" in line for line in done["log"])
    assert len(found(report(done))) == PACKAGES * TEAMS
    assert "npm" in " ".join(report(done)["problems"])


def test_two_schedulers_at_once_tell_each_of_it_once(site: Scheduled, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.env"
    with webhook() as hook:
        secrets.write_text(f"IMAGEGATE_NOTIFY_HOOK_SECRET={SECRET}\nIMAGEGATE_NOTIFY_HOOK_WEBHOOK={hook.url}\n")
        site.settings["hosts"] = {hook.host: {"plain_http": True}}
        site.settings["notify"] = {"channels": {"hook": {"kind": "webhook"}}}
        site.controller.credentials = {
            **site.controller.credentials,
            "channels": {"kind": "file", "path": str(secrets)},
        }
        pipeline = "recheckImages shards: 2, onStop: 'UNSTABLE', notifySecrets: 'channels'"
        site.write()
        with ThreadPoolExecutor(2) as pool:
            both = list(
                pool.map(lambda name: site.run_job(pipeline, jobName=name, restart="never"), ("one", "another"))
            )
    assert {done["result"] for done in both} <= {"SUCCESS", "UNSTABLE"}, [done["error"] for done in both]
    told = [
        (image["digest"], post.document["news"]["changes"][hit["change"]]["vulnerability"])
        for post in hook.posts
        for image in post.document["news"]["images"]
        for hit in image["hits"]
    ]
    assert len(told) == len(set(told)) == PACKAGES * TEAMS
    assert all("Imagegate-Signature" in post.headers for post in hook.posts)
    for done in both:
        secrets_are_nowhere(done, hook.url)


def secrets_are_nowhere(done: dict[str, Any], url: str) -> None:
    account = json.dumps({key: value for key, value in done.items() if key != "root"})
    files = [file for file in done["root"].rglob("*") if file.is_file()]
    for secret in (PASSWORD, SECRET, url):
        assert secret not in account
        assert not [file for file in files if secret.encode() in file.read_bytes()]
    shards = [step for step in done["steps"] if step["name"] == "sh" and step["branch"]]
    assert {credential for step in shards for credential in step["credentials"]} == {"inventory"}


@pytest.mark.parametrize("shell", [2, 4, 6])
def test_an_abort_passes_through_and_the_next_build_finds_all(site: Scheduled, shell: int) -> None:
    """While the advisories are fetched, while a shard runs, and while it is told."""
    site.controller.environment = {**site.controller.environment, "IMAGEGATE_HTTP_BUDGET": "5"}
    done = site.run_job(TWO, abort={"duringSh": shell, "afterSeconds": 0.0}, restart="never")
    assert done["result"] == "ABORTED", done["error"]
    assert "FlowInterruptedException" in done["errorClass"]
    assert not list((done["root"] / "workspace").rglob("imagegate-*"))
    again = site.run_job(TWO, restart="never")
    assert again["result"] == "UNSTABLE", again["error"]
    assert len(found(report(again))) == PACKAGES * TEAMS


PIPELINES = {
    "on an agent": f"node {{ {TWO} }}",
    "in declarative": f"pipeline {{ agent any\nstages {{ stage('Re-check') {{ steps {{ {TWO} }} }} }} }}",
    "in declarative, without an agent": (
        f"pipeline {{ agent none\nstages {{ stage('Re-check') {{ steps {{ {TWO} }} }} }} }}"
    ),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_every_kind_of_pipeline(site: Scheduled, name: str) -> None:
    done = site.run_job(f"@Library('imagegate') _\n{PIPELINES[name]}", restart="never")
    assert done["result"] == "UNSTABLE", done["error"]
    assert shards_done(done) == Counter(["1/2", "2/2"])
    assert len(found(report(done))) == PACKAGES * TEAMS


def test_shards_are_not_for_an_inventory_that_is_a_file(site: Scheduled) -> None:
    site.settings["inventory"] = {}
    done = site.run_job(TWO, restart="never")
    assert done["result"] == "FAILURE"
    assert "could not decide: recheckImages: shards are for an inventory in PostgreSQL" in done["error"]
    alone = site.run_job(ONE, restart="never")
    assert alone["result"] == "SUCCESS", alone["error"]
