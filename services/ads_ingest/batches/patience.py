"""Patience: how long CAISO may take for the answer to one kind of question, while what is new may wait behind it."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from caiso.ads.errors import TimedOut

T = TypeVar("T")

WITHIN_S = 5.0
"""How long an answer may take while something that is new may wait behind it. What takes longer is asked for once more with all
the time that a question may take."""
AGAIN_IN_VAIN = timedelta(minutes=5)
"""After a time-out of a question that had all the time, the next one has it so much later: CAISO is silent then, not slow."""


class Patience:
    """Of one kind of question. A CAISO that is slow is heard, and one that is silent holds up little.

    Args:
        clock: the wall clock.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._is_slow = False
        self._timed_out = False
        self._in_vain_at: datetime | None = None

    def ask(self, question: Callable[[float], T], *, is_later: bool | None = None) -> T:
        """Ask within a time.

        Args:
            question: takes the most seconds that its answer may take.
            is_later: whether it was asked for in vain before; None for whether the last one of its kind timed out.

        Raises:
            AdsFailure: why there is no answer.
        """
        may_be_slow = self._is_slow or (self._timed_out if is_later is None else is_later)
        begun = self._clock()
        has_all_the_time = may_be_slow and not self._was_in_vain_of_late(begun)
        try:
            answer = question(math.inf if has_all_the_time else WITHIN_S)
        except TimedOut:
            self._timed_out, self._is_slow = True, False
            if has_all_the_time:
                self._in_vain_at = self._clock()
            raise
        self._timed_out, self._is_slow = False, abs(self._clock() - begun).total_seconds() > WITHIN_S
        return answer

    def _was_in_vain_of_late(self, now: datetime) -> bool:
        return self._in_vain_at is not None and abs(now - self._in_vain_at) < AGAIN_IN_VAIN
