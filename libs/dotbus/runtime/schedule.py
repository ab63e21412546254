"""When to do a thing again: pure functions of what happened, and clocks to hand to whoever needs the time."""

import time
from datetime import UTC, datetime
from functools import partial
from typing import Final

_LASTING: Final = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
"""Of Linux CLOCK_MONOTONIC, which `time.monotonic` reads, stands still while the machine sleeps; that of macOS does not."""


def utc_now() -> datetime:
    """The wall clock, aware. Wiring passes it on; nothing else calls it."""
    return datetime.now(UTC)


lasting_s: Final = time.monotonic if _LASTING is None else partial(time.clock_gettime, _LASTING)
"""Seconds that nobody sets, and that go on while the machine sleeps: for what ends by itself, whether we run or not."""


def backoff_s(failures: int, first_s: float, most_s: float, jitter: float) -> float:
    """The pause after a number of failures in a row: doubling from `first_s`, never above `most_s`.

    `jitter` (0 to 1) takes up to half of it away, so that many clients do not return together.

        failures   1    2    3    4 ...
        pause      f   2f   4f   8f ... most
    """
    if failures < 1:
        return 0.0
    pause_s = min(most_s, first_s * 2.0 ** min(failures - 1, 60))
    return pause_s * (1.0 - 0.5 * jitter)
