"""Dead letters of less than a page are kept as they came: to compress them is half of what the database spends on them."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """For those that come from now on; what is stored stays as it is."""
    op.get_bind().exec_driver_sql("ALTER TABLE dead_letter SET (toast_tuple_target = 8160)")
