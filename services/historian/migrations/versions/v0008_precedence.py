"""Views that show what counts in the order that the states on the bus have, so that what names nobody hides nothing."""

import re
from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# A row of before 0005 that names no instruction has no word for it in its key; it counts by its time, as it did then.
_ORDER = """(
      coalesce({0}.revision_no, 0),
      CASE
        WHEN {0}.batch_status = 4 THEN 2
        WHEN {0}.revision_no IS NOT NULL AND right({0}.revision_key, 8) = '/unnamed' THEN 0
        ELSE 1
      END,
      {0}.time, {0}.event_no
    )"""
_OUTCOME = "coalesce(array_position(ARRAY['sending', 'elsewhere', 'unknown', 'refused', 'taken'], {0}.outcome), 4)"
"""An outcome that is none of these (dry-run, or of a later version) counts as one that CAISO was not asked for."""


def upgrade() -> None:
    """Make them anew, under the names and with the columns that they had."""
    text = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    text = re.sub(r"\{order (\w+)\}", lambda found: _ORDER.format(found[1]), text)
    op.get_bind().exec_driver_sql(re.sub(r"\{outcome (\w+)\}", lambda found: _OUTCOME.format(found[1]), text))
