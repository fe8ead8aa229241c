"""The step `recheckImages`, a call at a time: what it plans, does, hands on, and what it makes of trouble."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagegate import __version__
from imagegate.errors import UsageError
from imagegate.jenkins.recheck_plan import SHARDS, check, fan_out, undecided
from imagegate.jenkins.request import Ended, Handed, Request, decode, read_request
from tests.fakes.inbox import webhook
from tests.unit.rechecks import HIGH, TEXT, Site
from tests.unit.test_inventory import advisory, deb

FILE = "postgresql://imagegate@127.0.0.1:1/none"


def invoke(**parameters: Any) -> Any:
    invocation = read_request(Request("recheckImages", __version__, parameters), {})
    check(invocation)
    return invocation


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A promoted image, and what is new about it."""
    site = Site(tmp_path)
    site.know(advisory("CVE-2025-0001", "none"))
    site.promote("app", deb("openssl"), team="payments", policy=TEXT)
    site.know(advisory("CVE-2026-0001", "openssl", **HIGH))
    return site


class Calls:
    """Calls of the step in directories of their own."""

    def __init__(self, site: Site) -> None:
        self.site, self.number = site, 0

    def __call__(
        self, *, handed: dict[str, Any] | None = None, files: dict[str, bytes] | None = None, **parameters: Any
    ) -> Any:
        self.number += 1
        self.directory = self.site.directory / f"step-{self.number}"
        self.directory.mkdir()
        for name, data in (files or {}).items():
            (self.directory / name).write_bytes(data)
        request = {"step": "recheckImages", "version": __version__, "parameters": parameters, "handed": handed or {}}
        (self.directory / "request.json").write_text(json.dumps(request))
        code, _ = self.site.run("step", str(self.directory))
        result = json.loads((self.directory / "result.json").read_text())
        assert code == result["exitCode"]
        return result


@pytest.fixture
def call(site: Site) -> Calls:
    return Calls(site)


def test_one_agent_does_it_all_and_what_it_found_is_told_in_numbers(call: Calls) -> None:
    result = call(update=False, onStop="UNSTABLE")
    assert (result["outcome"], result["onStop"]) == ("stop", "UNSTABLE")
    assert result["description"] == "re-check: 1 new or changed vulnerability in 1 image, 1 would be stopped today"
    assert result["badge"] == "re-check: 1 new or changed"
    told = result["recheck"]
    assert {name: told[name] for name in ("vulnerabilities", "images", "above", "stopped", "sent", "problems")} == {
        "vulnerabilities": 1,
        "images": 1,
        "above": 1,
        "stopped": 1,
        "sent": 0,
        "problems": [],
    }
    assert told["teams"] == [{"team": "payments", "images": 1, "stopped": 1}]
    assert told["upgrades"][0]["package"] == "openssl"
    reports = call.directory / "reports"
    assert "<failure" in (reports / result["reports"]["junit"]).read_text()
    page = (reports / result["reports"]["html"]).read_text()
    assert "<style>" not in page
    assert "style-src 'self'" in page
    assert "border-collapse" in (reports / "imagegate/recheck/report.css").read_text()
    assert json.loads((reports / "imagegate/recheck/report.json").read_text())["above"] == 1
    again = call(update=False)
    assert (again["outcome"], again["message"]) == ("pass", "re-check: no promoted image is hit by anything new")
    assert again["badge"] == "re-check: nothing new"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [({"since": "yesterday"}, "`since` must be a day"), ({"outputs": {"sarif": "x"}}, "not written as 'sarif'")],
)
def test_what_the_report_would_be_refused_for_is_refused_at_once(
    call: Calls, parameters: dict[str, Any], words: str
) -> None:
    result = call(update=False, **parameters)
    assert result["outcome"] == "undecided"
    assert words in result["message"]
    assert result["recheck"] is None
    assert call(update=False)["recheck"]["vulnerabilities"] == 1, "nothing was told yet"


def test_a_full_one_tells_how_all_images_stand(call: Calls) -> None:
    result = call(update=False, full=True)
    assert result["recheck"]["standing"] == [
        {"team": "payments", "images": 1, "stopped": 1, "warned": 0, "undecided": 0}
    ]
    assert "How all images stand" in (call.directory / "reports" / result["reports"]["html"]).read_text()


def test_reports_go_where_they_are_asked_to_and_nowhere_else(call: Calls, tmp_path: Path) -> None:
    result = call(update=False, publish=False, outputs={"markdown": str(tmp_path / "news.md")})
    assert (result["publish"], result["reports"]) == (False, None)
    assert "openssl" in (tmp_path / "news.md").read_text()
    assert not (call.directory / "reports").exists()


def test_advisories_that_cannot_be_updated_are_told_with_what_was_found(call: Calls, tmp_path: Path) -> None:
    mirror = {"sources": ["osv/Debian"], "urls": {"osv": str(tmp_path / "none")}}
    call.site.settings["advisories"] |= mirror
    result = call()
    assert (result["outcome"], result["recheck"]["above"]) == ("undecided", 1)
    assert "advisories are as they were: osv/Debian: " in result["message"]
    assert result["description"].startswith("re-check undecided: 1 new or changed vulnerability in 1 image")


def test_what_nothing_is_known_of_is_undecided_and_told_all_the_same(call: Calls) -> None:
    call.site.promote("web", deb("openssl"), team="web", judged=False, policy=TEXT)
    call.site.settings["advisories"]["max_age_days"] = 1
    result = call(update=False)
    assert result["outcome"] == "undecided"
    assert "1 new or changed vulnerability in " in result["message"]
    assert result["recheck"]["problems"]


def test_a_team_that_cannot_be_told_is_undecided_and_the_secrets_are_of_one_file(call: Calls, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    with webhook() as hook:
        secrets.write_text(f"# of the channels\nIMAGEGATE_NOTIFY_HOOK_WEBHOOK = {hook.url}\n")
        call.site.settings["hosts"] = {hook.host: {"plain_http": True}}
        call.site.settings["http"] = {"budget": 1.0, "retries": 0}
        call.site.settings["notify"] = {"channels": {"hook": {"kind": "webhook"}}}
        result = call(update=False)
        assert (result["outcome"], result["recheck"]["sent"]) == ("undecided", 0)
        assert "has no URL" in result["message"]
        directory = call.directory.with_name("told")
        directory.mkdir()
        (directory / "request.json").write_bytes((call.directory / "request.json").read_bytes())
        call.site.run("step", str(directory), IMAGEGATE_NOTIFY_SECRETS_FILE=str(secrets))
        told = json.loads((directory / "result.json").read_text())
        assert (told["outcome"], told["recheck"]["sent"], len(hook.posts)) == ("pass", 1, 1)
        assert "127.0.0.1" not in json.dumps(told)


@pytest.mark.parametrize("parameters", [{"shards": 2}, {"only": "1/2"}])
def test_shards_need_an_inventory_that_all_agents_see(call: Calls, parameters: dict[str, Any]) -> None:
    result = call(**parameters)
    assert result["outcome"] == "undecided"
    assert "shards are for an inventory in PostgreSQL" in result["message"]
    assert "Set inventory.url to postgresql://" in result["message"]
    assert result["fanOut"] is None


def test_the_first_call_plans_the_others_and_leaves_the_advisories(call: Calls) -> None:
    call.site.settings["inventory"]["url"] = FILE
    result = call(update=False, shards=3, full=True, since="2026-01-01", onStop="UNSTABLE", inventoryPassword="id")
    assert (result["outcome"], result["stash"]) == ("pass", result["fanOut"]["report"]["handed"]["stash"])
    shards, last = result["fanOut"]["shards"], result["fanOut"]["report"]
    assert [each["parameters"]["only"] for each in shards] == ["1/3", "2/3", "3/3"] == last["handed"]["shards"]
    assert shards[0]["parameters"] == {"only": "1/3", "full": True, "inventoryPassword": "id"}
    assert shards[0]["handed"]["bindings"] == SHARDS
    assert last["parameters"] == {
        "full": True,
        "since": "2026-01-01",
        "onStop": "UNSTABLE",
        "inventoryPassword": "id",
        "only": "report",
    }
    assert (call.directory / "advisories.snapshot").is_file()
    assert not result["description"]
    alone = call(update=False, shards=3, stashAdvisories=False)
    assert (alone["stash"], (call.directory / "advisories.snapshot").exists()) == ("", False)


def test_where_an_anchore_server_is_asked_no_advisories_are_handed_on(call: Calls) -> None:
    call.site.settings["inventory"]["url"] = FILE
    call.site.settings["scanner"] = "anchore"
    call.site.settings["advisories"]["database"] = str(call.site.directory / "none.sqlite")
    planned = call(shards=2)
    assert (planned["outcome"], planned["stash"]) == ("pass", ""), planned["message"]
    assert planned["fanOut"]["report"]["handed"].keys() == {"inventory", "shards"}


def test_what_another_agent_is_handed_must_be_what_the_first_one_left(call: Calls, tmp_path: Path) -> None:
    call.site.settings["inventory"]["url"] = FILE
    planned = call(update=False, shards=2)
    snapshot = (call.directory / "advisories.snapshot").read_bytes()
    shard = planned["fanOut"]["shards"][1]
    call.site.settings["advisories"]["database"] = str(tmp_path / "of-this-agent.sqlite")
    damaged = call(handed=shard["handed"], files={"advisories.snapshot": snapshot + b"x"}, **shard["parameters"])
    assert "not those of the first agent" in damaged["message"]
    good = call(handed=shard["handed"], files={"advisories.snapshot": snapshot}, **shard["parameters"])
    assert (call.directory / "advisories.sqlite").is_file()
    assert "the inventory postgresql" in good["message"]
    assert not good["done"]
    call.site.settings["inventory"]["url"] = f"{FILE}-2"
    other = call(handed=shard["handed"], files={"advisories.snapshot": snapshot}, **shard["parameters"])
    assert "name another inventory than those of the first" in other["message"]


def test_agents_that_are_handed_nothing_must_have_advisories_of_one_origin(call: Calls, tmp_path: Path) -> None:
    call.site.settings["inventory"]["url"] = FILE
    shard = call(update=False, shards=2, stashAdvisories=False)["fanOut"]["shards"][1]
    shared = call(handed=shard["handed"], **shard["parameters"])
    assert "the inventory postgresql" in shared["message"]
    call.site.database = tmp_path / "other.sqlite"
    call.site.know(advisory("CVE-2026-0001", "openssl", **HIGH))
    call.site.settings["advisories"]["database"] = str(call.site.database)
    result = call(handed=shard["handed"], **shard["parameters"])
    assert "of another origin" in result["message"]
    assert "stashAdvisories" in result["message"]


def test_a_shard_tells_what_it_did_and_the_report_what_was_not_done(call: Calls) -> None:
    shard = call(only="1/1")
    assert (shard["outcome"], shard["done"]) == ("pass", True)
    assert shard["message"] == "shard 1/1: 1 packages matched again, 1 changes"
    handed = {"shards": ["1/3", "2/3", "3/3"], "ended": {"1/3": {"done": True}, "2/3": {"message": "killed"}}}
    result = call(only="report", handed=handed)
    assert (result["outcome"], result["recheck"]["above"]) == ("undecided", 1)
    assert result["recheck"]["problems"] == ["shard 2/3 is not done: killed", "shard 3/3 is not done"]
    page = call.directory / "reports" / result["reports"]["html"]
    assert "shard 2/3 is not done: killed" in page.read_text()
    assert "<error" in page.with_name("junit.xml").read_text()


def test_a_time_that_is_none_is_told_by_the_parameters_name(call: Calls) -> None:
    result = call(update=False, since="yesterday")
    assert result["outcome"] == "undecided"
    assert "`since`" in result["message"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"shards": 0}, "shards must be a number from 1 to 256, not 0"),
        ({"shards": 257}, "from 1 to 256"),
        ({"shards": "many"}, "shards must be a whole number, not a text"),
        ({"shards": True}, "shards must be a whole number, not true or false"),
        ({"only": "5/4"}, "only must be a shard such as '1/4', or 'report'"),
        ({"only": "all"}, "only must be a shard"),
        ({"only": "1/4", "shards": 4}, "give one of them"),
        ({"only": "1/4", "since": "2026-01-01"}, "a shard tells nothing"),
    ],
)
def test_parameters_that_do_not_go_together_are_told(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as raised:
        invoke(**parameters)
    assert words in str(raised.value)


def test_what_is_handed_comes_back_as_it_was() -> None:
    first = fan_out(invoke(shards=2), Handed(inventory=FILE, problems=("p",)))
    assert [each.handed.problems for each in first.shards] == [(), ()]
    assert first.report.handed.problems == ("p",)
    handed = {"shards": ["1/1"], "ended": {"1/1": {"done": True, "message": "m"}}}
    document = {"step": "recheckImages", "version": __version__, "parameters": {}, "handed": handed}
    assert decode(json.dumps(document).encode()).handed == Handed(shards=("1/1",), ended={"1/1": Ended(True, "m")})
    ended = {"1/3": Ended(True, problems=("p",)), "2/3": Ended(True, problems=("p", "q")), "3/3": Ended(message="m")}
    assert undecided(Handed(shards=("1/3", "2/3", "3/3"), ended=ended)) == ("p", "q", "shard 3/3 is not done: m")
