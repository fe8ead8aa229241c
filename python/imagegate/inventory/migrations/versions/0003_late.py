"""Changes that are news of one promotion."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and its index."""
    op.add_column("delta", sa.Column("promotion", sa.BigInteger().with_variant(sa.Integer, "sqlite")))
    op.create_index("delta_by_promotion", "delta", ["promotion"])
