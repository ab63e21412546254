"""Alarms: what somebody should look into though CAISO answers. No batch for long, an outage, a clock that was set.

An empty list may mean that there is nothing, or that CAISO has forgotten the UID that we ask from: the specification leaves
open how it says that. So all that CAISO has is asked for now and then (`passed_over`), trajectories while none come: after two
intervals, sooner when there are dispatches, and less and less often. And a silence that lasts is told.

While the wall clock was ahead, what holds today counted as past and was let go of, and CAISO says each thing once: after such a
step it must be asked for all that it has again. And what was said to be heard then was not heard in what is the future now.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from ads_ingest.batches.outages import Outages
from ads_ingest.settings import PREFIX
from dotbus.runtime.logs import get_logger

CHECK_FIRST: Final = timedelta(minutes=10)
CHECK_WITH_NEWS_ELSEWHERE: Final = timedelta(minutes=6)
"""Dispatches and trajectories come with each five-minute run: news of one, and none of the other for longer than one."""
CHECK_MOST: Final = timedelta(hours=1)
TOLERANCE = timedelta(seconds=2)
"""A clock that is only slewed moves by less."""


class Silence:
    """Since when CAISO named nothing new to one stream, though it answers. Pure.

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


class ClockSteps:
    """Whether the wall clock was set between two rounds, seen against a clock that nobody sets.

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


class DispatchAlarms:
    """Those of the dispatch batches.

    Args:
        silence: since when no batch came.
        alarm_after: how long none may come before somebody is told.
        outages: after which batches are missing.
    """

    def __init__(self, silence: Silence, alarm_after: timedelta, outages: Outages) -> None:
        self._silence = silence
        self._alarm_after = alarm_after
        self._outages = outages
        self._is_silent = False
        self._log = get_logger("ads")

    def note_heard(self, now: datetime, caiso_now: datetime | None) -> None:
        """CAISO answered what is new: as `Outages.note_heard`."""
        self._outages.note_heard(now, caiso_now)

    def alarms(self, now: datetime) -> tuple[str, ...]:
        """What to tell now. A silence is told in the log when it begins."""
        return (*self._of_silence(now), *self._outages.alarms(now))

    def _of_silence(self, now: datetime) -> tuple[str, ...]:
        lasted = self._silence.lasted(now)
        was_silent, self._is_silent = self._is_silent, lasted >= self._alarm_after
        if not self._is_silent:
            return ()
        if not was_silent:
            hint = f"ask CAISO whether the certificate still sees its resources; {PREFIX}NO_BATCH_ALARM_MIN sets the limit"
            self._log.warning(
                "no dispatch batch comes, though CAISO answers", since=self._silence.news_at.isoformat(), next=hint
            )
        return (f"no dispatch batch for {lasted // timedelta(minutes=1)} min, though CAISO answers",)
