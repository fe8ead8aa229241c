"""Updating the database from a server, a mirror's directory, and from sources that fail."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imagegate.errors import AdvisoryError
from imagegate.http.client import HttpClient
from imagegate.progress import NoProgress
from imagegate.settings import Advisories, Host, Http
from imagegate.vulnerability.database import AdvisoryDatabase
from imagegate.vulnerability.delivery import SourceState
from imagegate.vulnerability.importer import forget
from imagegate.vulnerability.update.catalogue import DEFAULT, PUBLICATIONS, choose
from imagegate.vulnerability.update.place import origins
from imagegate.vulnerability.update.update import UpdateReport, update
from tests.fakes.mirror import EPOCH, Mirror, archive, cut, epss, kev, record, serve, status, tracker

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
OLD = EPOCH - 10 * 86400


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with serve() as mirror:
        yield mirror


class Site:
    """A database that is updated from one mirror. hours: how often it was."""

    def __init__(self, mirror: Mirror, directory: Path) -> None:
        self.mirror, self.directory = mirror, directory
        self.database = directory / "advisories.sqlite"
        self.hours = 0
        self.base = mirror.url

    @property
    def now(self) -> datetime:
        return NOW + timedelta(hours=self.hours)

    def update(self, *words: str) -> UpdateReport:
        self.hours += 1
        self.mirror.requests.clear()
        places = {
            name: self.base + (publication.file if self.base[0] == "h" else "")
            for name, publication in PUBLICATIONS.items()
        }
        settings, hosts = Advisories(urls=places, timeout=20), {self.mirror.host: Host(plain_http=True)}
        http = HttpClient(Http(connect_timeout=2, read_timeout=2, budget=2, retries=1), hosts)
        make = origins(settings, hosts, http, NoProgress())
        return update(choose(words), make, self.database, self.directory / "cache", now=self.now, progress=NoProgress())

    def outcomes(self, *words: str) -> dict[str, str]:
        report = self.update(*words)
        assert not report.failed, report.failed
        return {each.name: each.outcome for each in report.sources}

    def state(self, name: str) -> SourceState:
        with AdvisoryDatabase(self.database) as opened:
            return next(each for each in opened.sources() if each.name == name)

    def names(self, ecosystem: str, package: str) -> set[str]:
        with AdvisoryDatabase(self.database) as opened:
            return {opened.advisory(number).id for number, _ in opened.affected(ecosystem, package)}


@pytest.fixture
def site(mirror: Mirror, tmp_path: Path) -> Site:
    return Site(mirror, tmp_path)


def records(count: int) -> list[dict[str, Any]]:
    return [record(number) for number in range(count)]


def test_an_export_comes_as_an_archive_and_then_not_at_all(site: Site) -> None:
    site.mirror.put_osv("PyPI", records(50))
    site.mirror.times["PyPI/all.zip"] = EPOCH
    assert site.outcomes("pypi") == {"osv/PyPI": "updated"}
    assert site.state("osv/PyPI").records == 50
    before = site.database.stat()
    assert site.outcomes("pypi") == {"osv/PyPI": "unchanged"}
    assert [(seen.path, seen.status) for seen in site.mirror.requests] == [("PyPI/modified_id.csv", 304)]
    assert site.database.stat().st_ino == before.st_ino
    known = site.state("osv/PyPI")
    assert known.checked_at == site.now.timestamp()
    assert known.fetched_at == (site.now - timedelta(hours=1)).timestamp()
    with AdvisoryDatabase(site.database) as opened:
        assert opened.feeds()[0].synced_at == site.now


def test_only_what_changed_is_fetched_and_what_went_away_goes(site: Site) -> None:
    first = records(50)
    site.mirror.put_osv("PyPI", first)
    site.update("pypi")
    changed = record(3, modified="2026-03-01T00:00:00Z", fixed="3.0")
    site.mirror.put_osv("PyPI", [*first[:3], changed, *first[4:49], record(99)])
    report = site.update("pypi")
    assert report.imported
    assert (report.imported.imported, report.imported.removed) == (2, 1)
    asked = {seen.path for seen in site.mirror.requests}
    assert asked >= {"PyPI/modified_id.csv", "PyPI/TEST-2026-3.json", "PyPI/TEST-2026-99.json"}
    assert len(asked) == 3
    assert site.names("PyPI", "demo-49") == set()
    assert site.names("PyPI", "demo-99") == {"TEST-2026-99"}
    assert site.state("osv/PyPI").records == 50


def test_a_source_that_is_forgotten_leaves_nothing_and_makes_nothing_old(site: Site) -> None:
    site.mirror.put_osv("PyPI", records(5))
    site.mirror.put_osv("npm", [record(number, ecosystem="npm") for number in range(100, 104)])
    site.mirror.files["known_exploited_vulnerabilities.json"] = kev("CVE-2026-0001")
    site.update("pypi", "npm", "kev")
    with AdvisoryDatabase(site.database) as opened:
        before = opened.number
    site.hours += 24 * 30
    site.update("pypi")
    assert forget({"osv/npm": ("npm",), "kev": ("KEV",)}, site.database, now=site.now) == 4
    with AdvisoryDatabase(site.database) as opened:
        assert {each.name for each in opened.sources()} == {"osv/PyPI"}
        assert {each.ecosystem: each.synced_at for each in opened.feeds()} == {"PyPI": site.now}
        assert opened.exploitation("CVE-2026-0001")[0] is False
        gone = {(each.ecosystem, each.id) for each in opened.changes(before)}
    assert {*(("npm", f"TEST-2026-{number}") for number in range(100, 104)), ("KEV", "CVE-2026-0001")} == gone
    with pytest.raises(AdvisoryError, match="nothing of osv/npm"):
        forget({"osv/npm": ("npm",)}, site.database, now=site.now)


def test_when_records_only_go_away_they_go(site: Site) -> None:
    site.mirror.put_osv("PyPI", records(30))
    site.update("pypi")
    site.mirror.put_osv("PyPI", records(30)[1:])
    assert site.outcomes("pypi") == {"osv/PyPI": "updated"}
    assert site.names("PyPI", "demo-0") == set()


def test_when_much_changed_the_archive_comes_again(site: Site) -> None:
    site.mirror.put_osv("PyPI", records(30))
    site.update("pypi")
    site.mirror.put_osv("PyPI", records(90))
    site.update("pypi")
    assert site.mirror.asked("PyPI/all.zip")
    assert site.state("osv/PyPI").records == 90


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00Z", "2031-01-01T00:00:00Z"])
def test_a_record_whose_date_tells_nothing_is_looked_at_with_each_change(site: Site, date: str) -> None:
    odd = record(1, modified=date)
    site.mirror.put_osv("PyPI", [odd, *records(30)[2:]])
    site.update("pypi")
    changed = {**odd, "summary": "now with words"}
    site.mirror.put_osv("PyPI", [changed, *records(31)[2:]])
    report = site.update("pypi")
    assert site.mirror.asked("PyPI/TEST-2026-1.json")
    assert report.imported
    assert report.imported.imported == 2


def test_records_of_one_second_are_told_apart_by_their_ids(site: Site) -> None:
    same = [record(number, modified="2026-02-02T02:02:02Z") for number in range(30)]
    site.mirror.put_osv("PyPI", same[:25])
    site.update("pypi")
    site.mirror.put_osv("PyPI", same)
    report = site.update("pypi")
    assert report.imported
    assert report.imported.imported == 5


def test_what_the_archive_lacks_is_fetched_by_itself(site: Site) -> None:
    late = record(7, modified="2026-09-21T00:00:00Z", fixed="9")
    everything = [*records(7), late, *records(20)[8:]]
    site.mirror.put_osv("PyPI", everything, archived=records(19))
    site.mirror.times["PyPI/all.zip"] = datetime(2026, 9, 20, tzinfo=UTC).timestamp()
    site.update("pypi")
    asked = {seen.path for seen in site.mirror.requests}
    assert asked >= {"PyPI/TEST-2026-7.json", "PyPI/TEST-2026-19.json"}
    assert site.state("osv/PyPI").records == 20
    with AdvisoryDatabase(site.database) as opened:
        ((_, affected),) = opened.affected("PyPI", "demo-7")
    assert ("fixed", "9") in affected.ranges[0]


def test_without_the_last_list_the_archive_is_fetched(site: Site) -> None:
    site.mirror.put_osv("PyPI", records(30))
    site.update("pypi")
    for path in (site.directory / "cache").rglob("*.csv"):
        path.unlink()
    site.mirror.put_osv("PyPI", records(31))
    site.update("pypi")
    assert site.mirror.asked("PyPI/all.zip")


def test_a_mirror_may_have_the_archive_only(site: Site) -> None:
    site.mirror.files["PyPI/all.zip"] = archive(records(20))
    assert site.outcomes("pypi") == {"osv/PyPI": "updated"}
    assert site.outcomes("pypi") == {"osv/PyPI": "unchanged"}
    site.mirror.files["PyPI/all.zip"] = archive(records(19))
    site.update("pypi")
    assert site.names("PyPI", "demo-19") == set()


def test_a_mirror_that_fell_behind_removes_nothing(site: Site) -> None:
    newest = record(90, modified="2026-11-20T00:00:00Z")
    site.mirror.put_osv("PyPI", [*records(30), newest])
    site.update("pypi")
    site.mirror.put_osv("PyPI", records(30))
    site.update("pypi")
    assert site.names("PyPI", "demo-90") == {"TEST-2026-90"}


def test_a_source_that_lost_half_of_its_records_is_not_believed(site: Site) -> None:
    site.mirror.put_osv("PyPI", records(30))
    site.update("pypi")
    site.mirror.put_osv("PyPI", records(10))
    (failed,) = site.update("pypi").failed
    assert "had 30" in failed.why
    assert site.names("PyPI", "demo-29")


def test_a_bad_record_is_counted_and_removes_nothing(site: Site) -> None:
    site.mirror.put_osv("PyPI", records(30))
    site.update("pypi")
    site.mirror.put_osv("PyPI", records(31)[1:])
    site.mirror.files["PyPI/TEST-2026-30.json"] = b"<html>"
    report = site.update("pypi")
    assert report.imported
    assert report.imported.skipped == 1
    assert site.names("PyPI", "demo-0") == {"TEST-2026-0"}


def bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("TEST-1.json", b"{}")
    data = file.getvalue()
    # The directory declares that the member has 4 GB.
    return data[: data.rindex(b"PK\x01\x02") + 24] + b"\xfe\xff\xff\xff" + data[data.rindex(b"PK\x01\x02") + 28 :]


PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("PyPI/all.zip", bomb(), "inflates"),
        ("PyPI/all.zip", archive(records(30))[:-50], "no whole zip"),
        ("PyPI/all.zip", PAGE, "no whole zip"),
        ("PyPI/all.zip", archive([]), "no record"),
        ("PyPI/modified_id.csv", PAGE, "no list of records"),
        ("PyPI/modified_id.csv", b"", "no list of records"),
        ("json", PAGE, "no whole document of debian-tracker"),
        ("json", tracker(curl={"CVE-2026-1": "7.1"})[:-9], "no whole document of debian-tracker"),
        ("json", b'{"error": "busy"}', "no whole document of debian-tracker"),
        ("json", kev("CVE-2026-1"), "no whole document of debian-tracker"),
        ("known_exploited_vulnerabilities.json", PAGE, "no whole document of kev"),
        ("epss_scores-current.csv.gz", PAGE, "no whole document of epss"),
        ("epss_scores-current.csv.gz", epss(CVE_2026_1=0.5)[:-9], "no whole document of epss"),
        ("epss_scores-current.csv.gz", gzip.compress(bytes(600 * 1024**2), 1), "more than"),
    ],
)
def test_what_is_no_document_fails_its_source_alone(site: Site, path: str, content: bytes, words: str) -> None:
    site.mirror.put_osv("PyPI", records(30))
    site.mirror.put_osv("npm", [record(1, ecosystem="npm")])
    site.mirror.files |= {
        "json": tracker(curl={"CVE-2026-1": "7.1"}),
        "known_exploited_vulnerabilities.json": kev("CVE-2026-1"),
        "epss_scores-current.csv.gz": epss(CVE_2026_1=0.5),
    }
    good = dict(site.mirror.files)
    site.mirror.files[path] = content
    report = site.update("pypi", "npm", "debian-tracker", "kev", "epss")
    (failed,) = report.failed
    assert words in failed.why
    assert len([each for each in report.sources if each.outcome == "updated"]) == 4
    site.mirror.files = good
    later = site.outcomes("pypi", "npm", "debian-tracker", "kev", "epss")
    assert [name for name, outcome in later.items() if outcome == "updated"] == [failed.name]


def test_a_source_that_is_down_keeps_no_other_from_being_updated(site: Site) -> None:
    site.mirror.put_osv("PyPI", records(30))
    site.mirror.put_osv("npm", [record(1, ecosystem="npm")])
    site.update("pypi", "npm")
    site.mirror.put_osv("PyPI", records(31))
    site.mirror.fail("npm/modified_id.csv", *[status(503)] * 9)
    report = site.update("pypi", "npm")
    assert [each.outcome for each in report.sources] == ["updated", "failed"]
    assert site.state("osv/npm").checked_at == (site.now - timedelta(hours=1)).timestamp()
    assert site.names("PyPI", "demo-30")


def test_an_archive_whose_members_are_garbage_fails_its_source_alone(site: Site) -> None:
    site.mirror.put_osv("PyPI", records(30), archived=[])
    site.mirror.files["PyPI/all.zip"] = archive([{"id": f"TEST-2026-{n}"} for n in range(30)])
    site.mirror.put_osv("npm", [record(1, ecosystem="npm")])
    report = site.update("pypi", "npm")
    assert [each.outcome for each in report.sources] == ["failed", "updated"]
    assert site.names("npm", "demo-1")


def test_when_all_fail_there_is_no_database(site: Site) -> None:
    assert len(site.update("pypi", "kev").failed) == 2
    assert not site.database.exists()


def test_what_is_known_of_other_sources_stays_known(site: Site) -> None:
    site.mirror.put_osv("PyPI", records(30))
    site.mirror.put_osv("npm", [record(1, ecosystem="npm")])
    site.update("pypi", "npm")
    site.update("npm")
    checked = site.now.timestamp()
    site.mirror.put_osv("PyPI", records(31))
    site.update("pypi")
    assert site.state("osv/npm").checked_at == checked
    assert site.state("osv/PyPI").checked_at == site.now.timestamp()


def test_alpine_is_all_its_branches(site: Site) -> None:
    site.mirror.put_secdb(v3_20={"curl": {"8.1-r0": ["CVE-2026-1"]}}, edge={"curl": {"8.2-r0": ["CVE-2026-2"]}})
    assert site.outcomes("alpine-secdb") == {"alpine-secdb": "updated"}
    assert site.names("Alpine:v3.20", "curl") == {"CVE-2026-1"}
    assert site.outcomes("alpine-secdb") == {"alpine-secdb": "unchanged"}
    branches = {
        "v3_20": {"curl": {"8.1-r0": ["CVE-2026-1"]}},
        "edge": {"curl": {"8.2-r0": ["CVE-2026-2"], "8.3-r0": ["CVE-2026-3"]}},
    }
    site.mirror.put_secdb(**branches)
    assert site.outcomes("alpine-secdb") == {"alpine-secdb": "updated"}
    assert site.state("alpine-secdb").records == 3
    assert [seen.status for seen in site.mirror.asked("v3.20/main.json")] == [304, 304]


def test_a_page_that_lists_nothing_is_no_index(site: Site) -> None:
    site.mirror.files[""] = PAGE
    (failed,) = site.update("alpine-secdb").failed
    assert "lists no branch" in failed.why


def test_natively_read_sources_remove_no_records_of_the_exports(site: Site) -> None:
    debian = {
        **record(1),
        "affected": [{**record(1)["affected"][0], "package": {"ecosystem": "Debian:12", "name": "curl"}}],
    }
    site.mirror.put_osv("Debian", [debian])
    site.mirror.files["json"] = tracker(curl={"CVE-2026-1": "7.1"})
    site.update("osv/debian", "debian-tracker")
    site.mirror.files["json"] = tracker(curl={"CVE-2026-2": "7.1"})
    site.update("osv/debian", "debian-tracker")
    assert site.names("Debian:12", "curl") == {"TEST-2026-1", "CVE-2026-2"}


def test_a_directory_is_a_mirror(site: Site, tmp_path: Path) -> None:
    site.mirror.put_osv("PyPI", records(30))
    site.mirror.put_osv("Rocky Linux", [record(1, ecosystem="Rocky Linux:9")])
    site.mirror.put_secdb(v3_20={"curl": {"8.1-r0": ["CVE-2026-1"]}})
    site.mirror.files |= {"json": tracker(curl={"CVE-2026-1": "7"}), "epss_scores-current.csv.gz": epss(CVE_2026_1=0.5)}
    del site.mirror.files[""]
    site.mirror.write_to(tmp_path / "mirror")
    site.base = str(tmp_path / "mirror")
    words = ("pypi", "rocky linux", "alpine-secdb", "debian-tracker", "epss")
    assert set(site.outcomes(*words).values()) == {"updated"}
    assert set(site.outcomes(*words).values()) == {"unchanged"}
    site.mirror.put_osv("PyPI", records(31))
    (tmp_path / "mirror" / "PyPI" / "all.zip").unlink()
    site.mirror.write_to(tmp_path / "mirror")
    report = site.update("pypi")
    assert report.imported
    assert report.imported.imported == 1
    assert (tmp_path / "mirror" / "PyPI" / "all.zip").exists()


def test_downloads_leave_only_what_is_of_use_again(site: Site) -> None:
    site.mirror.put_osv("PyPI", records(30))
    site.mirror.files["json"] = tracker(curl={"CVE-2026-1": "7.1"})
    site.update("pypi", "debian-tracker")
    left = [path.name for path in (site.directory / "cache").rglob("*") if path.is_file()]
    assert sorted(name.rpartition(".")[2] for name in left) == ["csv", "lock"]


def test_a_download_that_broke_off_is_continued_by_the_next_update(site: Site) -> None:
    site.mirror.put_osv("PyPI", [record(number, fixed=f"{number}.{number * 7919 % 1000}") for number in range(3000)])
    size = len(site.mirror.files["PyPI/all.zip"])
    site.mirror.fail("PyPI/all.zip", cut(size // 2), *[status(500)] * 4)
    assert site.update("pypi").failed
    site.mirror.faults.clear()
    assert site.outcomes("pypi") == {"osv/PyPI": "updated"}
    assert [seen.status for seen in site.mirror.asked("PyPI/all.zip")] == [206]


def test_every_source_has_a_place_and_is_found_by_its_name() -> None:
    assert choose(()) == DEFAULT
    assert {source.publication for source in DEFAULT} == set(PUBLICATIONS)
    assert [source.name for source in choose(("PYPI", "osv/pypi", "red hat"))] == ["osv/PyPI", "osv/Red Hat"]
    assert [source.name for source in choose(("debian",))] == ["osv/Debian"]
