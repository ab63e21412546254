"""Views for analysis: trade days, five-minute DOTs, set-points by the minute and prices by the hour, with Pacific columns."""

import re
from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_PACIFIC = "AT TIME ZONE 'America/Los_Angeles'"
_HOUR_ENDING = f"""CASE
    WHEN ({{0}} - interval '1 hour') {_PACIFIC} = {{0}} {_PACIFIC} THEN 25
    ELSE extract(hour FROM {{0}} {_PACIFIC})::integer + 1
  END"""


def upgrade() -> None:
    """Make them."""
    text = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    text = re.sub(r"\{hour_ending (\S+)\}", lambda found: _HOUR_ENDING.format(found[1]), text)
    op.get_bind().exec_driver_sql(text.replace("{pacific}", _PACIFIC))
