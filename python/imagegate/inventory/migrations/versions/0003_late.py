"""Changes that are news of one promotion."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, where the tables are not made anew, by today's word."""
    columns = {each["name"] for each in sa.inspect(op.get_bind()).get_columns("delta")}
    if "promotion" not in columns:
        op.add_column("delta", sa.Column("promotion", sa.BigInteger().with_variant(sa.Integer, "sqlite")))
    op.create_index("delta_by_promotion", "delta", ["promotion"], if_not_exists=True)
