"""When the next request may begin: CAISO's spacing from start to start, and pauses after failures."""

from collections.abc import Callable
from datetime import datetime, timedelta

from caiso.oasis import OasisFailure, Remedy
from dotbus.runtime.schedule import backoff_s

FIRST_PAUSE_S = 10.0
MOST_PAUSE_S = 300.0
GIVEN_UP_PAUSE_S = 900.0


class Patience:
    """The rate of requests, over all markets.

    It begins as if a request had just been made: the process before this one may have made it.

    Args:
        spacing: from the start of one request to the start of the next.
        chance: 0 to 1, for pauses that many clients do not end together.
        now: the time of the process's start.

    Attributes:
        not_before: when the next request may begin.
    """

    def __init__(self, spacing: timedelta, chance: Callable[[], float], now: datetime) -> None:
        self._spacing = spacing
        self._chance = chance
        self._pauses = 0
        self.not_before = now + spacing

    def asked(self, now: datetime) -> None:
        """A request begins now."""
        self.not_before = now + self._spacing

    def answered(self) -> None:
        """CAISO answers, and what it said is kept."""
        self._pauses = 0

    def pause(self, now: datetime) -> None:
        """Ask nothing for a while, longer each time until something was answered and kept."""
        self._pauses += 1
        self.not_before = max(self.not_before, now + self._grown(self._pauses))

    def pause_after(self, failure: OasisFailure, failures: int, now: datetime) -> datetime:
        """When the question that failed may be asked again, and no other either when the failure asks for that.

        Args:
            failure: the failure.
            failures: how many this question had in a row, this one included.
            now: the time.
        """
        match failure.remedy:
            case Remedy.PAUSE:
                self.pause(now)
                again = self.not_before
            case Remedy.RETRY:
                self._pauses = 0
                again = now + self._grown(failures)
            case Remedy.GIVE_UP | Remedy.BY_MEANING:
                self._pauses = 0
                again = now + timedelta(seconds=GIVEN_UP_PAUSE_S)
        return again

    def _grown(self, failures: int) -> timedelta:
        """Never less than the spacing, because jitter takes half of a pause at most."""
        first_s = max(FIRST_PAUSE_S, 2 * self._spacing.total_seconds())
        return timedelta(seconds=backoff_s(failures, first_s, MOST_PAUSE_S, self._chance()))
