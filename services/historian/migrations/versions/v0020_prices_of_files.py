"""What nobody knows of a price that came out of a file, its views no longer say; and means of an hour are those of the API."""

from pathlib import Path

from alembic import op

revision = "0020"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the views anew."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
