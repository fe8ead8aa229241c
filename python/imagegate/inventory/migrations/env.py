"""Alembic's entry point. The connection comes from `imagegate.inventory.migrate`."""

from alembic import context

from imagegate.inventory.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()
