"""Migrations: from an empty database, or any earlier one of ours, to the tables of `historian.tables`; a file a step.

Run at every start. An advisory lock makes a second historian wait for the first, and the whole of it is one transaction: a
step that fails leaves nothing behind. The tables have a schema of their own; those of before 0003 move there from `public`.
Alembic is loaded by whoever takes a step: commands, the API and a historian with tables up to date need none of its 15 MiB.
"""

from dataclasses import dataclass
from datetime import datetime
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dotbus.runtime.starting import CannotStart
from historian.database import Database, quoted
from historian.migrations import versions
from historian.upkeep.months import add_months, months_ahead

if TYPE_CHECKING:
    from alembic.config import Config

LOCK = 0x646F74627573
"""Key of the advisory lock: "dotbus" in ASCII."""
_OLD_SCHEMA = "public"
_OLD_TABLES = (
    "alembic_version", "dispatch_batch", "instruction", "instruction_detail", "trajectory_batch", "dop", "compliance", "price",
    "service_state", "dead_letter", "source_sequence", "lost_events",
)  # fmt: skip
_OLD_VIEWS = ("dot_latest", "instruction_latest", "dispatch_batch_latest", "price_latest")
WRITER_CHANGES = ("service_state", "dead_letter", "source_sequence", "lost_events")
"""What is known beside the events changes; the events themselves are added, and not even the writer can change them."""


class LaterVersion(CannotStart):
    """A later version of dotbus made the tables; this one does not know the way back."""


OWNERS_ALONE = ("api_key",)
"""Only the owner reads or changes it. Readers have a function that tells of a key whose it is."""
_KEY_FUNCTION = "api_key_of"


@dataclass(frozen=True)
class Roles:
    """Who may do what; None is nobody else than the user who connects.

    Attributes:
        reader: may read everything.
    """

    reader: str | None = None


def bring_up_to_date(database: Database, roles: Roles, now: datetime) -> tuple[str, ...]:
    """Bring a database to this software's tables, with parts for the months around now, and grant each role its own.

    Returns:
        The roles that do not exist and so were granted nothing.

    Raises:
        StoreUnavailable: the database could not be reached, or refused.
        LaterVersion: the database is of a later version of dotbus.
    """
    with database.transaction(as_owner=True) as connection:
        # A step on tables of years may take its time, and so may the historian that we wait for.
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        _make_schema(connection, database.schema)
        _take_over(connection, database.schema)
        if _known_revision(connection) != head():
            upgrade(connection)
        add_months(connection, months_ahead(now))
        return tuple(role for role in _grants(database, roles) if not _grant(connection, database.schema, role, roles))


def upgrade(connection: sa.Connection, revision: str = "head") -> None:
    """Run the steps up to a revision, in the schema that the connection is in."""
    from alembic import command  # noqa: PLC0415

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def head() -> str:
    """The revision that this software's tables are of."""
    return max(known_revisions())


def known_revisions() -> frozenset[str]:
    """Every revision that this software knows the way from: of `v0004_nodes_of_reports`, 0004."""
    return frozenset(step.name[1:5] for step in iter_modules(versions.__path__))


def _config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "historian:migrations")
    return config


def _take_over(connection: sa.Connection, schema: str) -> None:
    """Move the tables of before 0003 out of `public`, when they are there and ours are not."""
    there = sa.text("SELECT to_regclass(:name) IS NOT NULL")
    if schema == _OLD_SCHEMA or connection.scalar(there, {"name": f"{quoted(connection, schema)}.alembic_version"}):
        return
    if not all(connection.scalar(there, {"name": f"{_OLD_SCHEMA}.{table}"}) for table in _OLD_TABLES):
        return
    for view in _OLD_VIEWS:
        connection.execute(sa.text(f"DROP VIEW IF EXISTS {_OLD_SCHEMA}.{view}"))
    for table in _OLD_TABLES:
        connection.execute(sa.text(f"ALTER TABLE {_OLD_SCHEMA}.{table} SET SCHEMA {quoted(connection, schema)}"))


def read_revision(connection: sa.Connection) -> str | None:
    """The revision of the tables that are there; None when there are none."""
    if not connection.scalar(sa.text("SELECT to_regclass('alembic_version') IS NOT NULL")):
        return None
    revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return revision


def _known_revision(connection: sa.Connection) -> str | None:
    revision = read_revision(connection)
    if revision is not None and revision not in known_revisions():
        what = f"the tables are of revision {revision}, of a later version of dotbus (this one's is {head()})"
        raise LaterVersion(f"{what}: run that version, or restore a back-up of before")
    return revision


def _make_schema(connection: sa.Connection, schema: str) -> None:
    """Make the schema unless somebody did who may, and gave it to us: then we need no right to make one."""
    if not connection.scalar(sa.text("SELECT count(*) FROM pg_namespace WHERE nspname = :schema"), {"schema": schema}):
        connection.execute(sa.text(f"CREATE SCHEMA {quoted(connection, schema)}"))


def _grants(database: Database, roles: Roles) -> list[str]:
    return [role for role in (database.writer_role, roles.reader) if role]


def _grant(connection: sa.Connection, schema: str, role: str, roles: Roles) -> bool:
    """Grant a role what it needs of tables that are there and that will be. Returns whether it exists."""
    if not connection.scalar(sa.text("SELECT count(*) FROM pg_roles WHERE rolname = :role"), {"role": role}):
        return False
    of, to = quoted(connection, schema), quoted(connection, role)
    rights = "SELECT" if role == roles.reader else "SELECT, INSERT"
    statements = [
        f"GRANT USAGE ON SCHEMA {of} TO {to}",
        f"GRANT {rights} ON ALL TABLES IN SCHEMA {of} TO {to}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {of} GRANT {rights} ON TABLES TO {to}",
        *(f"REVOKE ALL ON {of}.{table} FROM {to}" for table in OWNERS_ALONE),
    ]
    if role == roles.reader:
        statements.append(f"GRANT EXECUTE ON FUNCTION {of}.{_KEY_FUNCTION} TO {to}")
    else:
        statements += [
            f"REVOKE INSERT ON {of}.alembic_version FROM {to}",
            f"GRANT UPDATE ON {', '.join(f'{of}.{table}' for table in WRITER_CHANGES)} TO {to}",
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {of} TO {to}",
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA {of} GRANT USAGE ON SEQUENCES TO {to}",
        ]
    for statement in statements:
        connection.execute(sa.text(statement))
    return True
