"""The loop: deliveries from the bus in batches into the database, each acknowledged after the commit that holds it.

A batch is what has come by the time the last one is stored; nothing waits for it to be full. While the database is away nothing
is acknowledged: the queue fills, the broker keeps the rest, and all of it is stored when the database is back.
"""

import queue
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import ReplayReply, ReplayRequest, ServiceStatus
from dotbus.contracts.topics import EVENTS, Subject, Topics
from dotbus.runtime.bus_messages import BusError, Delivery, Outgoing
from dotbus.runtime.health import UpstreamHealth
from dotbus.runtime.logs import get_logger
from dotbus.runtime.presence import Identity
from dotbus.runtime.schedule import backoff_s
from dotbus.runtime.sequence import Range
from historian.gaps import Gaps
from historian.ledger import Known
from historian.meters import Meters
from historian.record import Stream, record
from historian.store import Arrival, Store, StoreUnavailable, Written

IDLE_S = 0.5
LOOK_EVERY = timedelta(seconds=1)
BATCH_MESSAGES = 1000
BATCH_BYTES = 8 * 1024 * 1024
RETRY_FIRST_S, RETRY_MOST_S = 0.5, 30.0

T = TypeVar("T")


class Publisher(Protocol):
    """The bus, as far as the loop needs it."""

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        ...

    def publish(self, messages: Sequence[Outgoing], timeout_s: float = ...) -> None:
        """Publish and wait for the acknowledgements."""
        ...


def filters(topics: Topics, share_group: str | None) -> list[str]:
    """What the historian subscribes to.

    Historians of one `share_group` divide the events between them. What sources say of themselves goes to each, because a
    broker gives no retained message to a shared subscription.
    """
    share = f"$share/{share_group}/" if share_group else ""
    events = [share + topics.every(subject) for subject in sorted(EVENTS)]
    return [*events, topics.every(Subject.SERVICE), topics.every(Subject.REPLAY_REPLY)]


class Historian:
    """Bus to database, until `stop`.

    Args:
        health: how the database is heard.
        changed: told when that changed.
    """

    def __init__(
        self,
        bus: Publisher,
        store: Store,
        topics: Topics,
        identity: Identity,
        gaps: Gaps,
        health: UpstreamHealth,
        meters: Meters,
        *,
        clock: Callable[[], datetime],
        stop: threading.Event,
        queue_size: int,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._bus = bus
        self._store = store
        self._topics = topics
        self._identity = identity
        self._gaps = gaps
        self._health = health
        self._meters = meters
        self._clock = clock
        self._stop = stop
        self._changed = changed
        self._queue: queue.Queue[Delivery] = queue.Queue(queue_size)
        self._look_at = clock()
        self.turned_at = clock()
        self._log = get_logger("historian")
        meters.watch_queue(self._queue.qsize)

    def take(self, delivery: Delivery) -> None:
        """Take a delivery from the bus; waits while the queue is full, so that nothing more is read."""
        while not self._stop.is_set():
            try:
                self._queue.put(delivery, timeout=IDLE_S)
            except queue.Full:
                continue
            return

    def run(self, reader_role: str | None) -> None:
        """Make or update the tables, then store what comes until told to stop."""
        granted = self._insist(lambda: self._store.migrate(reader_role))
        if granted is False:
            self._log.warning("the reader role does not exist; it was granted nothing", role=reader_role)
        if granted is not None:
            self._log.info("the tables are ready")
        while not self._stop.is_set():
            if deliveries := self._collect():
                self._keep(deliveries)
            self._look_for_gaps()
            self.turned_at = self._clock()

    def _collect(self) -> list[Delivery]:
        """What has come, once something has. Empty when nothing came for a while."""
        batch: list[Delivery] = []
        size = 0
        with suppress(queue.Empty):
            batch.append(self._queue.get(timeout=IDLE_S))
            while len(batch) < BATCH_MESSAGES and (size := size + len(batch[-1].payload)) < BATCH_BYTES:
                batch.append(self._queue.get_nowait())
        return batch

    def _keep(self, deliveries: Sequence[Delivery]) -> None:
        arrivals = [self._arrival(delivery) for delivery in deliveries]
        with self._meters.batch_seconds.time():
            written = self._insist(lambda: self._store.write(arrivals))
        if written is None:
            return  # told to stop: the broker has all of it still
        for delivery in deliveries:
            delivery.ack()
        self._note(written)
        for arrival in arrivals:
            match arrival.meaning:
                case ServiceStatus() as status:
                    self._gaps.heard_status(status)
                case ReplayReply() as reply:
                    self._gaps.heard_reply(reply)

    def _arrival(self, delivery: Delivery) -> Arrival:
        meaning = record(self._topics, delivery.topic, delivery.payload, delivery.received_at)
        return Arrival(delivery.topic, delivery.payload, delivery.received_at, meaning)

    def _note(self, written: Written) -> None:
        self._meters.events.inc(written.events)
        self._meters.dead_letters.inc(len(written.refusals))
        for topic, reason in written.refusals:
            self._log.error("a delivery cannot be stored and is kept as a dead letter", topic=topic, reason=reason)

    def _insist(self, work: Callable[[], T]) -> T | None:
        """Do it until the database does; None when told to stop before that."""
        while not self._stop.is_set():
            try:
                done = work()
            except StoreUnavailable as error:
                self._failed(error)
                self._stop.wait(backoff_s(self._health.failures_in_a_row, RETRY_FIRST_S, RETRY_MOST_S, random.random()))  # noqa: S311  # jitter, no secret
                self.turned_at = self._clock()
            else:
                self._succeeded()
                return done
        return None

    def _failed(self, error: StoreUnavailable) -> None:
        self._meters.store_failures.inc()
        if self._health.failed(self._clock(), str(error)):
            self._log.error("the database takes nothing", cause=str(error), next="trying again; nothing is acknowledged")
            self._changed()

    def _succeeded(self) -> None:
        was_ok = self._health.snapshot().ok
        if self._health.succeeded(self._clock()):
            self._log.info("the database is back")
        if not was_ok:
            self._changed()

    def _look_for_gaps(self) -> None:
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY
        known = self._insist(self._store.known)
        if known is None or not self._bus.connected:
            return
        for stream in sorted(self._gaps.streams | known.keys(), key=str):
            self._act(stream, known.get(stream, Known()), now)
        self._meters.note_missing(self._gaps.missing)

    def _act(self, stream: Stream, known: Known, now: datetime) -> None:
        action = self._gaps.look(stream, known.received.joined(known.lost), now)
        if action and action.lost:
            self._give_up(stream, action.lost, now)
        if action and action.ask:
            self._ask(stream, action.ask, now)

    def _give_up(self, stream: Stream, ranges: Sequence[Range], now: datetime) -> None:
        reason = "the source no longer has them"
        news = self._insist(lambda: self._store.record_lost(stream, ranges, reason, now))
        for first, last in news or ():
            self._meters.lost.inc(last - first + 1)
            self._log.error(
                "events are lost", source=stream.source, stream=stream.stream, first_seq=first, last_seq=last, reason=reason
            )

    def _ask(self, stream: Stream, ranges: Sequence[Range], now: datetime) -> None:
        service, _, instance = stream.source.partition("/")
        topic = self._topics.replay(service, instance)
        requests = [
            ReplayRequest(
                environment=self._identity.environment,
                source=self._identity.source,
                time=now,
                stream=stream.stream,
                first_seq=first,
                last_seq=last,
            )
            for first, last in ranges
        ]
        self._log.warning("events are missing; asking for them", source=stream.source, stream=stream.stream, ranges=ranges)
        try:
            self._bus.publish([Outgoing(topic, encode(request)) for request in requests])
        except BusError as error:
            self._log.warning("the replay was not asked for; trying again", cause=str(error))
        else:
            self._meters.asked_again.inc(sum(last - first + 1 for first, last in ranges))
