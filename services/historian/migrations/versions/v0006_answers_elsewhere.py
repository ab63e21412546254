"""An answer's outcome may be that another source's row has it: the words for it."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SHOWN_IN = ("instruction_response", "instruction_response_latest", "instruction_response_history")
_WORDS = (
    "sending (before CAISO is asked), taken, refused, unknown (CAISO did not answer), dry-run, elsewhere (another source''s "
    "row has the result)."
)


def upgrade() -> None:
    """Say it of the table and of the views that show the column."""
    for name in _SHOWN_IN:
        op.execute(f"COMMENT ON COLUMN {name}.outcome IS '{_WORDS}'")
