"""Clock steps: whether the wall clock was set between two rounds, seen against a clock that nobody sets.

While it was ahead, what holds today counted as past and was let go of, and CAISO says each thing once: it must be asked for all
that it has again. And what was said to be heard then was not heard in what is the future now.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from dotbus.runtime.logs import get_logger

TOLERANCE = timedelta(seconds=2)
"""A clock that is only slewed moves by less."""


class ClockSteps:
    """Compares two clocks.

    Args:
        clock: the wall clock.
        monotonic_s: seconds of a clock that goes on evenly.
    """

    def __init__(self, clock: Callable[[], datetime], monotonic_s: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._seen = (clock(), monotonic_s())
        self._log = get_logger("service")

    def set_back_by(self) -> timedelta:
        """How far the clock was set back since it was looked at last; zero when it was not, or was set forward."""
        (before, before_s), self._seen = self._seen, (self._clock(), self._monotonic_s())
        now, now_s = self._seen
        back = before + timedelta(seconds=now_s - before_s) - now
        if back <= TOLERANCE:
            return timedelta(0)
        self._log.warning("the clock was set back; CAISO is asked for everything again", by_s=back.total_seconds())
        return back
