"""Migrations: from an empty database to the tables of `historian.schema`, one file a step, in `versions`.

`migrate` is run at every start. An advisory lock makes a second historian wait for the first, and the whole of it is one
transaction: a step that fails leaves nothing behind.
"""

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

LOCK = 0x646F74627573
"""Key of the advisory lock: "dotbus" in ASCII."""


def migrate(connection: sa.Connection, reader_role: str | None = None) -> bool:
    """Bring the database of an open transaction to this software's tables.

    Args:
        connection: in a transaction, which the caller commits.
        reader_role: may read every table afterwards, when it exists.

    Returns:
        Whether `reader_role` was granted; True when there is none.

    Raises:
        alembic.util.CommandError: the database is of a later version of dotbus.
    """
    # A step on tables of years may take its time, and so may the historian that we wait for.
    connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
    config = Config()
    config.set_main_option("script_location", "historian:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return reader_role is None or _grant(connection, reader_role)


def _grant(connection: sa.Connection, role: str) -> bool:
    if not connection.scalar(sa.text("SELECT count(*) FROM pg_roles WHERE rolname = :role"), {"role": role}):
        return False
    quoted = connection.dialect.identifier_preparer.quote_identifier
    schema = quoted(connection.scalar(sa.text("SELECT current_schema()")))
    connection.execute(sa.text(f"GRANT USAGE ON SCHEMA {schema} TO {quoted(role)}"))
    connection.execute(sa.text(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {quoted(role)}"))
    return True
