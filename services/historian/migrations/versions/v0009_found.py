"""What is noted lost is taken back also when its source says that it has it: the column says so."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Say what the column means now."""
    op.get_bind().exec_driver_sql(
        "COMMENT ON COLUMN lost_events.found_at IS "
        "'When all of them had come after all, or the source said that it has them; null while they are lost.'"
    )
