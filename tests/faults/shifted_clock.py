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


def set_shift(file: Path, ahead_s: float) -> None:
    """The clock of whoever was started with that file is ours plus so many seconds from now on.

    In one step, because it is read at any moment.
    """
    new = file.with_suffix(".new")
    new.write_text(str(ahead_s))
    new.replace(file)


def shifted_now() -> datetime:
    """The wrong time."""
    return datetime.now(UTC) + timedelta(seconds=float(Path(os.environ["SHIFT_FILE"]).read_text()))


if __name__ == "__main__":
    schedule.utc_now = shifted_now
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
