"""Wakes: what turns when, by the wall clock, in the order of time. Each thing has one time or none. Pure."""

import heapq
from collections.abc import Hashable
from datetime import datetime
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Wakes(Generic[K]):
    """Which time comes next, at a cost that does not grow with what waits for a later one.

    The wall clock is right here: what is said of a time is judged by it. Who sees it set has everything looked at anew.
    """

    def __init__(self) -> None:
        self._at: dict[K, datetime] = {}
        self._queue: list[tuple[datetime, int, K]] = []
        self._queued_at: dict[K, datetime] = {}
        self._count = 0

    @property
    def next_at(self) -> datetime | None:
        """When to look next: nothing turns before."""
        return self._queue[0][0] if self._queue else None

    def put(self, key: K, at: datetime | None) -> None:
        """Something turns at a time, and no more at any that was said of it before; None: it does not turn."""
        if at is None:
            self._at.pop(key, None)
            return
        self._at[key] = at
        queued_at = self._queued_at.get(key)
        if queued_at is None or at < queued_at:  # a later one takes its place when the earlier one comes
            self._push(key, at)

    def due(self, now: datetime) -> list[tuple[K, datetime]]:
        """What has turned by now and when, in the order of that. It is given once."""
        found = []
        while self._queue and self._queue[0][0] <= now:
            queued_at, _, key = heapq.heappop(self._queue)
            if self._queued_at.get(key) != queued_at:
                continue
            del self._queued_at[key]
            at = self._at.get(key)
            if at is not None and at <= now:
                del self._at[key]
                found.append((key, at))
            elif at is not None:
                self._push(key, at)
        return found

    def _push(self, key: K, at: datetime) -> None:
        self._count += 1  # equal times stand in the order in which they were said; keys are not compared
        self._queued_at[key] = at
        heapq.heappush(self._queue, (at, self._count, key))
