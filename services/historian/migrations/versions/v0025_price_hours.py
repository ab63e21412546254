"""Means of prices by the hour are kept, and which of them do not count any more."""

from pathlib import Path

from alembic import op

from dotbus.runtime.schedule import utc_now
from historian.upkeep.months import add_months, months_ahead

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the trigger, and mark the hours of all prices that there are."""
    connection = op.get_bind()
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
    add_months(connection, months_ahead(utc_now()), ("price_hour",))
