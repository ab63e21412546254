"""What is on its way to the broker, and who waits for its answers.

Messages go in the order of the calls, each call's together, and no more at once than the broker takes (its Receive Maximum);
as answers come, the network thread itself sends the next ones. A publisher is woken once, when the last of its messages is
answered, not for each of them.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from dotbus.runtime.mqtt.messages import NotConnected, Outgoing, PublishTimedOut
from dotbus.runtime.mqtt.packets import Encoded

REFUSED_FROM = 0x80  # MQTT 5: reason codes from here on are failures
MOST_ON_THEIR_WAY = 2_000
"""A broker may take 65,535; more than this many make nothing faster."""
_WRITE_BYTES = 64 * 1024

Pair = tuple[Outgoing, Encoded]


class Batch:
    """The messages of one call.

    Attributes:
        unsent: those that have not gone yet.
        unanswered: how many the broker has not answered, unsent ones included.
        refused: those that it refused, with its reason codes.
        lost: whether their connection is over.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.unsent = iter(pairs)
        self.left = len(pairs)
        self.unanswered = len(pairs)
        self.refused: list[tuple[Outgoing, int]] = []
        self.lost = False


class Publishing:
    """One connection's messages, and those that wait for it. Every method may be called from any thread.

    Args:
        changed: guards it, and what else belongs to one connection.
        send: takes packets; called with `changed` held, so that their order is kept.
        next_number: gives packets their numbers.
    """

    def __init__(self, changed: threading.Condition, send: Callable[[bytes], None], next_number: Callable[[], int]) -> None:
        self._changed = changed
        self._send = send
        self._next_number = next_number
        self._at_once = 0
        self._waiting: deque[Batch] = deque()
        self._on_their_way: dict[int, tuple[Batch, Outgoing] | None] = {}

    def begin(self, at_once: int) -> None:
        """There is a connection, on which the broker takes so many unanswered messages."""
        with self._changed:
            self._at_once = min(at_once, MOST_ON_THEIR_WAY)

    def end(self) -> None:
        """The connection is over: whoever waits is told, and nothing of this is sent on another."""
        with self._changed:
            self._at_once = 0
            for batch in (*self._waiting, *(pair[0] for pair in self._on_their_way.values() if pair)):
                batch.lost = True
            self._waiting.clear()
            self._on_their_way.clear()
            self._changed.notify_all()

    def publish(self, pairs: Sequence[Pair], timeout_s: float) -> Sequence[tuple[Outgoing, int]]:
        """Send messages and wait for the answers. Returns those that the broker refused, with its reason codes.

        Raises:
            NotConnected: there is no connection, or it went.
            PublishTimedOut: an answer is missing.
        """
        batch, deadline = Batch(pairs), time.monotonic() + timeout_s
        with self._changed:
            if not self._at_once:
                raise NotConnected("there is no connection to the broker")
            self._waiting.append(batch)
            try:
                self._send_waiting()
                self._await(batch, deadline)
            except BaseException:
                self._abandon(batch)
                raise
        return batch.refused

    def answered(self, answers: Sequence[tuple[int, int]]) -> None:
        """The broker has taken or refused messages: numbers and reason codes."""
        done = False
        with self._changed:
            for number, code in answers:
                if pair := self._on_their_way.pop(number, None):
                    batch, message = pair
                    if code >= REFUSED_FROM:
                        batch.refused.append((message, code))
                    batch.unanswered -= 1
                    done = done or not batch.unanswered
            self._send_waiting()
            if done:
                self._changed.notify_all()

    def _await(self, batch: Batch, deadline: float) -> None:
        while batch.unanswered:
            if batch.lost:
                raise NotConnected("the connection was lost before the broker acknowledged")
            if (left_s := deadline - time.monotonic()) <= 0:
                raise PublishTimedOut(f"no acknowledgement from the broker for {batch.unanswered} messages")
            self._changed.wait(left_s)

    def _abandon(self, batch: Batch) -> None:
        """Nobody waits any more. What has not gone stays here; numbers that may still be answered are not used again."""
        if batch in self._waiting:
            self._waiting.remove(batch)
        for number, pair in self._on_their_way.items():
            if pair and pair[0] is batch:
                self._on_their_way[number] = None

    def _send_waiting(self) -> None:
        parts: list[bytes] = []
        size = 0
        while self._waiting and (room := self._at_once - len(self._on_their_way)) > 0:
            batch = self._waiting[0]
            for message, encoded in islice(batch.unsent, room):
                number = self._free_number()
                self._on_their_way[number] = batch, message
                parts += (encoded.head, number.to_bytes(2, "big"), encoded.properties, encoded.payload)
                batch.left -= 1
                if (size := size + len(encoded.payload)) >= _WRITE_BYTES:
                    self._send(b"".join(parts))
                    parts, size = [], 0
            if not batch.left:
                self._waiting.popleft()
        if parts:
            self._send(b"".join(parts))

    def _free_number(self) -> int:
        while (number := self._next_number()) in self._on_their_way:
            pass
        return number
