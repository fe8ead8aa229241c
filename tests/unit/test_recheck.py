"""`imagegate recheck`: from changed advisories to the images that they hit, what policies say, what clears them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from imagegate.inventory import tables
from imagegate.inventory.recording import retire
from imagegate.model import Action, Package, PackageType, Severity
from imagegate.model.news import Change, Hit, HitImage, Kind, News, threshold
from imagegate.progress import NoProgress
from imagegate.report.news import FORMATS, render
from imagegate.vulnerability.importer import import_files
from tests.fakes.mirror import kev
from tests.unit.rechecks import HIGH, LOW, MEDIUM, TEXT, Site, actions, hits
from tests.unit.test_inventory import advisory, deb, npm

REGISTRY = "registry.example.com"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    site.know(advisory("CVE-2026-0001", "zlib"), advisory("GHSA-0", "npm-none"))
    site.promote("base", deb("zlib"), deb("openssl"), digest="sha256:b", policy=TEXT, team="platform")
    for number in range(3):
        site.promote(
            f"app-{number}",
            deb("zlib"),
            deb("openssl"),
            npm("npm-a"),
            digest=f"sha256:{number}",
            base=f"{REGISTRY}/base:1.0",
            base_digest="sha256:b",
            team=f"team-{number % 2}",
            policy=TEXT,
        )
    yield site
    site.inventory.engine.dispose()


def test_nothing_new_is_exit_0(site: Site) -> None:
    code, news = site.run("recheck")
    assert (code, hits(news)) == (0, set())


def test_what_is_hit_whose_it_is_and_what_fixes_it(site: Site) -> None:
    site.know(advisory("CVE-2026-0002", "openssl", "3.0-1", **HIGH), advisory("GHSA-1", "npm-a", "1.2.0", **MEDIUM))
    code, news = site.run("recheck")
    assert code == 1
    apps = {f"{REGISTRY}/app-{number}:1.0" for number in range(3)}
    assert hits(news) == {
        (f"{REGISTRY}/base:1.0", "CVE-2026-0002"),
        *((name, each) for name in apps for each in ("CVE-2026-0002", "GHSA-1")),
    }
    assert actions(news) == {"CVE-2026-0002": "stop", "GHSA-1": "warn"}
    told = {(each.package, each.base): (each.to, each.images) for each in news.upgrades}
    assert told == {
        ("openssl", f"{REGISTRY}/base:1.0"): ("3.0-1", 3),
        ("openssl", ""): ("3.0-1", 1),
        ("npm-a", ""): ("1.2.0", 3),
    }
    assert {each.team: (each.images, each.stopped) for each in news.teams} == {
        "team-0": (2, 2),
        "team-1": (1, 1),
        "platform": (1, 1),
    }


def test_the_same_is_not_told_again(site: Site) -> None:
    site.know(advisory("CVE-2026-0002", "openssl", **HIGH))
    assert site.run("recheck")[0] == 1
    code, news = site.run("recheck")
    assert (code, hits(news)) == (0, set())
    code, news = site.run("recheck", "--since", "2020-01-01")
    assert (code, len(hits(news))) == (1, 4)


def anew(site: Site, *records: dict[str, Any]) -> None:
    """Make the advisory database anew, as an agent does that comes and goes."""
    site.database.unlink()
    site.know(*records)


def test_what_there_are_no_advisories_of_for_a_time_is_neither_resolved_nor_new_afterwards(site: Site) -> None:
    known = [
        advisory("CVE-2026-0002", "openssl", **HIGH),
        advisory("CVE-2026-0001", "zlib"),
        advisory("GHSA-1", "npm-a"),
    ]
    site.know(*known)
    assert site.run("recheck")[0] == 1
    anew(site, advisory("GHSA-1", "npm-a"))
    before = site.findings()
    code, news = site.run("recheck", "--full")
    assert (code, hits(news)) == (2, set())
    assert site.findings() == before
    assert {each.team: (each.images, each.undecided) for each in news.standing.teams} == {
        "platform": (1, 1),
        "team-0": (2, 2),
        "team-1": (1, 1),
    }
    anew(site, *known, advisory("CVE-2026-0005", "openssl", **HIGH))
    code, news = site.run("recheck")
    assert (code, {name for _, name in hits(news)}) == (1, {"CVE-2026-0005"})


def test_what_is_resolved_meanwhile_is_told_when_there_are_advisories_again(site: Site) -> None:
    site.know(advisory("CVE-2026-0002", "openssl", **HIGH), advisory("GHSA-1", "npm-a"))
    site.run("recheck")
    site.run("db", "forget", "osv/Debian")
    assert site.run("recheck")[1].changes == ()
    site.know(advisory("CVE-2026-0001", "zlib", day=3))
    news = site.run("recheck")[1]
    assert [(each.kind, each.vulnerability) for each in news.changes] == [(Kind.RESOLVED, "CVE-2026-0002")]


def test_news_that_nobody_was_told_is_told_once_of_an_image_that_came_late(site: Site) -> None:
    old = site.directory / "old.sqlite"
    shutil.copy(site.database, old)
    site.know(advisory("CVE-2026-0002", "openssl", **HIGH))
    site.run("recheck", "--shard", "1/1")
    late_image(site, by=old)
    news = site.run("recheck", "report")[1]
    mine = [image for image in news.images if image.repository.endswith("/late")]
    assert [len(image.hits) for image in mine] == [1]


def test_what_was_published_after_the_gate_of_one_is_news_though_another_was_never_judged(site: Site) -> None:
    site.promote("imported", deb("curl"), digest="sha256:imported", judged=False, policy=TEXT)
    site.promote("gated", deb("curl"), digest="sha256:gated", policy=TEXT)
    site.know(advisory("CVE-2026-0002", "curl", **HIGH))
    told = {name.rpartition("/")[2] for name, _ in hits(site.run("recheck")[1])}
    assert told == {"imported:1.0", "gated:1.0"}


def test_a_copy_of_the_advisories_that_went_its_own_way_is_matched_whole(site: Site) -> None:
    copy = site.directory / "copy.sqlite"
    shutil.copy(site.database, copy)
    site.know(advisory("CVE-2026-0007", "bash"))
    assert site.run("recheck")[0] == 0
    site.database.unlink()
    shutil.move(copy, site.database)
    site.know(advisory("CVE-2026-0002", "openssl", **HIGH))
    code, news = site.run("recheck")
    assert (code, {name for _, name in hits(news)}) == (1, {"CVE-2026-0002"})


def test_older_advisories_than_the_last_runs_are_undecided_and_everything_is_done_by_full(site: Site) -> None:
    copy = site.directory / "copy.sqlite"
    shutil.copy(site.database, copy)
    site.know(advisory("CVE-2026-0002", "openssl", **HIGH))
    site.run("recheck")
    shutil.copy(copy, site.database)
    code, news = site.run("recheck")
    assert (code, news.changes) == (2, ())
    assert "newer advisories" in news.problems[0]
    news = site.run("recheck", "--full")[1]
    assert {each.kind for each in news.changes} == {Kind.RESOLVED}


def test_what_a_gate_with_newer_advisories_knew_is_neither_resolved_nor_new(site: Site) -> None:
    older = site.directory / "older.sqlite"
    shutil.copy(site.database, older)
    site.know(advisory("CVE-2026-0002", "curl", **HIGH))
    site.promote("gated", deb("curl"), digest="sha256:gated", policy=TEXT)
    newer = site.directory / "newer.sqlite"
    shutil.move(site.database, newer)
    shutil.copy(older, site.database)
    assert site.run("recheck")[1].changes == ()
    shutil.move(newer, site.database)
    assert site.run("recheck")[1].changes == ()


def test_of_a_package_that_a_gate_with_newer_advisories_knew_more_what_it_did_not_know_is_told(site: Site) -> None:
    """Two copies count on from the same number: the greater number need not know more."""
    mine = site.directory / "mine.sqlite"
    shutil.copy(site.database, mine)
    site.know(*(advisory(f"CVE-2026-1{number:03}", "curl") for number in range(20)))
    site.promote("gated", deb("curl"), digest="sha256:gated", policy=TEXT)
    site.database.unlink()
    shutil.move(mine, site.database)
    site.know(advisory("CVE-2026-0002", "curl", **HIGH))
    news = site.run("recheck")[1]
    assert [(each.kind, each.vulnerability) for each in news.changes] == [(Kind.NEW, "CVE-2026-0002")]
    assert site.run("recheck")[1].changes == ()


def test_the_first_catalog_of_exploited_ones_is_news(site: Site) -> None:
    site.know(advisory("CVE-2026-0002", "openssl", **HIGH))
    site.run("recheck")
    catalog = site.directory / "kev.json"
    catalog.write_bytes(kev("CVE-2026-0002"))
    import_files([catalog], site.database, now=datetime.now(UTC), progress=NoProgress())
    news = site.run("recheck")[1]
    assert [(each.kind, each.vulnerability) for each in news.changes] == [(Kind.EXPLOITED, "CVE-2026-0002")]


def test_only_images_that_count_are_hit(site: Site) -> None:
    with site.inventory.transaction() as connection:
        retire(connection, [1, 2, 3], 1.0)
    site.know(advisory("CVE-2026-0002", "openssl", **HIGH))
    assert {name for name, _ in hits(site.run("recheck")[1])} == {f"{REGISTRY}/app-2:1.0"}


@pytest.fixture
def old(site: Site) -> Path:
    """Advisories of an agent that has not updated them since; the re-check has told what came after."""
    file = site.directory / "old.sqlite"
    shutil.copy(site.database, file)
    site.know(advisory("CVE-2026-0002", "openssl", "3.0-1", **HIGH), advisory("CVE-3", "zlib"))
    assert site.run("recheck")[0] == 1
    return file


def late_image(site: Site, **fields: Any) -> None:
    site.promote("late", deb("zlib"), deb("openssl"), digest="sha256:late", policy=TEXT, team="payments", **fields)


def test_an_image_whose_gate_had_older_advisories_is_told_alone_of_what_the_others_were_told(
    site: Site, old: Path
) -> None:
    late_image(site, by=old)
    code, news = site.run("recheck")
    assert (code, hits(news)) == (1, {(f"{REGISTRY}/late:1.0", "CVE-2026-0002"), (f"{REGISTRY}/late:1.0", "CVE-3")})
    assert actions(news)["CVE-2026-0002"] == "stop"
    assert [(each.team, each.stopped) for each in news.teams] == [("payments", 1)]
    assert site.run("recheck")[0] == 0


def test_of_what_its_gate_knew_it_is_not_told(site: Site, old: Path) -> None:
    late_image(site)
    assert hits(site.run("recheck")[1]) == set()


def test_a_gate_with_a_copy_of_a_greater_number_need_not_know_more(site: Site, old: Path) -> None:
    mine = site.directory / "mine.sqlite"
    shutil.move(site.database, mine)
    shutil.move(old, site.database)
    site.know(*(advisory(f"CVE-2026-1{number:03}", "bash") for number in range(20)))
    late_image(site, by=site.database)
    shutil.move(mine, site.database)
    assert {name for _, name in hits(site.run("recheck")[1])} == {"CVE-2026-0002", "CVE-3"}


def test_what_it_was_told_is_not_told_again_when_it_is_recorded_again(site: Site, old: Path) -> None:
    late_image(site, by=old)
    assert site.run("recheck")[0] == 1
    late_image(site, by=old)
    assert site.run("recheck")[0] == 0


def test_its_own_news_and_that_of_all_are_one_image(site: Site, old: Path) -> None:
    late_image(site, by=old)
    site.know(advisory("CVE-2026-0004", "openssl", **HIGH))
    news = site.run("recheck")[1]
    mine = [image for image in news.images if image.repository.endswith("/late")]
    told = [news.changes[hit.change].vulnerability for image in mine for hit in image.hits]
    assert sorted(told) == ["CVE-2026-0002", "CVE-2026-0004", "CVE-3"]
    assert {len(image.hits) for image in news.images if image not in mine} == {1}


@pytest.mark.parametrize(
    ("words", "extra", "code"),
    [
        (["high", "stop"], HIGH, 1),
        (["high", "stop"], MEDIUM, 0),
        (["medium"], MEDIUM, 1),
        (["warn"], MEDIUM, 1),
        (["critical"], HIGH, 0),
        (["low"], LOW, 1),
    ],
)
def test_the_threshold_is_a_severity_or_an_action(
    site: Site, words: list[str], extra: dict[str, Any], code: int
) -> None:
    site.settings["recheck"] = {"threshold": words}
    site.know(advisory("CVE-2026-0002", "openssl", **extra))
    assert site.run("recheck")[0] == code


def test_what_is_resolved_is_told_and_nothing_to_worry_about(site: Site) -> None:
    site.know(advisory("CVE-2026-0002", "openssl", **HIGH))
    site.run("recheck")
    site.know(advisory("CVE-2026-0002", "openssl", "1.0-1", day=2, **HIGH))
    code, news = site.run("recheck")
    assert (code, [each.kind for each in news.changes], news.upgrades) == (0, [Kind.RESOLVED], ())


def waive(site: Site, image: str) -> None:
    today = datetime.now(UTC).date()
    waiver = {
        "id": "w",
        "owner": "ann",
        "reason": "not reachable",
        "created": str(today),
        "expires": str(today + timedelta(days=30)),
        "cve": "CVE-2026-0002",
        **({"image": image} if image else {}),
    }
    file = site.directory / "waivers.yaml"
    file.write_text(json.dumps([waiver]))
    site.settings["policy"] = {"waivers": [str(file)]}


def test_a_waiver_in_force_counts_and_one_for_an_image_counts_for_that(site: Site) -> None:
    waive(site, f"{REGISTRY}/app-0:*")
    site.know(advisory("CVE-2026-0002", "openssl", **HIGH))
    _, news = site.run("recheck")
    waived = {image.name: image.hits[0].waived for image in news.images}
    assert [name for name, who in waived.items() if who] == [f"{REGISTRY}/app-0:1.0"]
    assert waived[f"{REGISTRY}/app-0:1.0"].startswith("ann: not reachable")
    assert news.above == 3
    waive(site, "")
    site.know(advisory("CVE-2026-0002", "openssl", "4.0-1", day=2, **HIGH), advisory("CVE-2026-0003", "zlib", **LOW))
    assert site.run("recheck")[0] == 0


def test_rules_on_what_the_base_brought_tell_it_apart(site: Site) -> None:
    policy = json.loads(TEXT)
    policy["policies"][0]["rules"][0]["params"].append({"name": "inherited_from_base", "value": "false"})
    site.promote(
        "app-9",
        deb("zlib"),
        deb("openssl"),
        digest="sha256:9",
        base_digest="sha256:b",
        base_proved=True,
        policy=json.dumps(policy),
    )
    site.promote("app-8", deb("zlib"), deb("openssl"), digest="sha256:8", policy=json.dumps(policy))
    claimed = {"base_digest": "sha256:b", "policy": json.dumps(policy)}
    site.promote("app-7", deb("zlib"), deb("openssl"), digest="sha256:7", **claimed)
    site.know(advisory("CVE-2026-0002", "openssl", **HIGH))
    _, news = site.run("recheck")
    found = {image.name.rpartition("/")[2]: image.hits[0].action for image in news.images}
    assert (found["app-9:1.0"], found["app-8:1.0"]) == (Action.GO, Action.STOP)
    assert found["app-7:1.0"] is Action.STOP, "a base that only a label names lets nothing through"


def test_an_image_without_a_usable_policy_is_undecided_and_told(site: Site) -> None:
    site.promote("bare", deb("openssl"), digest="sha256:7")
    site.know(advisory("CVE-2026-0002", "openssl", **LOW))
    code, news = site.run("recheck")
    assert (code, news.above) == (2, 1)
    assert "recorded policy" in news.problems[0]
    file = site.directory / "p.json"
    file.write_text(TEXT)
    site.settings["policy"] = {"bundle": str(file)}
    code, news = site.run("recheck", "--since", "2020-01-01")
    assert (code, news.problems) == (0, ())


def test_no_advisories_is_undecided(site: Site) -> None:
    site.database.unlink()
    assert site.run("recheck")[0] == 2


def test_old_advisories_are_undecided_and_what_they_say_is_told(site: Site) -> None:
    site.settings["advisories"]["max_age_days"] = 1
    old = site.directory / "old.json"
    old.write_text(json.dumps([advisory("CVE-2026-0002", "openssl", **HIGH)]))
    site.database.unlink()
    import_files([old], site.database, now=datetime.now(UTC) - timedelta(days=5), progress=NoProgress())
    code, news = site.run("recheck")
    assert code == 2
    assert any("Debian:12 are older than 1 days" in each for each in news.problems)
    assert any("npm, and the advisory database has nothing" in each for each in news.problems)
    assert len([name for name, found in hits(news) if found == "CVE-2026-0002"]) == 4


def test_full_gives_the_same(site: Site) -> None:
    site.run("recheck")
    twin = site.directory / "twin.sqlite"
    site.inventory.engine.dispose()
    twin.write_bytes((site.directory / "inventory.sqlite").read_bytes())
    site.know(
        advisory("CVE-2026-0002", "openssl", "3.0-1", **HIGH),
        advisory("CVE-2026-0001", "zlib", "1.0-1", day=3),
        advisory("GHSA-1", "npm-a", "1.2.0", **MEDIUM),
    )
    _, changed = site.run("recheck")
    _, full = site.run("recheck", "--full", IMAGEGATE_INVENTORY_URL=f"sqlite:///{twin}")
    assert hits(changed) == hits(full)
    assert len(hits(full)) == 4 + 4 + 3
    assert actions(changed) == actions(full)
    assert changed.upgrades == full.upgrades


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 1, 2)])
def test_shards_one_at_a_time_are_told_together(site: Site, order: tuple[int, ...]) -> None:
    site.know(advisory("CVE-2026-0002", "openssl", **HIGH), advisory("GHSA-1", "npm-a", "1.2.0", **MEDIUM))
    for index in order:
        assert site.run("recheck", "--shard", f"{index}/3")[0] == 0
    code, news = site.run("recheck", "report")
    assert (code, len(hits(news))) == (1, 7)
    code, news = site.run("recheck", "report")
    assert (code, hits(news)) == (0, set())


@pytest.mark.parametrize(
    "words",
    [
        ["--shard", "0/3"],
        ["--shard", "4/3"],
        ["--shard", "x"],
        ["--shard", "1/2", "--output", "json=x"],
        ["--output", "sarif=x"],
        ["--full", "report"],
    ],
)
def test_what_makes_no_sense_is_refused(site: Site, words: list[str]) -> None:
    assert site.run("recheck", *words)[0] == 2


def test_every_format_tells_it(site: Site) -> None:
    site.know(advisory("CVE-2026-0002", "openssl", **HIGH))
    outputs = [f"--output={name}={site.directory / f'report.{name}'}" for name in FORMATS]
    assert site.run("recheck", *outputs)[0] == 1
    for name in FORMATS:
        assert "CVE-2026-0002" in (site.directory / f"report.{name}").read_text()
    junit = fromstring((site.directory / "report.junit").read_text())  # noqa: S314 - our own
    assert (junit.get("tests"), junit.get("failures")) == ("2", "1")
    document = json.loads((site.directory / "report.json").read_text())
    assert document["schema"] == "imagegate/recheck/1"


def test_names_that_mean_harm_are_shown_as_what_they_are() -> None:
    change = Change(0.0, Kind.NEW, "CVE-1", Severity.HIGH, "<script>|`x`\x1b[31m", "1", "npm")
    image = HitImage("r/a<b>", "sha256:1", (), "t|\x07", "", (Hit(0, False, Action.STOP),))
    news = News(1, (change,), (image,))
    reaches = threshold(("high",))
    for name in FORMATS:
        text = render(name, news, reaches)
        assert "\x1b" not in text
        assert "\x07" not in text
    assert "<script>" not in render("html", news, reaches)
    assert "\\|" in render("markdown", news, reaches)


def test_a_full_run_tells_how_all_images_stand(site: Site) -> None:
    site.promote("bad", deb("curl"), digest="sha256:bad", policy="not a policy", team="team-0")
    site.promote("fine", npm("npm-b"), digest="sha256:fine", policy=TEXT, team="team-1")
    site.know(advisory("CVE-2026-0002", "openssl", "3.0-1", **HIGH), advisory("CVE-2026-0003", "curl", **MEDIUM))
    site.promote("warned", deb("bash"), digest="sha256:w", policy=TEXT, team="team-1")
    site.know(advisory("CVE-2026-0004", "bash", **MEDIUM))
    site.run("recheck")
    code, news = site.run("recheck", "--full")
    assert code == 2, "one policy cannot be evaluated"
    assert not news.changes
    counts = {each.team: (each.images, each.stopped, each.warned, each.undecided) for each in news.standing.teams}
    assert counts == {"platform": (1, 1, 0, 0), "team-0": (3, 2, 0, 1), "team-1": (3, 1, 1, 0)}
    assert [each.vulnerability for each in news.standing.findings] == ["CVE-2026-0002"]
    stopped = {image.name: [hit.inherited for hit in image.hits] for image in news.standing.stopped}
    apps = {f"{REGISTRY}/app-{number}:1.0": [True] for number in range(3)}
    assert stopped == {f"{REGISTRY}/base:1.0": [False], **apps}
    text = render("text", news, threshold(["high", "stop"]))
    assert "all teams  7" in text
    assert "CVE-2026-0002  High" in text
    assert site.run("recheck", "report")[1].standing is None


def test_every_image_is_evaluated_as_a_gate_would_do_it_today(site: Site) -> None:
    """By waivers too: an image whose only finding is waived is not among those that would be stopped."""
    site.know(advisory("CVE-2026-0002", "openssl", "3.0-1", **HIGH))
    waive(site, f"{REGISTRY}/app-*:*")
    news = site.run("recheck", "--full")[1]
    assert [image.name for image in news.standing.stopped] == [f"{REGISTRY}/base:1.0"]


def cargo(name: str, version: str) -> Package:
    return Package(name, version, PackageType.OTHER, f"pkg:cargo/{name}@{version}")


def of_cargo(name: str, fixed: str) -> dict[str, Any]:
    record = advisory(name, "tokio", fixed)
    record["affected"][0]["package"]["ecosystem"] = "crates.io"
    return record


def test_an_upgrade_is_to_the_highest_fix_by_the_ecosystems_own_order(site: Site) -> None:
    site.know(of_cargo("CVE-2026-1000", "0.9.0"))
    site.promote("rust", cargo("tokio", "1.0.0"), digest="sha256:rust", policy=TEXT)
    site.know(of_cargo("CVE-2026-1001", "1.10.0"), of_cargo("CVE-2026-1002", "1.9.0"), of_cargo("CVE-2026-1003", ""))
    news = site.run("recheck")[1]
    told = [(each.package, each.to, each.vulnerabilities, each.images) for each in news.upgrades]
    assert told == [
        ("tokio", "1.10.0", ("CVE-2026-1001", "CVE-2026-1002"), 1),
        ("tokio", "", ("CVE-2026-1003",), 1),
    ]
    assert "no fix yet  image  none of 1 image" in render("text", news, threshold(["high"]))


def test_news_is_forgotten_after_a_time_and_what_is_known_is_not(site: Site) -> None:
    channel = {"kind": "email", "server": "127.0.0.1:1", "sender": "gate@example.com", "to": ["all@example.com"]}
    site.settings["notify"] = {"channels": {"mail": channel}}
    site.know(advisory("CVE-2026-0002", "openssl", **HIGH))
    site.run("recheck")
    assert site.count("delta")
    assert site.run("inventory", "prune", "--news-days", "1")[0] == 0
    assert site.count("delta")
    with site.inventory.transaction() as connection:
        for table in (tables.delta, tables.batch, tables.notice):
            connection.execute(table.update().values(at=table.c.at - 2 * 86400))
    known = site.findings()
    site.know(advisory("CVE-2026-0003", "zlib", **HIGH))
    site.run("recheck", "--shard", "1/1")
    with site.inventory.transaction() as connection:
        connection.execute(tables.delta.update().values(at=1.0))
    known = site.findings()
    assert site.run("inventory", "prune", "--news-days", "1", "--dry-run")[0] == 0
    assert site.count("delta")
    site.run("inventory", "prune", "--news-days", "1")
    assert site.count("delta") == 1, "what nobody was told stays"
    assert site.findings() == known
    assert (site.count("notice"), site.count("batch")) == (3, 1), "what is not sent yet stays"


def test_another_version_of_the_program_matches_everything_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.recheck()
    assert site.recheck().components == 0
    monkeypatch.setattr("imagegate.inventory.states.__version__", "0.0.other")
    again = site.recheck()
    assert (again.components, again.deltas) == (3, ())
