"""What alembic runs for each command: the steps, within the transaction that the caller opened."""

from alembic import context

from historian.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the caller's transaction holds all steps
)
context.run_migrations()
