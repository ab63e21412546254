"""Writers: threads that take what waits, a batch each, and put it into the database, one working while the other waits for it.

What is not an event (statuses, replies) and the acknowledgements go in the order of arrival: each writer waits for its turn.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from dotbus.contracts.messages import ServiceStatus
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.messages import Delivery
from historian.meters import Meters
from historian.write.persistence import Persistence
from historian.write.reading.arrivals import Arrival, Written
from historian.write.reading.record import Recorder, Stream
from historian.write.sequences.heard import Heard, Word
from historian.write.storing.store import Store
from historian.write.waiting import Waiting

IDLE_S = 0.5
BATCH_MESSAGES = 5000
BATCH_BYTES = 16_000_000
"""Of memory: two batches are at work, and two thirds of what is allowed by default."""
LOGGED_CHARACTERS = 200
LOGGED_REJECTIONS = 20
"""Of one batch; all of them are dead letters."""


class Acknowledging(Protocol):
    """The bus, as far as writers need it."""

    def ack_all(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge in one go."""
        ...


class Writers:
    """Several writers of one queue.

    Attributes:
        heard: what sources said of themselves, in the order of arrival.
        renumbered: streams with numbers that came again with other events, for whoever asks for what is missing.
        crowded_at: when an event of a stream beyond the bounds came last.

    Args:
        stores: one for each writer.
        waiting: what they take from.
    """

    def __init__(
        self,
        bus: Acknowledging,
        stores: Sequence[Store],
        waiting: Waiting,
        recorder: Recorder,
        persistence: Persistence,
        meters: Meters,
        *,
        clock: Callable[[], datetime],
        stop: threading.Event,
    ) -> None:
        self._bus = bus
        self._waiting = waiting
        self._record = recorder.record
        self._insist = persistence.insist
        self._meters = meters
        self._clock = clock
        self._stop = stop
        self._taking = threading.Lock()
        self._turn = threading.Condition()
        self._taken = self._done = 0
        self._at_work: dict[int, datetime] = {}
        self._turned_at = [clock()] * len(stores)
        self._log = get_logger("historian")
        self.heard = Heard()
        self.renumbered: deque[Stream] = deque()
        self.crowded_at: datetime | None = None
        self._threads = [
            threading.Thread(target=self._run, args=(number, store), name=f"writer-{number}", daemon=True)
            for number, store in enumerate(stores)
        ]

    @property
    def turned_at(self) -> datetime:
        """When the one that is furthest behind came round last."""
        return min(self._turned_at)

    @property
    def lag_s(self) -> float:
        """Age of the oldest delivery that came and is not acknowledged; 0 when there is none."""
        oldest_at = next(iter(list(self._at_work.values())), None) or self._waiting.oldest_at
        return max(0.0, (self._clock() - oldest_at).total_seconds()) if oldest_at else 0.0

    @property
    def are_alive(self) -> bool:
        """Whether all of them still work; when not, only a restart can help."""
        return all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Begin to write."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until they ended, which they do when told to stop."""
        for thread in self._threads:
            thread.join()

    def _run(self, number: int, store: Store) -> None:
        while not self._stop.is_set():
            size = self._write_next(number, store)
            self._waiting.release(size)  # of what nothing refers to any more
            self._note_turn(number)

    def _write_next(self, number: int, store: Store) -> int:
        """Write a batch, if there is one. Returns the room that it took."""
        with self._taking:
            batch = self._waiting.take(BATCH_MESSAGES, BATCH_BYTES, IDLE_S)
            place = self._taken
            if batch.deliveries:
                self._at_work[place] = batch.deliveries[0].received_at
                self._taken += 1
        if batch.deliveries:
            self._write(number, store, batch.deliveries, place)
        return batch.size

    def _note_turn(self, number: int) -> None:
        self._turned_at[number] = self._clock()

    def _write(self, number: int, store: Store, deliveries: Sequence[Delivery], place: int) -> None:
        arrivals = [
            Arrival(delivery.topic, delivery.payload, delivery.received_at, self._record(delivery.topic, delivery.payload))
            for delivery in deliveries
        ]
        with self._meters.batch_seconds.time():
            written = self._insist(
                lambda failures: store.write(arrivals, self._clock(), failures), lambda: self._note_turn(number)
            )
        if written is None or not self._await_turn(number, place):
            return  # told to stop: the broker has all of it still
        statuses = [arrival for arrival in arrivals if isinstance(arrival.meaning, ServiceStatus)]
        if statuses:
            self._insist(lambda failures: store.write_statuses(statuses, written, failures), lambda: self._note_turn(number))
        if not self._stop.is_set():
            self._bus.ack_all(deliveries)
            self._hear(arrivals)
        self._end_turn()
        self._note(written)

    def _await_turn(self, number: int, place: int) -> bool:
        with self._turn:
            while self._done != place and not self._stop.is_set():
                self._turn.wait(IDLE_S)
                self._note_turn(number)
        return self._done == place

    def _end_turn(self) -> None:
        with self._turn:
            self._at_work.pop(self._done)
            self._done += 1
            self._turn.notify_all()

    def _hear(self, arrivals: Sequence[Arrival]) -> None:
        self.heard.add(meaning for arrival in arrivals if isinstance(meaning := arrival.meaning, Word))

    def _note(self, written: Written) -> None:
        self._meters.note(written)
        if written.strangers:
            self.crowded_at = self._clock()
        for rejection in written.rejections[:LOGGED_REJECTIONS]:
            self._log.error(
                "a delivery cannot be stored and is kept as a dead letter",
                topic=rejection.arrival.topic[:LOGGED_CHARACTERS],
                kind=rejection.kind,
                reason=rejection.reason,
            )
        if (more := len(written.rejections) - LOGGED_REJECTIONS) > 0:
            self._log.error("more deliveries cannot be stored and are kept as dead letters", count=more)
        self.renumbered.extend(written.renumbered)
        for stream, seqs in written.renumbered.items():
            self._log.error(
                "numbers came again with other events",
                source=stream.source,
                stream=stream.stream,
                seqs=seqs[:LOGGED_CHARACTERS],
                next="all are stored; its source is told to send what it has under other numbers: was its outbox restored?",
            )
