"""Renumbered: streams with numbers that came again with other events, and when to tell their sources. Pure.

An outbox that was restored from a back-up gives its numbers a second time, unless the broker still tells how far its stream
went. All events are stored, but one that is missing hides behind another of its number.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from dotbus.contracts.messages import ServiceStatus
from dotbus.runtime.schedule import backoff_s
from historian.write.reading.record import Stream

MAX_STREAMS = 200
"""So many are told; whoever makes more is no source that one could tell."""


class Renumbered:
    """The streams, until their sources begin others.

    Args:
        first_s: the pause after a source was told once.
        most_s: the longest pause.
        jitter: 0 to 1, see `backoff_s`.
    """

    def __init__(self, first_s: float, most_s: float, jitter: Callable[[], float]) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._jitter = jitter
        self._told: dict[Stream, tuple[int, datetime]] = {}

    def note(self, stream: Stream, now: datetime) -> None:
        """Numbers of a stream came again with other events."""
        if len(self._told) < MAX_STREAMS:
            self._told.setdefault(stream, (0, now))

    def heard_status(self, status: ServiceStatus) -> None:
        """A source said which stream is its latest: what came under the others cannot be mended any more."""
        if status.online and status.outbox:
            for stream in [each for each in self._told if _is_of(each, status) and each.stream != status.outbox.stream]:
                del self._told[stream]

    def to_tell(self, now: datetime) -> list[Stream]:
        """Of which streams it is time to tell their sources. They count as told."""
        due = [stream for stream, (_, at) in self._told.items() if at <= now]
        for stream in due:
            times = self._told[stream][0] + 1
            pause_s = backoff_s(times, self._first_s, self._most_s, self._jitter())
            self._told[stream] = (times, now + timedelta(seconds=pause_s))
        return due


def _is_of(stream: Stream, status: ServiceStatus) -> bool:
    return (stream.environment, stream.source) == (str(status.environment), status.source)
