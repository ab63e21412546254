"""Tables with small keys and a part for each month, in a schema of their own; what was kept before moves into them."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from dotbus.runtime.schedule import utc_now
from historian.upkeep.months import add_months, is_divided, month_of, months_ahead

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_FOLDER = Path(__file__).parent
_OLD_TABLES = (
    "dispatch_batch", "instruction", "instruction_detail", "trajectory_batch", "dop", "compliance", "price",
    "service_state", "dead_letter", "source_sequence", "lost_events",
)  # fmt: skip
_OLD_VIEWS = ("dot_latest", "instruction_latest", "dispatch_batch_latest", "price_latest")
_INSTRUCTIONS = ("instruction", "instruction_detail")
_TIMES = (
    ("dispatch_batch", "start_at", _INSTRUCTIONS),
    ("instruction", "start_at", _INSTRUCTIONS),
    ("dop", "target_at", ("dop",)),
    ("compliance", "start_at", ("compliance",)),
    ("price", "interval_start", ("price",)),
)
"""Which tables of before say which months are needed, by which column, of which tables."""
_DIVIDED = (*_INSTRUCTIONS, "dop", "compliance", "price")


def upgrade() -> None:
    """Set the old tables aside, make the new ones, move the rows, drop the old ones."""
    connection = op.get_bind()
    before = f"{connection.scalar(sa.text('SELECT current_schema()'))}_before"
    quoted = connection.dialect.identifier_preparer.quote_identifier(before)
    for view in _OLD_VIEWS:
        connection.execute(sa.text(f"DROP VIEW IF EXISTS {view}"))
    connection.execute(sa.text(f"CREATE SCHEMA {quoted}"))
    for table in _OLD_TABLES:
        connection.execute(sa.text(f"ALTER TABLE {table} SET SCHEMA {quoted}"))
    _run(connection, "v0003_small_keys_and_months.sql")
    add_months(connection, months_ahead(utc_now()), _DIVIDED)
    for table, column, divided in _TIMES:
        months = connection.scalars(
            sa.text(f"SELECT DISTINCT date_trunc('month', {column}, 'UTC') FROM {quoted}.{table} WHERE {column} IS NOT NULL")  # noqa: S608  # names of ours
        )
        add_months(connection, [month_of(month) for month in months if is_divided(month, utc_now())], divided)
    _run(connection, "v0003_move.sql", before=quoted)
    _run(connection, "v0003_views.sql")
    _run(connection, "v0003_view_comments.sql")
    connection.execute(sa.text(f"DROP SCHEMA {quoted} CASCADE"))


def _run(connection: sa.Connection, file: str, **names: str) -> None:
    text = (_FOLDER / file).read_text(encoding="utf-8")
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    connection.exec_driver_sql(text)
