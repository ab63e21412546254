"""The courier: takes what an ingest put into its outbox to the bus, and again when a consumer asks.

Its own thread, so that a slow answer from CAISO delays no delivery. Events go in the order of their numbers and are marked
once the broker has acknowledged them; states go when they changed, and all of them after each connection, because a broker
that lost its disk has forgotten what it retained.
"""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from dotbus.contracts.codec import UndecodableMessage, decode_as, encode
from dotbus.contracts.messages import ReplayReply, ReplayRequest
from dotbus.contracts.topics import Topics
from dotbus.runtime.bus import Bus, BusError, Delivery, Outgoing
from dotbus.runtime.logs import get_logger
from dotbus.runtime.outbox import KeptEvent, Outbox
from dotbus.runtime.presence import Identity

BATCH = 100
IDLE_S = 1.0
PAUSE_AFTER_REFUSAL_S = 5.0
PRUNE_EVERY_S = 60.0
REPLAYS_WAITING = 100


class Courier:
    """Outbox to bus, for one source.

    Args:
        clock: the wall clock, for what is said.
        published: told how many events were acknowledged, for metrics.
    """

    def __init__(
        self,
        bus: Bus,
        outbox: Outbox,
        topics: Topics,
        identity: Identity,
        *,
        clock: Callable[[], datetime],
        published: Callable[[int], None] = lambda _count: None,
    ) -> None:
        self._bus = bus
        self._outbox = outbox
        self._identity = identity
        self._reply_topic = topics.replay_reply(identity.service, identity.instance)
        self._clock = clock
        self._published = published
        self._said_revisions: dict[str, int] = {}
        self._caught_up = False
        self._requests: queue.Queue[ReplayRequest] = queue.Queue(REPLAYS_WAITING)
        self._awake = threading.Event()
        self._stopped = threading.Event()
        self._complaint = ""
        self._prune_at = 0.0
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._log = get_logger("courier")
        bus.subscribe([topics.replay(identity.service, identity.instance)], self._on_request)
        bus.on_connection(self._on_connection)

    @property
    def caught_up(self) -> bool:
        """Whether every state has been said on this connection."""
        return self._caught_up

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def wake(self) -> None:
        """There is something new in the outbox."""
        self._awake.set()

    def stop(self) -> None:
        """Deliver what waits if the broker is there, then end. What remains is in the outbox."""
        self._stopped.set()
        self.wake()
        self._thread.join()

    def _on_connection(self, connected: bool) -> None:  # noqa: FBT001  # a listener's one argument
        self._caught_up = False
        if connected:
            self._said_revisions = {}
            self.wake()

    def _on_request(self, delivery: Delivery) -> None:
        try:
            self._requests.put_nowait(decode_as(delivery.payload, ReplayRequest))
        except UndecodableMessage as error:
            self._log.warning("a replay request was not understood", reason=error.reason)
        except queue.Full:
            self._log.warning("too many replay requests wait; the consumer will ask again")
        delivery.ack()
        self.wake()

    def _run(self) -> None:
        while True:
            stopping = self._stopped.is_set()
            self._round()
            if stopping:
                return
            self._awake.wait(IDLE_S)
            self._awake.clear()

    def _round(self) -> None:
        try:
            if self._bus.connected:
                self._deliver_events()
                self._deliver_states()
                self._answer_requests()
                self._complaint = ""
            self._prune()
        except (BusError, sqlite3.Error) as error:
            self._complain(str(error))
            self._stopped.wait(PAUSE_AFTER_REFUSAL_S)

    def _deliver_events(self) -> None:
        while events := self._outbox.unpublished(BATCH):
            self._bus.publish([Outgoing(event.topic, event.payload) for event in events])
            self._outbox.mark_published([event.seq for event in events])
            self._published(len(events))

    def _deliver_states(self) -> None:
        said, revisions = self._said_revisions, self._outbox.state_revisions()
        changed = [topic for topic, revision in revisions.items() if said.get(topic) != revision]
        states = self._outbox.states() if changed else {}
        for start in range(0, len(changed), BATCH):
            topics = changed[start : start + BATCH]
            self._bus.publish([Outgoing(topic, states[topic], retain=True) for topic in topics])
            said.update((topic, revisions[topic]) for topic in topics)
        # A connection that was made meanwhile began with a memory of its own, and is not caught up by this.
        self._caught_up = said is self._said_revisions

    def _answer_requests(self) -> None:
        while not self._requests.empty():
            request = self._requests.get_nowait()
            sent = self._replay(request) if request.stream == self._outbox.stream else 0
            self._bus.publish([Outgoing(self._reply_topic, encode(self._reply(request, sent)))])

    def _replay(self, request: ReplayRequest) -> int:
        sent = 0
        for events in self._pieces(request):
            self._bus.publish([Outgoing(event.topic, event.payload) for event in events])
            sent += len(events)
        self._log.info("replayed", first_seq=request.first_seq, last_seq=request.last_seq, sent=sent)
        return sent

    def _pieces(self, request: ReplayRequest) -> Iterator[list[KeptEvent]]:
        first_seq = request.first_seq
        while events := self._outbox.between(first_seq, request.last_seq, BATCH):
            yield events
            first_seq = events[-1].seq + 1

    def _reply(self, request: ReplayRequest, sent: int) -> ReplayReply:
        span = self._outbox.span()
        known = request.stream == span.stream
        wanted = request.last_seq - request.first_seq + 1
        return ReplayReply(
            environment=self._identity.environment,
            source=self._identity.source,
            time=self._clock(),
            stream=request.stream,
            first_seq=request.first_seq,
            last_seq=request.last_seq,
            sent=sent,
            oldest_seq=span.first_seq if known else None,
            detail=f"{sent} of {wanted} sent" if known else f"this source's stream is {span.stream}; the other is gone",
        )

    def _prune(self) -> None:
        if time.monotonic() < self._prune_at:
            return
        self._prune_at = time.monotonic() + PRUNE_EVERY_S
        self._outbox.prune(self._clock())

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            self._complaint = complaint
            self._log.error("delivery waits", cause=complaint, next="trying again")
