"""Waiting: deliveries that came and are not in the database yet. Bounded by bytes and number; a full one stops the reading."""

import threading
from collections import deque
from datetime import datetime

from dotbus.runtime.bus_messages import Delivery

FULL_LOOK_S = 0.5
"""How often somebody who waits for room looks whether he is to stop."""
_OF_EACH_BYTES = 500
"""What a delivery takes beside its payload."""


class Waiting:
    """Deliveries from one thread to another.

    Args:
        max_bytes: how much may wait before `put` waits itself.
        stop: ends every waiting.
    """

    def __init__(self, max_bytes: int, stop: threading.Event) -> None:
        self._max_bytes = max_bytes
        self._stop = stop
        self._deliveries: deque[Delivery] = deque()
        self._bytes = 0
        self._changed = threading.Condition()

    def put(self, delivery: Delivery) -> None:
        """Add a delivery; waits while there is no room. One that is larger than all room is taken when nothing else waits."""
        with self._changed:
            while self._bytes >= self._max_bytes and not self._stop.is_set():
                self._changed.wait(FULL_LOOK_S)
            was_empty = not self._deliveries
            self._deliveries.append(delivery)
            self._bytes += _size(delivery)
            if was_empty:
                self._changed.notify_all()

    def take(self, max_messages: int, max_bytes: int, timeout_s: float) -> list[Delivery]:
        """The oldest deliveries, at least one once one has come; none when none came in time."""
        with self._changed:
            if not self._deliveries:
                self._changed.wait(timeout_s)
            taken: list[Delivery] = []
            size = 0
            while self._deliveries and len(taken) < max_messages and size < max_bytes:
                delivery = self._deliveries.popleft()
                taken.append(delivery)
                size += _size(delivery)
            was_full = self._bytes >= self._max_bytes
            self._bytes -= size
            if was_full:
                self._changed.notify_all()
            return taken

    def __len__(self) -> int:
        return len(self._deliveries)

    @property
    def oldest_at(self) -> datetime | None:
        """When the oldest that waits came; None when nothing waits."""
        with self._changed:
            return self._deliveries[0].received_at if self._deliveries else None

    @property
    def waiting_bytes(self) -> int:
        """What waits, roughly as it takes memory."""
        return self._bytes


def _size(delivery: Delivery) -> int:
    return len(delivery.payload) + len(delivery.topic) + _OF_EACH_BYTES
