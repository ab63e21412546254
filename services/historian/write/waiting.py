"""Waiting: deliveries that came and are not in the database yet. Bounded by bytes and number; a full one stops the reading."""

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime

import msgspec

from dotbus.runtime.bus_messages import Delivery

FULL_LOOK_S = 0.5
"""How often somebody who waits for room looks whether he is to stop."""
_OF_EACH_BYTES = 500
"""What a delivery takes beside its payload."""


class Batch(msgspec.Struct, frozen=True):
    """Deliveries that were taken. Their room is given back once they are in the database."""

    deliveries: list[Delivery]
    size: int


class Waiting:
    """Deliveries from one thread to others.

    Args:
        max_bytes: how much may be here, or taken and not in the database yet, before `put` waits.
        stop: ends every waiting.
        weigh: the memory that a message of a topic takes until it is in the database.
    """

    def __init__(self, max_bytes: int, stop: threading.Event, weigh: Callable[[str, bytes], int]) -> None:
        self._max_bytes = max_bytes
        self._stop = stop
        self._weigh = weigh
        self._deliveries: deque[tuple[Delivery, int]] = deque()
        self._bytes = 0
        self._changed = threading.Condition()

    def put(self, delivery: Delivery) -> None:
        """Add a delivery; waits while there is no room. One that is larger than all room is taken when nothing else is here."""
        size = self._weigh(delivery.topic, delivery.payload) + len(delivery.topic) + _OF_EACH_BYTES
        with self._changed:
            while self._bytes and self._bytes + size > self._max_bytes and not self._stop.is_set():
                self._changed.wait(FULL_LOOK_S)
            was_empty = not self._deliveries
            self._deliveries.append((delivery, size))
            self._bytes += size
            if was_empty:
                self._changed.notify_all()

    def take(self, max_messages: int, max_bytes: int, timeout_s: float) -> Batch:
        """The oldest deliveries, at least one once one has come; none when none came in time."""
        with self._changed:
            if not self._deliveries:
                self._changed.wait(timeout_s)
            taken: list[Delivery] = []
            total = 0
            while self._deliveries and len(taken) < max_messages and (not taken or total + self._deliveries[0][1] <= max_bytes):
                delivery, size = self._deliveries.popleft()
                taken.append(delivery)
                total += size
            return Batch(taken, total)

    def release(self, size: int) -> None:
        """Give back the room of a batch."""
        with self._changed:
            self._bytes -= size
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._deliveries)

    @property
    def oldest_at(self) -> datetime | None:
        """When the oldest that waits came; None when nothing waits."""
        with self._changed:
            return self._deliveries[0][0].received_at if self._deliveries else None

    @property
    def waiting_bytes(self) -> int:
        """The memory of what is not in the database yet, at the most."""
        return self._bytes
