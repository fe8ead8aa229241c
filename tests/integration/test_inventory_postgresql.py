"""The inventory in a real PostgreSQL: the same as in SQLite, and several processes that record at once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from imagegate.errors import InventoryError
from imagegate.inventory import tables
from imagegate.inventory.constraint import parse_constraint
from imagegate.inventory.model import SLOTS
from imagegate.inventory.query import of_file, of_package
from imagegate.inventory.recording import record
from imagegate.inventory.retention import let_go
from imagegate.inventory.slots import lock
from imagegate.inventory.store import Inventory
from lab.postgresql import PASSWORD, Postgresql
from tests.unit.inventories import NOW, content, deb, export, fill, image, npm, take

RECORD = """
import sys
from imagegate.inventory.recording import record
from imagegate.inventory.store import Inventory
from lab.postgresql import PASSWORD
from tests.integration.test_inventory_postgresql import crowd
url, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with Inventory(url, PASSWORD if url.startswith("postgresql") else "") as inventory:
    for number in range(first, first + count):
        record(inventory, crowd(number))
"""


def crowd(number: int):  # type: ignore[no-untyped-def]
    """Images that have most of their packages in common, in another order each, half of them new to the inventory."""
    packages = [deb(f"package-{each}", f"{number // 4}-{each % 3}") for each in range(60)] + [
        npm("only", f"1.{number}.0")
    ]
    random.Random(number).shuffle(packages)
    return image(f"app-{number}", *packages, digest=f"sha256:{number:064x}")


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Postgresql]:
    with Postgresql() as server:
        yield server


@pytest.fixture
def url(postgresql: Postgresql) -> str:
    return postgresql.database()


def test_an_export_goes_through_both_databases_and_is_the_same(url: str, tmp_path: Path) -> None:
    with Inventory(f"sqlite:///{tmp_path / 'one.sqlite'}") as one, Inventory(url, PASSWORD) as two:
        fill(one)
        assert take(two, export(one)) == 3
        assert content(two) == content(one)
        record(two, image("later", deb("zlib"), npm("new")))  # numbers go on after those that came
        take_back = export(two)
    with Inventory(f"sqlite:///{tmp_path / 'three.sqlite'}") as three:
        take(three, take_back)
        assert export(three)[1:] == take_back[1:]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_record_at_once_and_lose_nothing(
    kind: str, postgresql: Postgresql, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = postgresql.database() if kind == "postgresql" else f"sqlite:///{tmp_path / 'inventory.sqlite'}"
    root = request.config.rootpath
    started = [
        subprocess.Popen(
            [sys.executable, "-c", RECORD, url, str(first), "12"],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for first in (0, 4, 8, 12)  # each has images that its neighbour has too
    ]
    ends = [process.communicate(timeout=120)[1] for process in started]
    assert [process.returncode for process in started] == [0] * 4, ends
    with Inventory(url, PASSWORD) as inventory, inventory.reading() as connection:
        assert connection.execute(select(func.count()).select_from(tables.promotion)).scalar_one() == 24
        for number in range(24):
            (hit,) = of_package(connection, "only", parse_constraint(f"1.{number}.0")).hits
            assert hit.digest == f"sha256:{number:064x}"
        found = of_package(connection, "package-0", parse_constraint(""))
        assert found.images == 24 == len(found.hits)


def test_questions_and_removal(url: str) -> None:
    with Inventory(url, PASSWORD) as inventory:
        fill(inventory)
        with inventory.reading() as connection:
            assert of_package(connection, "log4j-core", parse_constraint("<2.17")).images == 1
            assert of_file(connection, "aa" * 32).images == 2
            numbers = connection.execute(select(tables.promotion.c.id)).scalars().all()
        let_go(inventory, numbers, NOW.timestamp())
        with inventory.reading() as connection:
            for name in ("bucket", "file", "component", "subject", "finding", "variant"):
                table = tables.METADATA.tables[name]
                assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0, name


def test_a_wrong_password_is_told_without_it(url: str) -> None:
    with pytest.raises(InventoryError) as caught:
        Inventory(url, "not-the-password")
    assert "authentication failed" in str(caught.value)
    assert "not-the-password" not in str(caught.value)


def test_a_server_that_is_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="cannot be used"):
        Inventory("postgresql://imagegate@127.0.0.1:1/none", "secret")


def test_names_that_the_database_has_no_place_for_are_recorded_all_the_same(url: str) -> None:
    with Inventory(url, PASSWORD) as inventory:
        record(inventory, image("hostile", npm("left\0pad"), deb("z\0lib", "1\0")))
        with inventory.reading() as connection:
            assert of_package(connection, "left\ufffdpad", parse_constraint("")).images == 1


def test_labels_and_names_without_an_end_are_recorded_all_the_same(url: str) -> None:
    long = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=6000))
    with Inventory(url, PASSWORD) as inventory:
        promoted = image("evil", npm(long), deb(long, long, long), team=f"a\0{long}", base_digest=f"\0{long}")
        record(inventory, promoted)
        record(inventory, promoted)
        with inventory.reading() as connection:
            names = connection.execute(select(tables.component.c.name)).scalars().all()
        assert len(names) == 2
        assert all(name.startswith(long[:900]) for name in names)


def test_a_reader_sees_one_state_however_many_record(url: str) -> None:
    with Inventory(url, PASSWORD) as inventory:
        record(inventory, image("one", npm("a")))
        with inventory.reading() as connection:
            count = select(func.count()).select_from(tables.promotion)
            assert connection.execute(count).scalar_one() == 1
            record(inventory, image("two", npm("b")))
            assert connection.execute(count).scalar_one() == 1


def test_who_records_while_a_re_check_finds_something_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The re-check waits for the record, or the record for the re-check: neither passes the other by unseen."""
    order: list[str] = []
    with Inventory(url, PASSWORD) as inventory:
        record(inventory, image("one", npm("a"), digest="sha256:1"), state=("x", 1))
        with inventory.transaction() as connection:
            lock(connection, range(SLOTS))

        def rechecks() -> None:
            with inventory.transaction() as other:
                lock(other, range(SLOTS))
                order.append("re-check")

        running = threading.Thread(target=rechecks)

        def slowly(*_: object) -> tuple[()]:
            running.start()
            time.sleep(0.5)
            order.append("record")
            return ()

        monkeypatch.setattr("imagegate.inventory.recording.late", slowly)
        record(inventory, image("two", npm("a"), digest="sha256:2"), state=("x", 1))
        running.join()
    assert order == ["record", "re-check"]
