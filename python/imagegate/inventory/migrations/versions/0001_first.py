"""The first tables, as they were then: later migrations go on from them."""

from __future__ import annotations

from alembic import op

from imagegate.inventory.tables import METADATA

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_LATER = frozenset({"asked"})
"""Tables that a later migration makes."""


def upgrade() -> None:
    """Make the tables."""
    METADATA.create_all(op.get_bind(), [each for each in METADATA.sorted_tables if each.name not in _LATER])
