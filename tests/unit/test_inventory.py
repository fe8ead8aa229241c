"""The inventory: what a promotion leaves in it, and what a re-check finds by what changed alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from imagegate.errors import InventoryError
from imagegate.inventory import tables
from imagegate.inventory.model import SLOTS, Kind, Promoted, Variant
from imagegate.inventory.recheck import Progressed, recheck, shard
from imagegate.inventory.recording import record
from imagegate.inventory.store import Inventory
from imagegate.model import Distro, Package, PackageType
from imagegate.progress import NoProgress
from imagegate.vulnerability.database import AdvisoryDatabase
from imagegate.vulnerability.importer import import_files
from imagegate.vulnerability.matcher import match

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BOOKWORM = Distro("debian", "12")
ALL = tuple(range(SLOTS))


def deb(name: str, version: str = "1.0-1", layer: str = "") -> Package:
    return Package(name, version, PackageType.DPKG, f"pkg:deb/debian/{name}@{version}", layer=layer or None)  # type: ignore[arg-type]


def npm(name: str, version: str = "1.0.0") -> Package:
    return Package(name, version, PackageType.NPM, f"pkg:npm/{name}@{version}")


def advisory(name: str, package: str, fixed: str = "2.0-1", day: int = 1, **fields: Any) -> dict[str, Any]:
    ecosystem = "npm" if package.startswith("npm") else "Debian:12"
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    part = {"package": {"ecosystem": ecosystem, "name": package}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    return {"id": name, "modified": f"2026-01-{day:02}T00:00:00Z", "affected": [part], **fields}


class Fleet:
    """An inventory and the advisories that it is checked against."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.database, self.number = directory, directory / "advisories.sqlite", 0
        self.inventory = Inventory(f"sqlite:///{directory / 'inventory.sqlite'}")

    def know(self, *records: dict[str, Any]) -> None:
        self.number += 1
        file = self.directory / f"{self.number}.json"
        file.write_text(json.dumps(records))
        import_files([file], self.database, now=NOW, progress=NoProgress())

    def promote(self, name: str, *packages: Package, judged: bool = True, **fields: Any) -> None:
        """Record a promotion; judged: whether it was evaluated against the advisories as they are.

        by: another advisory database that the gate went by.
        """
        by = fields.pop("by", self.database)
        digest = fields.pop("digest", f"sha256:{sum(name.encode()):064x}")
        promoted = Promoted(
            f"registry.example.com/{name}",
            digest,
            fields.pop("tags", ("1.0",)),
            NOW,
            (Variant("linux/amd64", digest, BOOKWORM, packages, fields.pop("base_layers", ())),),
            **fields,
        )
        if not judged:
            record(self.inventory, promoted)
            return
        with AdvisoryDatabase(by) as opened:
            found = match(packages, BOOKWORM, opened).vulnerabilities
            record(self.inventory, promoted, state=(opened.lineage, opened.number), vulnerabilities=found)

    def recheck(self, *, full: bool = False, slots: tuple[int, ...] = ALL) -> Progressed:
        with AdvisoryDatabase(self.database) as opened:
            return recheck(self.inventory, opened, slots=slots, now=NOW.timestamp(), full=full)

    def news(self, **options: Any) -> list[tuple[str, str, str]]:
        """Return (kind, vulnerability, package) of a re-check."""
        with self.inventory.reading() as connection:
            rows = connection.execute(select(tables.component.c.id, tables.component.c.name))
            names = {row.id: row.name for row in rows}
        return sorted(
            (each.kind.value, each.vulnerability, names[each.component]) for each in self.recheck(**options).deltas
        )

    def findings(self) -> set[tuple[str, str, str, str]]:
        finding, component = tables.finding, tables.component
        with self.inventory.reading() as connection:
            rows = connection.execute(
                select(component.c.name, component.c.version, finding.c.vulnerability, finding.c.facts).join(
                    component, component.c.id == finding.c.component
                )
            )
            return {tuple(row) for row in rows}

    def count(self, name: str) -> int:
        with self.inventory.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(getattr(tables, name))).scalar_one())


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path)
    fleet.know(advisory("CVE-2026-0001", "zlib"), advisory("GHSA-0", "npm-none"))
    yield fleet
    fleet.inventory.engine.dispose()


def test_what_was_known_at_the_promotion_is_no_news(fleet: Fleet) -> None:
    fleet.promote("app", deb("zlib"), deb("openssl"))
    assert fleet.news() == []
    assert {row[2] for row in fleet.findings()} == {"CVE-2026-0001"}


def test_what_became_known_between_the_promotion_and_the_first_run_is_news(fleet: Fleet) -> None:
    fleet.promote("app", deb("zlib"), deb("openssl"))
    fleet.know(advisory("CVE-2026-0002", "openssl"))
    assert fleet.news() == [("new", "CVE-2026-0002", "openssl")]
    assert fleet.news() == []


def test_an_image_that_nobody_judged_starts_with_what_the_first_run_finds(fleet: Fleet) -> None:
    fleet.promote("app", deb("zlib"), judged=False)
    assert fleet.news() == []
    assert len(fleet.findings()) == 1
    fleet.know(advisory("CVE-2026-0003", "zlib"))
    assert fleet.news() == [("new", "CVE-2026-0003", "zlib")]


def test_every_kind_of_news(fleet: Fleet) -> None:
    fleet.know(advisory("CVE-2026-0002", "openssl", ""), advisory("CVE-2026-0003", "curl"))
    fleet.promote("app", deb("zlib"), deb("openssl"), deb("curl"), npm("npm-a"))
    fleet.recheck()
    critical: dict[str, Any] = {"database_specific": {"severity": "CRITICAL"}}
    fleet.know(
        advisory("CVE-2026-0001", "zlib", day=2, **critical),
        advisory("CVE-2026-0002", "openssl", "3.0-1", day=2),
        advisory("CVE-2026-0003", "curl", "1.0-1", day=2),
        advisory("GHSA-1", "npm-a", "2.0.0"),
        advisory("GHSA-2", "npm-b", "2.0.0"),
    )
    assert fleet.news() == [
        ("fixable", "CVE-2026-0002", "openssl"),
        ("new", "GHSA-1", "npm-a"),
        ("resolved", "CVE-2026-0003", "curl"),
        ("severity", "CVE-2026-0001", "zlib"),
    ]


def test_what_comes_to_be_exploited_is_news(fleet: Fleet) -> None:
    catalog = {"catalogVersion": "1", "dateReleased": "2026-01-01T00:00:00Z", "vulnerabilities": [{"cveID": "CVE-1-1"}]}
    fleet.know(catalog)
    fleet.promote("app", deb("zlib"))
    fleet.recheck()
    fleet.know({**catalog, "dateReleased": "2026-01-02T00:00:00Z", "vulnerabilities": [{"cveID": "CVE-2026-0001"}]})
    assert fleet.news() == [("exploited", "CVE-2026-0001", "zlib")]


def test_only_what_changed_is_matched_again(fleet: Fleet) -> None:
    fleet.promote("app", *(deb(f"package-{number}") for number in range(300)), deb("zlib"))
    assert fleet.recheck().components == 301
    assert fleet.recheck().components == 0
    fleet.know(advisory("CVE-2026-0009", "package-7"), advisory("CVE-2026-0010", "not-here"))
    assert fleet.recheck().components == 1
    assert fleet.recheck(full=True).components == 301


def test_another_database_is_not_taken_for_the_one_of_the_last_run(fleet: Fleet) -> None:
    fleet.promote("app", deb("zlib"))
    fleet.recheck()
    fleet.database.unlink()
    fleet.know(advisory("CVE-2026-0008", "zlib"))
    assert fleet.news() == [("new", "CVE-2026-0008", "zlib"), ("resolved", "CVE-2026-0001", "zlib")]


def test_older_advisories_undo_nothing(fleet: Fleet) -> None:
    older = fleet.directory / "older.sqlite"
    older.write_bytes(fleet.database.read_bytes())
    fleet.promote("app", deb("zlib"))
    fleet.know(advisory("CVE-2026-0008", "zlib"))
    fleet.recheck()
    with AdvisoryDatabase(older) as opened:
        done = recheck(fleet.inventory, opened, slots=ALL, now=NOW.timestamp())
    assert (done.deltas, done.skipped) == ((), SLOTS)
    assert len(fleet.findings()) == 2


@pytest.mark.parametrize("count", [1, 2, 3, 7, 256])
def test_shards_are_disjoint_and_cover_everything(count: int) -> None:
    taken = [slot for index in range(1, count + 1) for slot in shard(index, count)]
    assert sorted(taken) == list(ALL)


def test_shards_find_together_what_one_run_finds_and_can_be_run_again(fleet: Fleet) -> None:
    fleet.promote("app", *(deb(f"package-{number}") for number in range(50)))
    fleet.recheck()
    fleet.know(*(advisory(f"CVE-2026-{number:04}", f"package-{number}") for number in range(50)))
    found = [fleet.news(slots=shard(index, 3)) for index in (1, 2, 2, 3)]
    assert found[2] == []
    assert sorted(each for part in found for each in part) == sorted(
        ("new", f"CVE-2026-{number:04}", f"package-{number}") for number in range(50)
    )


def test_what_images_have_in_common_is_stored_once(fleet: Fleet) -> None:
    base = [deb(f"package-{number}") for number in range(400)]
    for number in range(20):
        fleet.promote(f"app-{number}", *base, npm("npm-a", f"1.{number}.0"), digest=f"sha256:{number:064x}")
    assert fleet.count("component") == 420
    assert fleet.count("bucket_component") == 420


def test_a_promotion_again_replaces_itself_and_a_tag_moves(fleet: Fleet) -> None:
    fleet.promote("app", deb("zlib"), digest="sha256:1")
    fleet.promote("app", deb("zlib"), digest="sha256:1", tags=("1.0", "latest"))
    fleet.promote("app", deb("zlib", "2.0-1"), digest="sha256:2", tags=("latest",))
    assert (fleet.count("promotion"), fleet.count("variant")) == (2, 2)
    with fleet.inventory.reading() as connection:
        rows = connection.execute(
            select(tables.tag.c.name, tables.promotion.c.digest).join(
                tables.promotion, tables.promotion.c.id == tables.tag.c.promotion
            )
        )
        assert dict(rows.all()) == {"1.0": "sha256:1", "latest": "sha256:2"}


def inherited(fleet: Fleet, digest: str) -> dict[str, bool]:
    link, variant, component, member = (
        tables.variant_bucket,
        tables.variant,
        tables.component,
        tables.bucket_component,
    )
    with fleet.inventory.reading() as connection:
        rows = connection.execute(
            select(component.c.name, link.c.inherited)
            .join(member, member.c.component == component.c.id)
            .join(link, link.c.bucket == member.c.bucket)
            .join(variant, variant.c.id == link.c.variant)
            .where(variant.c.digest == digest)
        )
        return dict(rows.all())


def test_what_comes_from_the_base_is_told_from_what_is_an_images_own(fleet: Fleet) -> None:
    fleet.promote("base", deb("zlib"), deb("openssl"), digest="sha256:b")
    fleet.promote("app", deb("zlib"), deb("openssl", "2.0-1"), npm("npm-a"), digest="sha256:a", base_digest="sha256:b")
    assert inherited(fleet, "sha256:a") == {"zlib": True, "openssl": False, "npm-a": False}
    layers = ("sha256:1",)
    fleet.promote(
        "other", deb("zlib", layer="sha256:1"), deb("curl", layer="sha256:2"), digest="sha256:c", base_layers=layers
    )
    assert inherited(fleet, "sha256:c") == {"zlib": True, "curl": False}


NAMES = st.sampled_from(["a", "b", "npm-c", "npm-d", "e"])
RECORDS = st.builds(
    lambda number, name, fixed, day, withdrawn: advisory(
        f"CVE-2026-{number:04}", name, fixed, day, **({"withdrawn": "2026-02-01T00:00:00Z"} if withdrawn else {})
    ),
    st.integers(1, 6),
    NAMES,
    st.sampled_from(["", "1.0-1", "1.5.0", "3"]),
    st.integers(1, 28),
    st.booleans(),
)
PACKAGES = st.builds(
    lambda name, version: (npm if name.startswith("npm") else deb)(name, version),
    NAMES,
    st.sampled_from(["1.0.0", "2.0.0"]),
)
STEPS = st.one_of(
    st.tuples(st.just("know"), st.lists(RECORDS, min_size=1, max_size=4)),
    st.tuples(st.just("promote"), st.lists(PACKAGES, min_size=1, max_size=4, unique_by=lambda each: each.name)),
    st.tuples(st.just("recheck"), st.sampled_from([ALL, shard(1, 2), shard(2, 2)])),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=1, max_size=8))
def test_by_what_changed_the_same_is_known_as_by_everything(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any]]
) -> None:
    """Whatever came in which order, a re-check of what changed ends where one of everything does."""
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    fleet.know(advisory("GHSA-0", "npm-none", day=1), advisory("CVE-2026-9999", "none"))
    for number, (step, given_) in enumerate(steps):
        if step == "know":
            fleet.know(*given_)
        elif step == "promote":
            fleet.promote(f"app-{number}", *given_, digest=f"sha256:{number}", judged=bool(number % 2))
        else:
            fleet.recheck(slots=given_)
    fleet.recheck()
    known = fleet.findings()
    assert fleet.news(full=True) == []
    assert fleet.findings() == known
    fleet.inventory.engine.dispose()


@pytest.mark.parametrize("url", ["nonsense", "mysql://x/y", "sqlite:////proc/none/inventory.sqlite"])
def test_an_inventory_that_cannot_be_opened_is_told(url: str) -> None:
    with pytest.raises((InventoryError, OSError)):
        Inventory(url)


def test_tables_of_a_newer_imagegate_are_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'inventory.sqlite'}"
    with Inventory(url) as inventory, inventory.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(InventoryError, match="tables of another imagegate"):
        Inventory(url)


def test_kinds_are_all_there_are() -> None:
    assert {each.value for each in Kind} == {"new", "resolved", "severity", "fixable", "exploited"}
