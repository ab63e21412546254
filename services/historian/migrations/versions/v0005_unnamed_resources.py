"""What is told without instructions has a key of its own beside what names the resource in the same revision: the words for it.

Rows of before stay as they are: under the key of what names the resource, which is what they are compared with.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SHOWN_IN = ("dispatch_batch", "instruction_latest", "instruction_history", "dispatch_batch_latest", "dispatch_batch_history")
_WORDS = "Revision and status, as in 2.3, and /unnamed without instructions; the event''s id where CAISO numbers no revision."


def upgrade() -> None:
    """Say it of the table and of each view that shows the column."""
    for name in _SHOWN_IN:
        op.execute(f"COMMENT ON COLUMN {name}.revision_key IS '{_WORDS}'")
