"""Silence: since when CAISO named nothing new, though it answers. Pure.

An empty list may mean that there is nothing, or that CAISO has forgotten the UID that we ask from: the specification leaves
open how it says that. So all that CAISO has is asked for now and then while nothing comes: after two intervals, sooner when the
other stream has news, and less and less often. And a silence that lasts is told.
"""

from datetime import datetime, timedelta
from typing import Final

CHECK_FIRST: Final = timedelta(minutes=10)
CHECK_WITH_NEWS_ELSEWHERE: Final = timedelta(minutes=6)
"""Dispatches and trajectories come with each five-minute run: news of one, and none of the other for longer than one."""
CHECK_MOST: Final = timedelta(hours=1)


class Silence:
    """Of one stream.

    Args:
        now: the time.

    Attributes:
        news_at: when CAISO last named something new, or we began to listen.
    """

    def __init__(self, now: datetime) -> None:
        self.news_at = now
        self._checked_at = now
        self._wait = CHECK_FIRST

    def note_news(self, now: datetime) -> None:
        """CAISO named something new."""
        self.news_at = self._checked_at = now
        self._wait = CHECK_FIRST

    def note_checked(self, now: datetime) -> None:
        """All that CAISO has was asked for."""
        self._checked_at = now
        self._wait = min(2 * self._wait, CHECK_MOST)

    def is_to_check(self, other: "Silence", now: datetime) -> bool:
        """Whether to ask for all that CAISO has. `other` is that of the other stream."""
        has_news_elsewhere = other.news_at > self.news_at and self._wait == CHECK_FIRST
        wait = CHECK_WITH_NEWS_ELSEWHERE if has_news_elsewhere else self._wait
        return abs(now - self._checked_at) >= wait  # a clock that was set puts nothing off

    def lasted(self, now: datetime) -> timedelta:
        """How long nothing new came."""
        return max(now - self.news_at, timedelta(0))
