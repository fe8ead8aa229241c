"""An inventory that an older imagegate made is brought up to date, with all that is in it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, select

from imagegate.inventory import tables
from imagegate.inventory.asked import Asked, asked, note
from imagegate.inventory.store import Inventory
from tests.unit.test_inventory import NOW, Fleet, advisory, deb

_BACK = (
    "DROP TABLE asked",
    "DROP INDEX delta_by_promotion",
    "DROP INDEX delta_by_component",
    "ALTER TABLE delta DROP COLUMN promotion",
    "ALTER TABLE promotion DROP COLUMN untagged_at",
    "DROP INDEX promotion_by_digest",
    "UPDATE alembic_version SET version_num = '0001'",
)
"""From today's tables to the first ones."""


def test_the_first_tables_are_upgraded(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    fleet.know(advisory("CVE-2026-0001", "zlib"))
    fleet.promote("app", deb("zlib"))
    fleet.know(advisory("CVE-2026-0002", "zlib"))
    fleet.recheck()
    with fleet.inventory.transaction() as connection:
        for statement in _BACK:
            connection.exec_driver_sql(statement)
    fleet.inventory.engine.dispose()
    with Inventory(f"sqlite:///{tmp_path / 'inventory.sqlite'}") as upgraded:
        with upgraded.transaction() as connection:
            schema = inspect(connection)
            assert set(schema.get_table_names()) == {*tables.METADATA.tables, "alembic_version"}
            for table in tables.METADATA.tables.values():
                columns = {each["name"] for each in schema.get_columns(table.name)}
                assert columns == {str(column.name) for column in table.columns}
                indexes = {each["name"] for each in schema.get_indexes(table.name)}
                assert indexes >= {str(index.name) for index in table.indexes}
            assert connection.execute(select(tables.delta.c.vulnerability)).scalars().all() == ["CVE-2026-0002"]
            now = NOW.timestamp()
            note(connection, "anchore:@a", {"sha256:1": now + 5, "sha256:3": now - 5})
            note(connection, "anchore:@a", {"sha256:1": now + 4, "sha256:2": now + 6})
            # What was asked before the advisories were gone by does not count any more.
            there = {"sha256:1": Asked(now + 5, now + 5), "sha256:2": Asked(now + 6, now + 6)}
            assert asked(connection, "anchore:@a") == there
            assert asked(connection, "anchore:@b") == {}
        assert upgraded.revision > "0001"
    fleet.inventory = Inventory(f"sqlite:///{tmp_path / 'inventory.sqlite'}")
    assert fleet.news() == []
    fleet.inventory.engine.dispose()
