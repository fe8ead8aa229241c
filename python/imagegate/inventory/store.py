"""Opening the inventory: SQLite or PostgreSQL, brought up to the newest tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from imagegate.errors import InventoryError

_Done = TypeVar("_Done")
_HEAD = "0005"
"""The newest revision, which `migrations/versions` has."""
_ATTEMPTS = 5
_WAIT = 60
"""Seconds that one writer waits for another, in SQLite."""
_CONNECT = 10
"""Seconds that PostgreSQL's server may take to answer first."""


class Inventory:
    """The inventory's database; a context manager. Every method that reaches it raises InventoryError."""

    def __init__(self, url: str, password: str = "") -> None:
        """url: of SQLAlchemy, such as `sqlite:////var/lib/imagegate/inventory.sqlite` or `postgresql+psycopg://…`.

        password: of the URL's user, which has no place in the URL of a setting. A file and its tables are made where
        there are none, and older tables are migrated.
        """
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise InventoryError(
                "inventory.url is no URL of a database", hint="sqlite:///FILE or postgresql://…"
            ) from error
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if password and parsed.get_backend_name() != "sqlite":
            parsed = parsed.set(password=password)
        self.shown = parsed.render_as_string(hide_password=True)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            try:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InventoryError(
                    f"{parsed.database} cannot be made", why=error.strerror or "", hint="Set inventory.url."
                ) from error
        waits = {"connect_timeout": _CONNECT} if parsed.get_backend_name() == "postgresql" else {}
        try:
            self._engine = create_engine(parsed, connect_args=waits)
        except (NoSuchModuleError, ModuleNotFoundError, SQLAlchemyError) as error:
            raise InventoryError(f"there is no driver for {self.shown}", why=str(error)) from error
        if self.is_sqlite:
            event.listen(self._engine, "connect", _prepare)
            event.listen(self._engine, "begin", _begin)
        self._upgrade()

    def __enter__(self) -> Inventory:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    @property
    def is_sqlite(self) -> bool:
        """Whether the inventory is a file."""
        return self._engine.dialect.name == "sqlite"

    @property
    def revision(self) -> str:
        """Of the tables."""
        return _HEAD

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's engine."""
        return self._engine

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a transaction, which is one whole or nothing."""
        with self._explained(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that reads one state and keeps nobody from writing."""
        options: dict[str, Any] = {"imagegate_reads": True}
        if not self.is_sqlite:
            # Else each statement would see a state of its own.
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self._explained(), self._engine.connect().execution_options(**options) as connection:
            yield connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            why = str(error.orig).strip().partition("\n")[0]
            raise InventoryError(f"the inventory {self.shown} cannot be used", why=why) from error

    def _upgrade(self) -> None:
        """Alembic takes a fifth of a second to import, so it is asked only where something is to be done."""
        with self.reading() as connection:
            there = inspect(connection).has_table("alembic_version")
            revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar() if there else None
        if revision != _HEAD:
            from imagegate.inventory.migrate import upgrade

            with self._explained():
                upgrade(self._engine, self.shown, revision)


def untangled(work: Callable[[], _Done]) -> _Done:
    """Do a transaction, and again where PostgreSQL ended it because it and another waited for each other."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return work()
        except InventoryError as error:
            if not deadlocked(error):
                raise
    return work()


def deadlocked(error: InventoryError) -> bool:
    """Whether a transaction was ended because it and another waited for each other: it may be tried again."""
    cause = getattr(error.__cause__, "orig", None)
    return getattr(cause, "sqlstate", "") in ("40P01", "40001")


def _prepare(connection: object, _: object) -> None:
    """Readers and a writer at once; SQLAlchemy begins transactions, not the driver."""
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute(f"PRAGMA busy_timeout = {_WAIT * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    """The lock is taken at once: two that read first and write then would fail, not wait. (SQLite, "Transaction".)"""
    reads = connection.get_execution_options().get("imagegate_reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
