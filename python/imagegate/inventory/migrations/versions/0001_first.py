"""The first tables. Nothing is to be done: an inventory that is made anew gets today's tables at once."""

from __future__ import annotations

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Do nothing."""
