"""Who may be in the inventory at once, where the database does not say it itself."""

from __future__ import annotations

from sqlalchemy import Connection, text

_LOCK = 0x696D6168


class Hold:
    """A hold on the inventory until the transaction's end. In PostgreSQL; a writer of SQLite has the file for itself.

    Many record together; who drops what no image has is alone, since a recorder may just be about to use it.
    """

    def __init__(self, function: str) -> None:
        self._statement = text(f"SELECT {function}({_LOCK})")

    def take(self, connection: Connection) -> None:
        """Wait for the hold."""
        if connection.dialect.name == "postgresql":
            connection.execute(self._statement)


TOGETHER, ALONE = Hold("pg_advisory_xact_lock_shared"), Hold("pg_advisory_xact_lock")
