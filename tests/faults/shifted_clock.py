"""A service whose clock is wrong: `python -m faults.shifted_clock MODULE` runs the module's service as it is.

Its wall clock is ours plus the seconds in the file that SHIFT_FILE names, read again each time. Its monotonic clock, as that of
a machine whose clock is set, does not notice.
"""

import os
import runpy
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dotbus.runtime import schedule

_FILE = Path(os.environ["SHIFT_FILE"])


def shifted_now() -> datetime:
    """The wrong time."""
    return datetime.now(UTC) + timedelta(seconds=float(_FILE.read_text()))


if __name__ == "__main__":
    schedule.utc_now = shifted_now
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
