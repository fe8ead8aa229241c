"""Where the inventory is, and what waits to be recorded in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from imagegate.errors import InventoryError
from imagegate.settings import InventorySettings

if TYPE_CHECKING:
    from imagegate.inventory.pending import Pending
    from imagegate.inventory.store import Inventory

_PASSWORD = "IMAGEGATE_INVENTORY_PASSWORD"  # noqa: S105 - a variable's name


class InventoryKeeper:
    """Opens the inventory of the settings, and records in it."""

    def __init__(self, settings: InventorySettings, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._settings, self._environ, self._say = settings, environ, say
        data = environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
        self._directory = Path(data) / "imagegate"

    @property
    def pending_directory(self) -> Path:
        """Where promotions wait that could not be recorded."""
        return self._directory / "pending"

    def open(self) -> Inventory:
        """Open the inventory; what waits to be recorded is recorded. Raises InventoryError."""
        from imagegate.inventory.pending import kept
        from imagegate.inventory.store import Inventory

        url = self._settings.url or f"sqlite:///{self._directory.absolute() / 'inventory.sqlite'}"
        inventory = Inventory(url, self._password())
        for path, pending in kept(self.pending_directory):
            try:
                _record(inventory, pending)
            except InventoryError as error:
                self._say(f"warning: {path} waits on: {error}")
                continue
            path.unlink(missing_ok=True)
        return inventory

    def record(self, pending: Pending) -> None:
        """Record a promotion. Raises InventoryError."""
        with self.open() as inventory:
            _record(inventory, pending)

    def _password(self) -> str:
        """Return the password of the inventory's URL, empty where none is given. Raises InventoryError."""
        file = self._environ.get(f"{_PASSWORD}_FILE")
        if not file:
            return self._environ.get(_PASSWORD, "")
        try:
            return Path(file).read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InventoryError(
                f"the file that {_PASSWORD}_FILE names cannot be read",
                why=getattr(error, "strerror", None) or "it is no text",
            ) from error


def _record(inventory: Inventory, pending: Pending) -> None:
    from imagegate.inventory.recording import record

    record(inventory, pending.promoted, state=pending.state, vulnerabilities=pending.vulnerabilities)
