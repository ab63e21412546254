"""Limits: how often somebody may ask, and how many streams somebody may read at once (pure; time is an argument)."""

import math
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from historian.api.problems import Problem, Sort

BURST_S: Final = 10.0
"""Who was silent so long may ask as often at once."""
KNOWN_MOST: Final = 10_000
"""So many are remembered; beyond it those who asked longest ago are as new."""


class RateLimit:
    """How often each may ask.

    Args:
        per_s: in the mean.
    """

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._most = max(1.0, per_s * BURST_S)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str, now_s: float) -> None:
        """One more question.

        Raises:
            Problem: it is one too many; it says when the next one may be asked.
        """
        left, since_s = self._left.pop(who, (self._most, now_s))
        left = min(self._most, left + (now_s - since_s) * self._per_s)
        is_one_left = left >= 1
        self._left[who] = (left - is_one_left, now_s)
        if len(self._left) > KNOWN_MOST:
            self._left.popitem(last=False)
        if not is_one_left:
            wait_s = math.ceil((1 - left) / self._per_s)
            said = f"more than {self._per_s:g} questions a second; ask again in {wait_s} s, and for more at once"
            raise Problem(Sort.TOO_OFTEN, said, retry_after_s=wait_s)


class Streams:
    """How many streams each reads.

    Args:
        most_each: at once.
        most: of all together.
    """

    def __init__(self, most_each: int, most: int) -> None:
        self._most_each = most_each
        self._most = most
        self._open: Counter[str] = Counter()

    @contextmanager
    def one(self, who: str) -> Iterator[None]:
        """One more, meanwhile.

        Raises:
            Problem: it is one too many.
        """
        if self._open[who] >= self._most_each:
            said = f"{self._most_each} streams are being read with this key; read one to its end, or close it"
            raise Problem(Sort.TOO_OFTEN, said, retry_after_s=1)
        if self._open.total() >= self._most:
            raise Problem(Sort.BUSY, "all streams that there can be at once are being read; ask again later", retry_after_s=5)
        self._open[who] += 1
        try:
            yield
        finally:
            self._open[who] -= 1
            self._open += Counter()  # nobody is remembered who reads nothing
