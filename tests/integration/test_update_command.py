"""`imagegate db update` as a process: killed at any moment, run twice, against a server and the real records."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagegate.vulnerability.database import AdvisoryDatabase
from tests.fakes.mirror import Mirror, cut, record, serve, slow, status

COMMAND = [sys.executable, "-m", "imagegate.cli.main"]


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with serve() as mirror:
        yield mirror


class Site:
    """Where the command runs."""

    def __init__(self, mirror: Mirror, directory: Path) -> None:
        self.database = directory / "advisories.sqlite"
        self.directory = directory
        settings = {
            "hosts": {mirror.host: {"plain_http": True}},
            "http": {"retries": 1, "budget": 3},
            "cache": {"directory": str(directory / "cache")},
            "advisories": {
                "database": str(self.database),
                "sources": ["osv/PyPI", "osv/Go"],
                "urls": {"osv": mirror.url},
                "max_age_days": 3,
            },
        }
        (directory / "site.yaml").write_text(json.dumps(settings))
        self.environ = {**os.environ, "IMAGEGATE_SITE_CONFIG": str(directory / "site.yaml")}

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, *words],
            env=self.environ,
            cwd=self.directory,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *words: str, code: int = 0) -> str:
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, err
        return out if not code else err

    def records(self) -> dict[str, int]:
        with AdvisoryDatabase(self.database) as opened:
            return {each.name: each.records for each in opened.sources()}


@pytest.fixture
def site(mirror: Mirror, tmp_path: Path) -> Site:
    return Site(mirror, tmp_path)


def made_up(count: int, ecosystem: str = "PyPI") -> list[dict[str, Any]]:
    return [record(number, fixed=f"{number * 7919 % 9973}.0", ecosystem=ecosystem) for number in range(count)]


def test_a_second_update_of_the_real_records_takes_less_than_a_second(mirror: Mirror, site: Site, shared: Path) -> None:
    for ecosystem, file in (("PyPI", "osv-pypi"), ("Go", "osv-go")):
        with gzip.open(shared / "advisories" / f"{file}.jsonl.gz") as lines:
            mirror.put_osv(ecosystem, [json.loads(line) for line in lines])
    site.run("db", "update")
    assert site.records() == {"osv/PyPI": 7080, "osv/Go": 4291}
    started = time.monotonic()
    assert json.loads(site.run("--json", "db", "update"))["import"] is None
    assert time.monotonic() - started < 1
    assert "osv/PyPI" in site.run("db", "status")


def test_from_an_older_state_only_the_difference_is_merged(mirror: Mirror, site: Site, shared: Path) -> None:
    for name in ("osv-pypi-2024-10", "osv-pypi"):
        with gzip.open(shared / "advisories" / f"{name}.jsonl.gz") as lines:
            mirror.put_osv("PyPI", [json.loads(line) for line in lines])
        site.run("db", "update", "pypi")
    assert site.records() == {"osv/PyPI": 7080}


@pytest.mark.parametrize("point", ["download", "merge"])
def test_killed_half_way_the_old_state_stays_and_the_next_run_finishes(mirror: Mirror, site: Site, point: str) -> None:
    mirror.put_osv("PyPI", made_up(100))
    mirror.put_osv("Go", made_up(20, "Go"))
    site.run("db", "update")
    before = site.database.read_bytes()
    mirror.put_osv("PyPI", made_up(60_000 if point == "merge" else 3_000))
    if point == "download":
        mirror.fail("PyPI/all.zip", slow(0.3))
        there = site.directory / "cache" / "advisories" / "osv" / "PyPI" / "all.zip.part"
    else:
        there = site.database.with_name("advisories.sqlite.draft")
    process = site.start("db", "update")
    limit = time.monotonic() + 60
    while not (there.exists() and there.stat().st_size) and time.monotonic() < limit:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert site.database.read_bytes() == before
    assert site.records() == {"osv/PyPI": 100, "osv/Go": 20}
    mirror.requests.clear()
    site.run("db", "update")
    assert site.records()["osv/PyPI"] > 1000
    assert [seen.status for seen in mirror.asked("PyPI/all.zip")] == [206 if point == "download" else 304]
    assert not site.database.with_name("advisories.sqlite.draft").exists()


def test_one_source_that_fails_is_told_and_the_others_are_there(mirror: Mirror, site: Site) -> None:
    mirror.put_osv("PyPI", made_up(10))
    mirror.put_osv("Go", made_up(10, "Go"))
    mirror.fail("Go/modified_id.csv", *[status(500)] * 9)
    told = site.run("db", "update", code=2)
    assert "failed: osv/Go" in told
    assert site.records() == {"osv/PyPI": 10}


def test_two_updates_at_a_time_wait_for_each_other(mirror: Mirror, site: Site) -> None:
    mirror.put_osv("PyPI", made_up(2000))
    mirror.fail("PyPI/all.zip", slow(0.1), cut(10))
    processes = [site.start("db", "update", "pypi") for _ in range(2)]
    ended = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ended
    assert sorted(out.split(":")[0] for out, _ in ended) == ["unchanged", "updated"]
    assert site.records() == {"osv/PyPI": 2000}


def test_a_place_that_is_named_on_the_command_line_is_that_of_all_sources(site: Site, tmp_path: Path) -> None:
    assert "Name it" in site.run("db", "update", "kev", "epss", "--from", str(tmp_path), code=2)
    assert "no source of advisories" in site.run("db", "update", "pipy", code=2)
