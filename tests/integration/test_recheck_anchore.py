"""`imagegate recheck` by an Anchore server: by events and by paging the same, once, to those whom it hits."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from imagegate.errors import AnchoreError, NetworkError
from imagegate.inventory.store import Inventory
from imagegate.model import Digest, Severity, Vulnerability, VulnerabilityReport
from imagegate.policy.facts import Facts
from lab.postgresql import PASSWORD as POSTGRESQL_PASSWORD
from lab.postgresql import Postgresql
from tests.fakes.anchore import FakeAnchore
from tests.fakes.contract import DEVIATIONS, DOCUMENTS, general
from tests.fakes.inbox import Webhook, webhook
from tests.images import DEBIAN
from tests.integration.server_site import LOGIN, ServerSite
from tests.integration.test_anchore_command import look_in, push
from tests.integration.world import POLICY, World
from tests.unit.rechecks import hits
from tests.unit.test_inventory import advisory, deb, npm

pytestmark = pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="Anchore's OpenAPI documents are not here")


@pytest.fixture(params=["v1", "v2"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerSite]:
    site = ServerSite(tmp_path, request.param)
    with site.fake:
        site.learn("CVE-2026-0001", "zlib", Severity.LOW)
        for name, team in (("api", "payments"), ("web", "shop")):
            site.promote_by_server(name, deb("zlib"), deb("openssl"), npm(f"npm-{name}"), team=team)
        yield site
        assert site.violations() == []
    site.inventory.engine.dispose()


def kinds(news: Any) -> list[tuple[str, str, str]]:
    return sorted((each.kind.value, each.vulnerability, each.package) for each in news.changes)


def test_what_the_server_learns_is_told_once_to_whom_it_hits_with_the_fix(site: ServerSite) -> None:
    site.learn("GHSA-1", "npm-api", Severity.CRITICAL, "1.2.0")
    code, news = site.recheck_by_server()
    assert (code, news.problems) == (1, ())
    assert hits(news) == {("registry.example.com/api:1.0", "GHSA-1")}
    assert [(each.team, each.stopped) for each in news.teams] == [("payments", 1)]
    assert [(each.package, each.to) for each in news.upgrades] == [("npm-api", "1.2.0")]
    assert site.recheck_by_server()[0] == 0
    assert hits(site.recheck_by_server()[1]) == set()


def heal(site: ServerSite) -> None:
    """Do the first run, and the server's first scan, which it only remembers."""
    assert site.recheck_by_server()[0] == 0
    site.cycle()
    site.asked()


def test_only_what_events_are_about_is_asked_about(site: ServerSite) -> None:
    heal(site)
    assert site.recheck_by_server()[0] == 0
    assert site.asked() == 0
    site.learn("GHSA-1", "npm-web", Severity.HIGH)
    site.cycle()
    code, news = site.recheck_by_server()
    assert (code, hits(news)) == (1, {("registry.example.com/web:1.0", "GHSA-1")})
    assert site.asked() == 1


def test_both_kinds_of_subscriptions_are_switched_on_once(site: ServerSite) -> None:
    site.recheck_by_server()
    on = sorted(
        (each["subscription_type"], each["subscription_key"])
        for each in site.fake.subscriptions.values()
        if each["active"]
    )
    tags = [f"staging.example.com/gate/{name}:1.0" for name in ("api", "web")]
    assert on == [(kind, tag) for kind in ("policy_eval", "vuln_update") for tag in tags]
    switched = {"POST subscriptions", "PUT subscriptions/*"}
    assert switched & site.fake.counted().keys()
    site.fake.requests.clear()
    site.recheck_by_server()
    assert not any(method != "GET" for method, _ in site.fake.requests)


def test_where_nothing_may_be_subscribed_all_are_asked_about_by_every_run(site: ServerSite) -> None:
    site.settings["recheck"] = {"subscribe": False}
    heal(site)
    assert site.fake.subscriptions == {}
    site.learn("GHSA-1", "npm-web", Severity.HIGH)
    assert site.recheck_by_server()[0] == 1
    assert site.asked() == 2


def change_everything(site: ServerSite) -> None:
    site.learn("CVE-2026-0002", "openssl", Severity.HIGH, "3.0.2")
    site.learn("CVE-2026-0001", "zlib", Severity.CRITICAL)
    site.learn("CVE-2026-0004", "zlib", Severity.MEDIUM, "2.0")
    site.unlearn("GHSA-0", "npm-api")
    site.learn("CVE-2026-0005", "openssl", Severity.LOW)


def test_events_and_paging_give_the_same(site: ServerSite) -> None:
    site.learn("CVE-2026-0004", "zlib", Severity.MEDIUM)
    site.learn("CVE-2026-0005", "openssl", Severity.HIGH)
    site.learn("GHSA-0", "npm-api", Severity.LOW)
    site.recheck_by_server()
    heal(site)
    twin = site.directory / "twin.sqlite"
    site.inventory.engine.dispose()
    twin.write_bytes((site.directory / "inventory.sqlite").read_bytes())
    change_everything(site)
    site.fake.watcher.watch()
    by_events = site.recheck_by_server()
    site.settings["inventory"]["url"] = f"sqlite:///{twin}"
    site.fake.watcher.events.clear()
    by_paging = site.recheck_by_server("--full")
    assert kinds(by_events[1]) == [
        ("fixable", "CVE-2026-0004", "zlib"),
        ("new", "CVE-2026-0002", "openssl"),
        ("resolved", "GHSA-0", "npm-api"),
        ("severity", "CVE-2026-0001", "zlib"),
        ("severity", "CVE-2026-0005", "openssl"),
    ]
    assert kinds(by_events[1]) == kinds(by_paging[1])
    assert hits(by_events[1]) == hits(by_paging[1])
    assert by_events[0] == by_paging[0] == 1


@pytest.mark.parametrize("healed_by", ["full", "a week"])
def test_lost_events_are_healed(site: ServerSite, healed_by: str) -> None:
    heal(site)
    site.learn("GHSA-1", "npm-web", Severity.HIGH)
    site.cycle()
    site.fake.watcher.events.clear()
    assert site.recheck_by_server()[0] == 0
    assert site.asked() == 0
    if healed_by == "a week":
        with site.inventory.transaction() as connection:
            connection.exec_driver_sql("UPDATE asked SET at = at - 604800")
    code, news = site.recheck_by_server(*(["--full"] if healed_by == "full" else []))
    assert (code, hits(news)) == (1, {("registry.example.com/web:1.0", "GHSA-1")})


def test_where_events_cannot_be_had_all_are_asked_about(site: ServerSite, monkeypatch: pytest.MonkeyPatch) -> None:
    heal(site)
    site.learn("GHSA-1", "npm-web", Severity.HIGH)
    monkeypatch.setattr("imagegate.anchore.client.AnchoreClient.events", _refused)
    code, news = site.recheck_by_server()
    assert (code, hits(news)) == (1, {("registry.example.com/web:1.0", "GHSA-1")})
    assert site.asked() == 2


def _refused(*_: object, **__: object) -> Any:
    raise AnchoreError("the server refuses GET /events", status=403)


def test_a_package_that_only_the_server_knows_of_is_told(site: ServerSite) -> None:
    heal(site)
    (digest, *_) = site.images
    said = site.look(digest).vulnerabilities.vulnerabilities[0]  # type: ignore[union-attr, arg-type]
    crate = npm("serde", "1.0.1")
    site.of_image[digest] = [msgspec.structs.replace(said, id="RUSTSEC-1", package=crate, severity=Severity.HIGH)]
    site.cycle()
    code, news = site.recheck_by_server()
    assert (code, [(each.vulnerability, each.package) for each in news.changes]) == (1, [("RUSTSEC-1", "serde")])
    assert len(hits(news)) == 1
    site.cycle()
    assert kinds(site.recheck_by_server("--full")[1]) == []
    # What was promoted with it is no news, nor what another program read, which did not see it.
    gated, own = site.give("gated", deb("zlib")), site.give("own", deb("zlib"), deb("bash"))
    site.of_image[gated] = [msgspec.structs.replace(said, id="RUSTSEC-2", package=npm("rand", "1"))]
    site.promote_by_server("gated", deb("zlib"))
    site.of_image[own] = [msgspec.structs.replace(said, id="RUSTSEC-3", package=npm("rand", "2"))]
    site.promote("own", deb("zlib"), deb("bash"), digest=own, judged=False)
    assert kinds(site.recheck_by_server("--full")[1]) == []
    assert {"RUSTSEC-1", "RUSTSEC-2", "RUSTSEC-3"} <= {row[2] for row in site.findings()}


def test_images_of_which_the_server_says_different_things_make_no_news_by_turns(site: ServerSite) -> None:
    first, _ = site.images
    heal(site)
    openssl = deb("openssl")
    said = site.look(Digest(first)).vulnerabilities.vulnerabilities[0]  # type: ignore[union-attr]
    site.of_image[first] = [msgspec.structs.replace(said, id="CVE-2026-0009", package=openssl, severity=Severity.HIGH)]
    site.cycle()
    assert kinds(site.recheck_by_server()[1]) == [("new", "CVE-2026-0009", "openssl")]
    for words in ((), ("--full",), (), ("--full",)):
        # An event of the image that does not have it has it asked about alone.
        site.learn("GHSA-1", "npm-web", Severity.LOW if words else Severity.MEDIUM)
        site.cycle()
        _, news = site.recheck_by_server(*words)
        assert "CVE-2026-0009" not in {each.vulnerability for each in news.changes}
    del site.of_image[first]
    site.cycle()
    assert kinds(site.recheck_by_server()[1]) == [("resolved", "CVE-2026-0009", "openssl")]


def test_what_the_server_cannot_be_asked_about_is_named_and_the_rest_is_told(site: ServerSite) -> None:
    first, _ = site.images
    third = site.promote_by_server("third", deb("openssl"))
    heal(site)
    del site.fake.images[Digest(first)]
    site.fake.failing.add(third)
    site.learn("GHSA-1", "npm-web", Severity.HIGH)
    site.cycle()
    code, news = site.recheck_by_server()
    assert (code, hits(news)) == (2, {("registry.example.com/web:1.0", "GHSA-1")})
    assert [each.partition(": the")[0] for each in sorted(news.problems)] == [
        "registry.example.com/api:1.0",
        "registry.example.com/third:1.0",
    ]
    assert "analysis_failed" in news.problems[1] + news.problems[0]


@pytest.mark.parametrize("way", ["500", "503", "reset", "truncated"])
def test_a_server_that_goes_wrong_now_and_then_is_asked_again(site: ServerSite, way: str) -> None:
    site.recheck_by_server()
    site.learn("GHSA-1", "npm-api", Severity.CRITICAL)
    site.faults(0.15, way)
    code, news = site.recheck_by_server("--full")
    assert (code, news.problems) == (1, ())
    assert hits(news) == {("registry.example.com/api:1.0", "GHSA-1")}


def test_a_server_that_is_away_is_undecided_and_nothing_is_lost(site: ServerSite) -> None:
    heal(site)
    site.learn("GHSA-1", "npm-api", Severity.CRITICAL)
    site.cycle()
    site.faults(1.0, "503")
    code, news = site.recheck_by_server()
    assert (code, hits(news)) == (2, set())
    assert "could not be asked" in news.problems[0]
    site.faults(0.0)
    assert hits(site.recheck_by_server()[1]) == {("registry.example.com/api:1.0", "GHSA-1")}


def test_a_server_that_goes_away_meanwhile_is_not_asked_about_every_image(
    site: ServerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        site.promote_by_server(f"app-{number:02}", npm(f"npm-{number:02}"))
    calls = []

    def away(_: object, digest: str, *__: object) -> Any:
        calls.append(digest)
        raise NetworkError("the server cannot be reached")

    with monkeypatch.context() as patched:
        patched.setattr("imagegate.anchore.client.AnchoreClient.found", away)
        code, news = site.recheck_by_server()
    assert code == 2
    assert 5 <= len(calls) < 10
    assert f"{22 - len(calls)} more images were not asked about" in news.problems[-1]
    assert len(news.problems) == len(calls) + 1
    assert site.recheck_by_server()[0] == 0


def test_a_server_that_refuses_subscriptions_is_asked_about_everything(
    site: ServerSite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("imagegate.anchore.client.AnchoreClient.watch", _refused)
    assert site.recheck_by_server()[0] == 0
    assert "the server is not told to watch staging.example.com/gate/" in capsys.readouterr().err
    site.learn("GHSA-1", "npm-web", Severity.HIGH)
    assert site.recheck_by_server()[0] == 1


def test_data_that_is_old_is_undecided(site: ServerSite) -> None:
    site.settings["advisories"]["max_age_days"] = 3
    assert site.recheck_by_server()[0] == 0
    site.fake.feeds_at = "2020-01-01T00:00:00Z"
    code, news = site.recheck_by_server()
    assert code == 2
    assert "older than 3 days" in news.problems[0]
    assert site.run("recheck", "report", **LOGIN)[0] == 2


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 1, 2)])
def test_shards_are_told_together(site: ServerSite, order: tuple[int, ...]) -> None:
    site.recheck_by_server()
    site.learn("CVE-2026-0002", "openssl", Severity.HIGH)
    site.learn("GHSA-1", "npm-web", Severity.HIGH)
    site.unlearn("CVE-2026-0001", "zlib")
    for index in order:
        assert site.recheck_by_server("--full", "--shard", f"{index}/3")[0] == 0
    code, news = site.run("recheck", "report", **LOGIN)
    assert code == 1
    assert kinds(news) == [
        ("new", "CVE-2026-0002", "openssl"),
        ("new", "GHSA-1", "npm-web"),
        ("resolved", "CVE-2026-0001", "zlib"),
    ]


def test_another_scanner_makes_no_news(site: ServerSite) -> None:
    """Two scanners never say the same; what the second finds first is where one starts from."""
    site.know(advisory("CVE-2020-0001", "zlib"), advisory("GHSA-9", "npm-api"))
    site.recheck_by_server()
    site.settings["scanner"] = "local"
    assert kinds(site.run("recheck")[1]) == []
    site.know(advisory("CVE-2020-0002", "openssl"))
    assert kinds(site.run("recheck")[1]) == [("new", "CVE-2020-0002", "openssl")]
    site.promote_by_server("late", deb("zlib"))
    site.promote("own", deb("zlib"), digest="sha256:own")
    assert kinds(site.run("recheck")[1]) == []
    site.settings["scanner"] = "anchore"
    site.fake.watcher.settle()
    assert kinds(site.recheck_by_server()[1]) == []
    site.learn("CVE-2026-0002", "openssl", Severity.HIGH)
    site.fake.watcher.watch()
    assert kinds(site.recheck_by_server("--full")[1]) == [("new", "CVE-2026-0002", "openssl")]


def test_an_image_that_this_machine_read_is_asked_about_too(site: ServerSite) -> None:
    """Its packages have sources and purls that the server does not say."""
    digest = site.give("local", deb("curl"))
    curl = msgspec.structs.replace(deb("curl"), source="curl-src", purl="pkg:deb/debian/curl@1.0-1?arch=amd64")
    site.promote("local", curl, digest=digest, judged=False, team="edge")
    assert site.recheck_by_server()[0] == 0
    site.learn("CVE-2026-0008", "curl", Severity.HIGH)
    code, news = site.recheck_by_server("--full")
    assert (code, hits(news)) == (1, {("registry.example.com/local:1.0", "CVE-2026-0008")})


def test_a_run_that_is_killed_goes_on_and_tells_everything_once(site: ServerSite) -> None:
    with webhook() as hook:
        site.settings["hosts"][hook.host] = {"plain_http": True}
        site.settings["notify"] = {"channels": {"hook": {"kind": "webhook", "url": hook.url}}}
        for number in range(60):
            site.promote_by_server(
                f"app-{number:02}", deb("openssl"), npm(f"npm-{number:02}"), team=f"team-{number % 3}"
            )
        assert site.recheck_by_server()[0] == 0
        for number in range(60):
            site.learn(f"GHSA-{number:02}", f"npm-{number:02}", Severity.HIGH)
        site.learn("CVE-2026-0002", "openssl", Severity.HIGH)
        site.fake.faults.slow = 0.05
        for answers in (20, 55):
            site.fake.requests.clear()
            process = site.start("recheck", "--full", **LOGIN)
            while site.fake.counted()["GET images/*/vuln/all"] < answers:
                time.sleep(0.01)
            process.kill()
            process.communicate()
        assert 0 < site.count("delta") < 61
        site.fake.faults.slow = 0.0
        last = site.start("recheck", "--full", **LOGIN)
        last.communicate()
        assert last.returncode == 1
        found = [(image["digest"], each["vulnerability"]) for image, each in told(hook)]
        assert len(found) == len(set(found)) == 60 + 62


def told(hook: Webhook) -> Iterator[tuple[Any, Any]]:
    for post in hook.posts:
        news = post.document["news"]
        for image in news["images"]:
            for hit in image["hits"]:
                yield image, news["changes"][hit["change"]]


def test_in_postgresql_runs_at_once_tell_each_news_once(tmp_path: Path) -> None:
    site = ServerSite(tmp_path, "v2")
    site.inventory.engine.dispose()
    with Postgresql() as server, webhook() as hook, site.fake:
        url = server.database()
        site.inventory = Inventory(url, POSTGRESQL_PASSWORD)
        site.settings["inventory"]["url"] = url
        site.settings["hosts"][hook.host] = {"plain_http": True}
        site.settings["notify"] = {"channels": {"hook": {"kind": "webhook", "url": hook.url}}}
        secrets = {**LOGIN, "IMAGEGATE_INVENTORY_PASSWORD": POSTGRESQL_PASSWORD}
        site.learn("CVE-2026-0001", "openssl", Severity.LOW)
        for number in range(12):
            mine = npm(f"npm-{number:02}")
            site.promote_by_server(f"app-{number:02}", deb("openssl"), mine, team=f"team-{number % 3}")
        assert site.run("recheck", **secrets)[0] == 0
        for number in range(12):
            site.learn(f"GHSA-{number:02}", f"npm-{number:02}", Severity.HIGH)
        site.learn("CVE-2026-0002", "openssl", Severity.HIGH)
        site.unlearn("CVE-2026-0001", "openssl")
        site.fake.faults.slow = 0.02
        runs = [site.start("recheck", "--full", "--shard", f"{index}/2", **secrets) for index in (1, 2, 2)]
        runs += [site.start("recheck", "--full", **secrets) for _ in range(2)]
        for each in runs:
            words = each.communicate()
            assert each.returncode in (0, 1), words
        assert site.run("recheck", **secrets)[0] in (0, 1)
        found = [(image["digest"], each["vulnerability"]) for image, each in told(hook)]
        assert len(found) == len(set(found)) == 24
        assert site.count("delta") == 14
        site.inventory.engine.dispose()


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_from_the_gate_to_the_news(world: World, api: str) -> None:
    """Real registries and Notary; the server judges what lies in staging, and then learns something of it."""
    learnt: list[Vulnerability] = []

    def look(digest: Digest) -> Facts | None:
        facts = look_in(world, digest)
        return facts and msgspec.structs.replace(facts, vulnerabilities=VulnerabilityReport(tuple(learnt), ()))

    with FakeAnchore(api, look, seconds=0.2) as fake:
        fake.feeds_at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        policy = {**POLICY, "policies": [{**POLICY["policies"][0], "rules": []}]}  # type: ignore[dict-item]
        (world.directory / "policy.json").write_text(json.dumps(policy))
        world.settings["scanner"] = "anchore"
        world.settings["anchore"] = {"url": fake.url, "staging": f"{world.staging.host}/anchore"}
        world.settings["hosts"][fake.host] = {"plain_http": True}
        world.logins |= LOGIN
        assert push(world, "--activate", POLICY["id"], "--apply").returncode == 0
        files = {"app/node_modules/left-pad/package.json": '{"name": "left-pad", "version": "1.3.0"}'}
        image = world.images.name(world.images.image([DEBIAN, files], config={"User": "app"}), "app")
        pad = npm("left-pad", "1.3.0")
        learnt.append(Vulnerability("GHSA-0", pad, Severity.HIGH))
        done = world.gate(image, "pay/app")
        assert done.returncode == 0, done.stderr
        learnt.append(Vulnerability("GHSA-1", pad, Severity.HIGH, "1.3.1"))
        first, again = world.run("recheck", "--json"), world.run("recheck", "--json")
        assert (first.returncode, again.returncode) == (1, 0), first.stderr
        document = json.loads(first.stdout)
        assert [(each["vulnerability"], each["fix"]) for each in document["changes"]] == [("GHSA-1", "1.3.1")]
        assert [each["repository"] for each in document["images"]] == [world.repository("pay/app")]
        assert sorted({general(each) for each in fake.violations} - DEVIATIONS) == []
