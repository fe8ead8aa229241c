"""Changes by their component, as pruning and `late` look for them."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index("delta_by_component", "delta", ["component", "vulnerability"])
