"""Alarms: what somebody should look into though CAISO answers. No dispatch batch for long, and an outage that CAISO forgot."""

from datetime import datetime, timedelta

from ads_ingest.batches.outages import Outages
from ads_ingest.batches.silence import Silence
from ads_ingest.settings import PREFIX
from dotbus.runtime.logs import get_logger


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
