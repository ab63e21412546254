"""What `fetched_at` is of a price that was imported, which no file says."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_SAYS = "When OASIS gave it: tells revisions of an interval apart, UTC. Of an imported price two days before its interval."


def upgrade() -> None:
    """Say it of the table and of the views of it."""
    for name in ("price_report", "price_history", "price_latest"):
        op.execute(f"COMMENT ON COLUMN {name}.fetched_at IS '{_SAYS}'")
