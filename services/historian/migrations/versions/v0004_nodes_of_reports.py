"""The nodes of each report of prices beside it, so that two of one time that name one node are seen without reading prices."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Reports of before have none, and are compared price by price where their first node is the same."""
    op.execute("ALTER TABLE price_report ADD COLUMN node_nos int4multirange")
    op.execute(
        "COMMENT ON COLUMN price_report.node_nos IS 'Its nodes: no other of that time has any. Null if older than 0004.'"
    )
