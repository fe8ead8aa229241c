"""Bringing an inventory's tables up to date, by alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine, inspect, text

from imagegate.errors import InventoryError
from imagegate.inventory.tables import METADATA

_LOCK = 0x696D6167
"""PostgreSQL's advisory lock that one migration holds: two agents may find the same old tables."""


def upgrade(engine: Engine, shown: str, revision: str | None) -> None:
    """Make the tables where there are none, else run the migrations.

    shown: the URL without its password. Raises InventoryError for a newer one's tables.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config.attributes["connection"] = connection
        # Another agent may have made them while this one waited.
        if not inspect(connection).has_table("alembic_version"):
            METADATA.create_all(connection)
            command.stamp(config, "head")
            return
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise InventoryError(
                f"the inventory {shown} has tables of another imagegate",
                why=f"revision {revision}: {error}",
                hint="Use the newer imagegate, or another inventory.url.",
            ) from error
