"""An exceptional dispatch that began days ago is in the views that tell what was in force, found by an index of its own."""

import re
from pathlib import Path

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_PACIFIC = "AT TIME ZONE 'America/Los_Angeles'"
_HOUR_ENDING = f"""CASE
    WHEN ({{0}} - interval '1 hour') {_PACIFIC} = {{0}} {_PACIFIC} THEN 25
    ELSE extract(hour FROM {{0}} {_PACIFIC})::integer + 1
  END"""


def upgrade() -> None:
    """Make the index, and the views anew."""
    text = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    text = re.sub(r"\{hour_ending (\S+)\}", lambda found: _HOUR_ENDING.format(found[1]), text)
    text = re.sub(r"\{is_long ?(\S*)\}", lambda found: _is_long(f"{found[1]}." if found[1] else ""), text)
    op.get_bind().exec_driver_sql(text.replace("{pacific}", _PACIFIC))


def _is_long(of: str) -> str:
    """Said alike wherever it is said: else the planner does not see that the index serves."""
    return f"{of}interval_end - {of}interval_start > interval '1 day'"
