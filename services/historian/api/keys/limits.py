"""Limits: how often somebody may ask, and how many streams somebody may read at once, of all processes together."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from historian.api.keys.ledger import Ledger
from historian.api.problems import Problem, Sort

BURST_S: Final = 10.0
"""Who was silent so long may ask as often at once."""
KNOWN_MOST: Final = 10_000
"""So many are remembered; beyond it those who asked longest ago are as new."""


class RateLimit:
    """How often each may ask.

    Args:
        ledger: counts.
        what: is limited; limits of one name are one.
        per_s: in the mean.
    """

    def __init__(self, ledger: Ledger, what: str, per_s: float) -> None:
        self._ledger = ledger
        self._what = what
        self._per_s = per_s
        self._most = max(1.0, per_s * BURST_S)

    def take(self, who: str, now_s: float) -> None:
        """One more question.

        Raises:
            Problem: it is one too many; it says when the next one may be asked.
        """
        if problem := self.refusal(who, now_s):
            raise problem

    def refusal(self, who: str, now_s: float) -> Problem | None:
        """One more question, and the problem where it is one too many."""
        taken = self._ledger.take(self._what, who, now_s, per_s=self._per_s, most=self._most, known_most=KNOWN_MOST)
        if taken.is_given:
            return None
        wait_s = math.ceil((1 - taken.questions_left) / self._per_s)
        said = f"more than {self._per_s:g} questions a second; ask again in {wait_s} s, and for more at once"
        return Problem(Sort.TOO_OFTEN, said, retry_after_s=wait_s)


class Streams:
    """How many streams each reads.

    Args:
        ledger: counts.
        most_each: at once.
        most: of all together.
    """

    def __init__(self, ledger: Ledger, most_each: int, most: int) -> None:
        self._ledger = ledger
        self._most_each = most_each
        self._most = most

    @contextmanager
    def one(self, who: str) -> Iterator[None]:
        """One more, meanwhile.

        Raises:
            Problem: it is one too many.
        """
        number = self._ledger.begin_stream(who, most_each=self._most_each, most=self._most)
        if number is None:
            raise self._too_many(who)
        try:
            yield
        finally:
            self._ledger.end_stream(number)

    def _too_many(self, who: str) -> Problem:
        if self._ledger.streams(who) >= self._most_each:
            said = f"{self._most_each} streams are being read with this key; read one to its end, or close it"
            return Problem(Sort.TOO_OFTEN, said, retry_after_s=1)
        return Problem(Sort.BUSY, "all streams that there can be at once are being read; ask again later", retry_after_s=5)
