"""Turns: whether the clock was set back between two rounds.

While it was ahead, what holds today counted as past and was let go of, and CAISO says each thing once: it must be asked for all
that it has again.
"""

from datetime import datetime, timedelta

from dotbus.runtime.logs import get_logger

TOLERANCE = timedelta(seconds=2)
"""A clock that is only slewed goes back by less."""


class Turns:
    """The latest time at which a stream came round."""

    def __init__(self) -> None:
        self._latest: datetime | None = None
        self._log = get_logger("service")

    def went_back(self, now: datetime) -> bool:
        """Whether the clock shows an earlier time than the last time it was looked at."""
        latest, self._latest = self._latest, now
        if latest is None or latest - now <= TOLERANCE:
            return False
        self._log.warning("the clock went back; CAISO is asked for everything again", by_s=(latest - now).total_seconds())
        return True
