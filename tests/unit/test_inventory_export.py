"""What leaves an inventory as a document comes back as it was, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from imagegate.errors import InventoryError
from imagegate.inventory import tables
from imagegate.inventory.query import of_vulnerability
from imagegate.inventory.recording import record
from imagegate.inventory.store import Inventory
from tests.unit.inventories import NOW, content, deb, export, fill, image, npm, take


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Inventory]:
    with Inventory(f"sqlite:///{tmp_path / 'filled.sqlite'}") as inventory:
        fill(inventory)
        yield inventory


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Inventory]:
    with Inventory(f"sqlite:///{tmp_path / 'other.sqlite'}") as inventory:
        yield inventory


def test_an_import_into_an_empty_inventory_gives_the_same(filled: Inventory, other: Inventory) -> None:
    with filled.transaction() as connection:
        connection.execute(tables.slot.insert(), [{"slot": 3, "lineage": "l", "number": 9, "at": 1.5}])
        component = connection.execute(select(tables.component.c.id)).scalars().first()
        connection.execute(tables.delta.insert().values(at=1.0, component=component, vulnerability="CVE-1", kind="new"))
    assert take(other, export(filled)) == 3
    assert content(other) == content(filled)
    assert export(other)[1:] == export(filled)[1:]


def test_every_table_is_exported(filled: Inventory) -> None:
    assert json.loads(export(filled)[-1])["rows"].keys() == set(tables.METADATA.tables)


def test_an_import_beside_others_adds_what_is_not_there(filled: Inventory, other: Inventory) -> None:
    record(other, image("mine", deb("zlib1g", source="zlib"), npm("own"), digest="sha256:m"))
    assert take(other, export(filled)) == 3
    assert take(other, export(filled)) == 0
    record(filled, image("mine", deb("zlib1g", source="zlib"), npm("own"), digest="sha256:m"))
    assert content(other) == content(filled)
    with other.reading() as connection:
        assert of_vulnerability(connection, "CVE-2021-44228").images == 1


def test_findings_that_come_beside_others_keep_the_state_that_they_are_of(filled: Inventory, other: Inventory) -> None:
    record(other, image("mine", deb("curl"), digest="sha256:m"))
    with filled.transaction() as connection:
        connection.execute(tables.component.update().values(state=None))
        rows = [{"slot": each, "lineage": "there", "number": 4, "at": 1.0} for each in range(256)]
        connection.execute(tables.slot.insert(), rows)
    take(other, export(filled))
    with other.reading() as connection:
        states = connection.execute(
            select(tables.component.c.name, tables.state.c.lineage).join(
                tables.state, tables.state.c.id == tables.component.c.state
            )
        )
        assert dict(states.all()) == {
            "curl": "",
            **dict.fromkeys(("zlib1g", "openssl", "lodash", "log4j-core"), "there"),
        }


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda lines: lines[:-1], "not whole"),
        (lambda lines: [*lines[:-2], lines[-1]], "not whole"),
        (
            lambda lines: [b'{"schema": "x/1", "revision": "1", "exported_at": "2026-01-01T00:00:00Z"}\n', *lines[1:]],
            "no export",
        ),
        (lambda lines: [lines[0].replace(b'"revision":"', b'"revision":"9'), *lines[1:]], "another imagegate"),
        (lambda lines: [lines[0], b'["nowhere", {}]\n', *lines[1:]], "a table 'nowhere'"),
        (lambda lines: [lines[0], b'["tag", {"name": "x"}]\n', *lines[1:]], "other columns"),
        (lambda lines: [lines[0], b"[", *lines[1:]], "damaged"),
        (lambda _: [], "no export"),
    ],
)
def test_a_damaged_document_changes_nothing(filled: Inventory, other: Inventory, damage, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InventoryError, match=words):
        take(other, damage(export(filled)))
    assert not any(content(other).values())


def test_a_record_that_was_kept_for_later_undoes_no_later_one(other: Inventory) -> None:
    from datetime import timedelta

    late, early = NOW, NOW - timedelta(hours=1)
    record(other, image("app", npm("a", "2.0.0"), digest="sha256:2", promoted_at=late, tags=("latest",), team="new"))
    record(other, image("app", npm("a", "1.0.0"), digest="sha256:1", promoted_at=early, tags=("latest", "1.0")))
    record(other, image("app", digest="sha256:2", promoted_at=early, tags=(), team="old"))
    with other.reading() as connection:
        rows = connection.execute(
            select(tables.tag.c.name, tables.promotion.c.digest, tables.promotion.c.team).join(
                tables.promotion, tables.promotion.c.id == tables.tag.c.promotion
            )
        )
        assert {row[0]: (row[1], row[2]) for row in rows} == {"latest": ("sha256:2", "new"), "1.0": ("sha256:1", "")}
