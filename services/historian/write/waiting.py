"""Waiting: deliveries that came and are not in the database yet. Bounded by bytes and number; a full one stops the reading."""

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from sys import getsizeof

import msgspec

from dotbus.runtime.mqtt.messages import Delivery

FULL_LOOK_S = 0.5
"""How often somebody who waits for room looks whether he is to stop."""
_OF_EACH_BYTES = 500
"""What a delivery takes beside its payload."""


class Batch(msgspec.Struct, frozen=True):
    """Deliveries that were taken. Their room is given back once they are in the database."""

    deliveries: list[Delivery]
    size: int


class _Held(msgspec.Struct, frozen=True):
    """A delivery that waits, with the memory that it takes now and the memory that it takes once it is taken.

    Weighed once, by whoever brings it: what is done to each delivery within the lock keeps both sides.
    """

    delivery: Delivery
    size: int
    weight: int


class Waiting:
    """Deliveries from one thread to others.

    Args:
        max_bytes: memory that deliveries may take until they are in the database: a third of it as they came, two thirds as
            they are once they are read.
        stop: ends every waiting.
        weigh: the memory that a message of a topic takes until it is in the database.
    """

    def __init__(self, max_bytes: int, stop: threading.Event, weigh: Callable[[str, bytes], int]) -> None:
        self._most_waiting_bytes = max_bytes // 3
        self._most_taken_bytes = max_bytes - self._most_waiting_bytes
        self._stop = stop
        self._weigh = weigh
        self._held: deque[_Held] = deque()
        self._waiting_bytes = self._taken_bytes = 0
        self._changed = threading.Condition()

    def put(self, delivery: Delivery) -> None:
        """Add a delivery; waits while there is no room. One that is larger than all room is taken when nothing else waits."""
        size = _size(delivery)
        held = _Held(delivery, size, self._weigh(delivery.topic, delivery.payload) + size - len(delivery.payload))
        with self._changed:
            while self._waiting_bytes and self._waiting_bytes + size > self._most_waiting_bytes and not self._stop.is_set():
                self._changed.wait(FULL_LOOK_S)
            was_empty = not self._held
            self._held.append(held)
            self._waiting_bytes += size
            if was_empty:
                self._changed.notify_all()

    def take(self, max_messages: int, max_bytes: int, timeout_s: float) -> Batch:
        """The oldest deliveries, none when none came, or none had room, in time.

        At least one when nothing else is taken, however large it is.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._has_room_for_first(0, max_bytes), timeout_s)
            taken: list[Delivery] = []
            total = came = 0
            while len(taken) < max_messages and self._has_room_for_first(total, max_bytes):
                first = self._held.popleft()
                taken.append(first.delivery)
                total += first.weight
                came += first.size
            self._taken_bytes += total
            self._waiting_bytes -= came
            if taken:
                self._changed.notify_all()
            return Batch(taken, total)

    def release(self, size: int) -> None:
        """Give back the room of a batch."""
        with self._changed:
            self._taken_bytes -= size
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def oldest_at(self) -> datetime | None:
        """When the oldest that waits came; None when nothing waits."""
        with self._changed:
            return self._held[0].delivery.received_at if self._held else None

    @property
    def waiting_bytes(self) -> int:
        """The memory of what is not in the database yet, at the most."""
        return self._waiting_bytes + self._taken_bytes

    def _has_room_for_first(self, before: int, max_bytes: int) -> bool:
        """Whether there is a first, and room for it beside what else is taken, of which `before` is of the same batch."""
        if not self._held:
            return False
        if not (before or self._taken_bytes):
            return True
        with_it = before + self._held[0].weight
        return with_it <= max_bytes and self._taken_bytes + with_it <= self._most_taken_bytes


def _size(delivery: Delivery) -> int:
    """With what only requests need, which anybody may add to anything."""
    answer = len(delivery.response_topic or "") + len(delivery.correlation or "")
    return len(delivery.payload) + getsizeof(delivery.topic) + answer + _OF_EACH_BYTES
