"""Questions to the inventory, what leaves it, and which files it keeps."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from imagegate.errors import UsageError
from imagegate.inventory import tables
from imagegate.inventory.constraint import parse_constraint
from imagegate.inventory.files import notable
from imagegate.inventory.query import of_file, of_image, of_package, of_vulnerability
from imagegate.inventory.recording import record
from imagegate.inventory.retention import let_go, overdue
from imagegate.inventory.selection import Whose, named, numbers, promotions
from imagegate.inventory.store import Inventory
from imagegate.model import (
    AnalysedLayer,
    Analysis,
    Digest,
    FileEntry,
    FileType,
    ImageConfig,
    Package,
    PackageType,
    Platform,
)
from tests.unit.inventories import NOW, REGISTRY, deb, fill, image, npm


@pytest.fixture
def inventory(tmp_path: Path) -> Iterator[Inventory]:
    with Inventory(f"sqlite:///{tmp_path / 'inventory.sqlite'}") as inventory:
        fill(inventory)
        yield inventory


def asked(inventory: Inventory, name: str, versions: str = "", team: str = "") -> list[tuple[str, str, bool]]:
    with inventory.reading() as connection:
        answer = of_package(connection, name, parse_constraint(versions), Whose(team))
    return [(hit.repository.removeprefix(f"{REGISTRY}/"), hit.version, hit.inherited) for hit in answer.hits]


@pytest.mark.parametrize(
    ("name", "versions", "found"),
    [
        ("log4j-core", "<2.17", [("pay", "2.14.1", False)]),
        ("log4j-core", ">=2.0,<2.15", [("pay", "2.14.1", False)]),
        ("log4j-core", "<2.9", []),  # as texts, 2.14.1 is before 2.9
        ("org.apache.logging.log4j:log4j-core", "2.14.1", [("pay", "2.14.1", False)]),
        ("lodash", "", [("pay", "2.0.0", False), ("shop", "1.0.0", False)]),
        ("lodash", "!=1.0.0", [("pay", "2.0.0", False)]),
        ("zlib1g", "", [("base", "1.0-1", False), ("shop", "1.0-1", True)]),
        ("zlib", "<1.0-2", [("base", "1.0-1", False), ("shop", "1.0-1", True)]),  # the source package
        ("nothing", "", []),
    ],
)
def test_which_images_have_a_package(
    inventory: Inventory, name: str, versions: str, found: list[tuple[str, str, bool]]
) -> None:
    assert asked(inventory, name, versions) == found


def test_the_answer_says_from_which_base_and_since_when(inventory: Inventory) -> None:
    with inventory.reading() as connection:
        (_, hit) = of_package(connection, "openssl", parse_constraint("")).hits
    assert (hit.base, hit.since, hit.tags, hit.team) == (f"{REGISTRY}/base:1.0", NOW, ("1.0",), "shop")


def test_only_a_teams(inventory: Inventory) -> None:
    assert asked(inventory, "lodash", team="shop") == [("shop", "1.0.0", False)]


def test_a_version_without_a_place_in_the_order_is_told_and_not_left_out(inventory: Inventory) -> None:
    odd = Package("thing", "what", PackageType.OTHER, "pkg:generic/thing@what")
    record(inventory, image("odd", odd))
    with inventory.reading() as connection:
        (hit,) = of_package(connection, "thing", parse_constraint("<2")).hits
    assert hit.note == "what cannot be compared"


@pytest.mark.parametrize("text", ["<", "<<2", "2 3", "<2,,>1", "~1", "^3", "~=2.0", "1.*", "[1.0,2.0)", "<^3"])
def test_a_constraint_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="says no versions"):
        parse_constraint(text)


@pytest.mark.parametrize("text", ["1:2.0~rc1-1+deb12u1", "(devel)", "v0.0.0-2021", "1.0~beta", "!=2", "=2", "== 2"])
def test_a_version_as_it_stands_is_a_constraint(text: str) -> None:
    assert len(parse_constraint(text).parts) == 1


@pytest.mark.parametrize("name", ["CVE-2021-44228", "cve-2021-44228", "GHSA-jfh8-c2jp-5v3q"])
def test_which_images_have_a_vulnerability(inventory: Inventory, name: str) -> None:
    with inventory.reading() as connection:
        answer = of_vulnerability(connection, name)
    (hit,) = answer.hits
    assert (hit.repository, hit.package, hit.severity, hit.fix) == (
        f"{REGISTRY}/pay",
        "log4j-core",
        "Critical",
        "2.15.0",
    )
    assert hit.reason == "2.14.1 < 2.15.0"
    assert answer.notes  # the packages of the other images were never matched


def test_a_part_of_an_id_is_none(inventory: Inventory) -> None:
    with inventory.reading() as connection:
        assert not of_vulnerability(connection, "CVE-2021-4422").hits
        assert not of_vulnerability(connection, "CVE-2021-4422_").hits
        assert not of_vulnerability(connection, "Critical").hits


def test_which_images_have_a_file(inventory: Inventory) -> None:
    with inventory.reading() as connection:
        found = of_file(connection, "aa" * 32)
        assert {hit.repository for hit in found.hits} == {f"{REGISTRY}/pay", f"{REGISTRY}/shop"}
        assert {hit.path for hit in found.hits} == {"/app/lib/log4j-core-2.14.1.jar"}
        assert not of_file(connection, "bb" * 32).hits


@pytest.mark.parametrize(
    ("text", "count"),
    [("pay", 1), ("pay:latest", 1), ("pay:1.0", 0), ("shop@sha256:" + "0" * 64, 0), ("none", 0)],
)
def test_an_image_by_its_names(inventory: Inventory, text: str, count: int) -> None:
    with inventory.reading() as connection:
        assert len(numbers(connection, named(f"{REGISTRY}/{text}"))) == count


def test_what_an_image_has(inventory: Inventory) -> None:
    with inventory.reading() as connection:
        answer = of_image(connection, numbers(connection, named(f"{REGISTRY}/pay:latest")), "pay")
    assert [(hit.package, hit.vulnerability) for hit in answer.hits] == [
        ("lodash", ""),
        ("log4j-core", "CVE-2021-44228"),
    ]


def left(inventory: Inventory, *, keep: int = 0, untagged_days: int = 0, after: int = 0) -> list[str]:
    now = (NOW + timedelta(days=after)).timestamp()
    with inventory.reading() as connection:
        found = overdue(connection, keep=keep, untagged_days=untagged_days, now=now)
    return sorted(each.digest for each in found)


def test_rules_of_retention(inventory: Inventory) -> None:
    for number in range(4):
        at = NOW + timedelta(hours=number)
        record(inventory, image("app", npm("a"), digest=f"sha256:{number}", tags=("latest",), promoted_at=at))
    assert left(inventory) == []
    assert left(inventory, keep=2) == ["sha256:0", "sha256:1"]
    assert left(inventory, untagged_days=30, after=29) == []
    assert left(inventory, untagged_days=30, after=31) == ["sha256:0", "sha256:1", "sha256:2"]


def test_what_has_lost_its_tag_this_morning_stays_for_its_days(inventory: Inventory) -> None:
    record(inventory, image("app", npm("a"), digest="sha256:old", tags=("latest",)))
    at = NOW + timedelta(days=365)
    record(inventory, image("app", npm("a"), digest="sha256:new", tags=("latest",), promoted_at=at))
    assert left(inventory, untagged_days=30, after=365 + 29) == []
    assert left(inventory, untagged_days=30, after=365 + 31) == ["sha256:old"]
    later = at + timedelta(days=1)
    record(inventory, image("app", npm("a"), digest="sha256:old", tags=("stable",), promoted_at=later))
    assert left(inventory, untagged_days=30, after=365 + 100) == []


def test_what_leaves_is_in_no_answer_and_takes_what_only_it_had(inventory: Inventory) -> None:
    with inventory.reading() as connection:
        gone = numbers(connection, named(f"{REGISTRY}/pay"))
    let_go(inventory, gone, NOW.timestamp())
    assert asked(inventory, "log4j-core") == []
    with inventory.reading() as connection:
        assert not of_vulnerability(connection, "CVE-2021-44228").hits
        assert of_file(connection, "aa" * 32).images == 1
        names = set(connection.execute(select(tables.component.c.name)).scalars())
        assert names == {"zlib1g", "openssl", "lodash"}
        assert [each.retired_at for each in promotions(connection, gone, retired=True)] == [NOW.timestamp()]
        assert list(promotions(connection, gone)) == []
    record(inventory, image("pay", npm("lodash", "2.0.0")))
    assert asked(inventory, "lodash") == [("pay", "2.0.0", False), ("shop", "1.0.0", False)]


def test_a_package_that_was_told_of_stays(inventory: Inventory) -> None:
    with inventory.transaction() as connection:
        of_log4j = select(tables.component.c.id).where(tables.component.c.name == "log4j-core")
        number = connection.execute(of_log4j).scalar_one()
        connection.execute(tables.delta.insert().values(at=1.0, component=number, vulnerability="CVE-1", kind="new"))
        gone = numbers(connection, named(f"{REGISTRY}/pay"))
    let_go(inventory, gone, NOW.timestamp())
    with inventory.reading() as connection:
        assert connection.execute(of_log4j).scalar_one() == number
        assert connection.execute(select(func.count()).select_from(tables.delta)).scalar_one() == 1


def test_which_files_are_kept() -> None:
    def entry(path: str, mode: int = 0o755, kind: FileType = FileType.FILE, size: int = 5) -> FileEntry:
        return FileEntry(path, kind, mode, 0, 0, size, "ab" * 32, layer=0)

    layers = (AnalysedLayer(Digest("sha256:1"), Digest("sha256:2"), 1),)
    files = (
        entry("/usr/bin/ls"),
        entry("/usr/local/bin/tool"),
        entry("/app/server"),
        entry("/app/readme", 0o644),
        entry("/app/lib/a.jar", 0o644),
        entry("/usr/share/java/b.war", 0o644),
        entry("/app/node_modules/x/bin/x"),
        entry("/app/link", kind=FileType.SYMLINK),
        entry("/app/empty", size=0),
    )

    def kept(*packages: Package) -> list[str]:
        analysis = Analysis(
            Digest("sha256:0"), Platform(), 1, ImageConfig(), layers, None, packages, files, None, {}, "test"
        )
        return [each.path for each in notable(analysis)]

    own = ["/usr/local/bin/tool", "/app/server", "/app/lib/a.jar", "/usr/share/java/b.war"]
    assert kept(deb("libc6")) == own
    assert kept() == ["/usr/bin/ls", *own]


def test_the_gate_does_without_sqlalchemy_until_it_records() -> None:
    code = (
        "import sys\nimport imagegate.cli.gate, imagegate.cli.inventory, imagegate.cli.query\n"
        "import imagegate.inventory.files, imagegate.inventory.pending\n"
        "sys.exit('sqlalchemy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
