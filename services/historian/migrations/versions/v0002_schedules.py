"""Views that tell five-minute DOTs from hourly ones: `instruction_latest` with its batch's type, `dot_latest` by schedule."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns to the one view, and make the other."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
