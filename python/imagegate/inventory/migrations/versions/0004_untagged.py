"""When a promotion lost its last tag; and images by their digest alone, as bases are looked up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and the index."""
    op.add_column("promotion", sa.Column("untagged_at", sa.Float))
    op.create_index("promotion_by_digest", "promotion", ["digest"])
