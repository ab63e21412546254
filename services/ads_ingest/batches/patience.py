"""Patience: how long CAISO may take for the answer to one kind of question, while what is new may wait behind it."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from caiso.ads.errors import TimedOut

T = TypeVar("T")

WITHIN_S = (5.0, 15.0, math.inf)
"""How long an answer may take at first, after a time-out, and after two: all the time that a question may take.

Something that is new may wait behind it, and an answer that does not come may come to the same question at once."""
ALL_THE_TIME = len(WITHIN_S) - 1
AGAIN_IN_VAIN = timedelta(minutes=5)
"""After a time-out of a question that had all the time, the next one has it so much later: CAISO is silent then, not slow."""
NONE_IN_VAIN = timedelta(0)


class Patience:
    """Of one kind of question. A CAISO that is slow is heard, and one that is silent holds up little.

    Args:
        clock: the wall clock.
        in_vain: how long none has more than the first time after one that had all of it in vain. Zero for the questions without
            which nothing new comes: what is known meanwhile has time.
    """

    def __init__(self, clock: Callable[[], datetime], in_vain: timedelta = AGAIN_IN_VAIN) -> None:
        self._clock = clock
        self._in_vain = in_vain
        self._came_within = 0
        self._timed_out = 0
        self._in_vain_at: datetime | None = None

    def ask(self, question: Callable[[float], T], *, timed_out: int | None = None) -> T:
        """Ask within a time.

        Args:
            question: takes the most seconds that its answer may take.
            timed_out: how often it timed out before; ALL_THE_TIME where the answer is known to be large, None for how often the
                last ones of its kind did.

        Raises:
            AdsFailure: why there is no answer.
        """
        begun = self._clock()
        most = min(ALL_THE_TIME, max(self._came_within, self._timed_out if timed_out is None else timed_out))
        within_s = WITHIN_S[0 if self._was_in_vain_of_late(begun) else most]
        try:
            answer = question(within_s)
        except TimedOut:
            self._timed_out, self._came_within = self._timed_out + 1, 0
            if math.isinf(within_s):
                self._in_vain_at = self._clock()
            raise
        took_s = abs(self._clock() - begun).total_seconds()
        self._timed_out, self._came_within = 0, next(step for step, most_s in enumerate(WITHIN_S) if took_s <= most_s)
        return answer

    def _was_in_vain_of_late(self, now: datetime) -> bool:
        return self._in_vain_at is not None and abs(now - self._in_vain_at) < self._in_vain
