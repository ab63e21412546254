"""What plants say of their resources, what is written to them, and whom a gateway asked for when it answered an instruction."""

from pathlib import Path

from alembic import op

from dotbus.runtime.schedule import utc_now
from historian.upkeep.months import add_months, months_ahead

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, their months and views; answers of before have null for whom they were asked for."""
    connection = op.get_bind()
    connection.exec_driver_sql(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
    add_months(connection, months_ahead(utc_now()), ["telemetry"])
