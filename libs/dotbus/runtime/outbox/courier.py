"""The courier: takes what an ingest put into its outbox to the bus, and again when a consumer asks.

Its own thread, so that a slow answer from CAISO delays no delivery. Events go in the order of their numbers and are marked
once the broker has acknowledged them; states go when they changed, and all of them after each connection, because a broker
that lost its disk has forgotten what it retained. States come first, and again between the pieces of a long backlog or
replay: plants act on them.

What the broker refuses stays in the outbox and is tried again; it stops nothing that it does not refuse.
"""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from dotbus.contracts.codec import UndecodableMessage, decode_as, encode
from dotbus.contracts.messages import ReplayReply, ReplayRequest
from dotbus.contracts.topics import Topics
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import BusError, Delivery, Outgoing, PublishRefused
from dotbus.runtime.outbox.outbox import RETRACTED, KeptEvent, Outbox
from dotbus.runtime.outbox.own_stream import OwnStream
from dotbus.runtime.outbox.replay import AskedFor, Replays
from dotbus.runtime.outbox.sequence import SequenceRanges
from dotbus.runtime.presence import Identity

PIECE_LEAST, PIECE_FIRST, PIECE_MOST = 25, 100, 800
"""How many messages are published together, by how long the broker takes: a state that changes waits for the end of a piece."""
PIECE_QUICK_S, PIECE_SLOW_S = 0.25, 1.0
IDLE_S = 1.0
PAUSE_AFTER_REFUSAL_S = 5.0
PRUNE_EVERY_S = 60.0
LAST_ROUND_S = 5.0
"""How long a backlog may delay the end of the process."""
RETRACTIONS_KEPT = timedelta(days=1)
"""A broker that is killed may forget what it forgot; so long a retraction is said again on each connection."""
REPLAYS_WAITING = 100


class Courier:
    """Outbox to bus, for one source.

    Args:
        clock: the wall clock, for what is said.
        published: told how many events were acknowledged, for metrics.

    Attributes:
        refused: what the broker refuses of us, in its words; None once it takes all.
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
        self._said: dict[str, int] = {}
        self._complete: tuple[dict[str, int], int] | None = None
        self._refusals: list[str] = []
        self.refused: str | None = None
        self._walked_to = 0
        self._piece = PIECE_FIRST
        self._marked = True
        self._own_stream = OwnStream(bus, outbox, topics, identity, clock=clock)
        self._replays = Replays()
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
        """Whether the broker has the last word on every state, said on this connection."""
        complete = self._complete
        return complete is not None and complete[0] is self._said and complete[1] == self._outbox.states_version

    @property
    def settled(self) -> bool:
        """Whether the broker said what it knows of our stream: what we say of ourselves would replace it."""
        return self._own_stream.settled

    @property
    def is_alive(self) -> bool:
        """Whether it still works; when not, only a restart can help."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def wake(self) -> None:
        """There is something new in the outbox."""
        self._awake.set()

    def say_again(self) -> None:
        """Say every state once more: somebody else may have said others on our topics."""
        self._said = {}
        self.wake()

    def stop(self) -> None:
        """Deliver what waits if the broker is there, then end. What remains is in the outbox."""
        self._stopped.set()
        self.wake()
        self._thread.join()

    def _on_connection(self, connected: bool) -> None:  # noqa: FBT001  # a listener's one argument
        if connected:
            self.wake()
        else:  # not when the next one stands: by then something may have been said on it
            self._said = {}

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
        self._refusals = []
        self._walked_to = 0
        try:
            if self._bus.connected:
                self._deliver_states()
                self._own_stream.settle()
                self._mark_published([])
                self._deliver_events()
                self._answer_replays()
            self._prune()
        except (BusError, sqlite3.Error) as error:
            self._refusals.append(str(error))
        if self._refusals:
            self._complain(self._refusals[0])
            if self._bus.connected:  # else the next connection ends the pause
                self._stopped.wait(PAUSE_AFTER_REFUSAL_S)
        elif self._bus.connected:
            self._complaint = ""
            self.refused = None

    def _deliver_states(self) -> None:
        if self.caught_up:
            return
        said, version = self._said, self._outbox.states_version
        revisions = self._outbox.state_revisions()
        changed = [topic for topic, revision in revisions.items() if said.get(topic) != revision]
        current = True
        while changed:
            piece, changed = changed[: self._piece], changed[self._piece :]
            payloads = self._outbox.state_payloads(piece)
            refused = self._publish_piece([Outgoing(topic, payload, retain=True) for topic, payload in payloads.items()])
            said.update((topic, revisions[topic]) for topic in payloads.keys() - {state.topic for state in refused})
            current = current and all(state.payload == RETRACTED for state in refused)
        if current:
            self._complete = said, version

    def _deliver_events(self) -> None:
        end_at = time.monotonic() + LAST_ROUND_S
        while events := self._next_events():
            self._own_stream.announce()
            taken = self._publish_events(events)
            self._mark_published(taken)
            self._published(len(taken))
            self._walked_to = events[-1].number
            self._deliver_states()
            if self._stopped.is_set() and time.monotonic() > end_at:
                return

    def _next_events(self) -> list[KeptEvent]:
        self._own_stream.settle()  # before they are read: it may give them other numbers
        return self._outbox.unpublished(self._piece, self._walked_to)

    def _mark_published(self, taken: Sequence[int]) -> None:
        """The outbox remembers it whether the disk takes it or not, so that delivery goes on."""
        try:
            self._outbox.mark_published(taken)
        except sqlite3.Error as error:
            if self._marked:
                next_ = "trying again; until then a restart would send it once more"
                self._log.error("what was delivered cannot be marked as such", cause=str(error), next=next_)
            self._marked = False
        else:
            self._marked = True

    def _answer_replays(self) -> None:
        """Between two pieces come new events and states, and requests that may want the same as those before."""
        self._take_requests()
        while len(self._replays) and not self._stopped.is_set():
            if ranges := self._replays.next_ranges(self._piece):
                events = self._outbox.among(ranges, self._piece)
                taken = self._publish_events(events)
                self._replays.note(events[-1].number if events else ranges[-1][1], [event.number for event in events], taken)
            self._reply()
            self._deliver_states()
            self._deliver_events()
            self._take_requests()

    def _take_requests(self) -> None:
        while len(self._replays) < REPLAYS_WAITING and not self._requests.empty():
            request = self._requests.get_nowait()
            if request.numbers_taken:
                self._own_stream.give_other_numbers(request.stream)
            self._replays.add(request, self._outbox.numbers_of(request.stream))

    def _reply(self) -> None:
        for asked in self._replays.take_done():
            request = asked.request
            self._log.info("replayed", first_seq=request.first_seq, last_seq=request.last_seq, sent=asked.sent)
            reply = reply_to(asked, self._identity, self._outbox, self._clock())
            self._publish([Outgoing(self._reply_topic, encode(reply))])

    def _publish_events(self, events: Sequence[KeptEvent]) -> list[int]:
        """Publish events. Returns the numbers of those that the broker took."""
        messages = [Outgoing(event.topic, event.payload) for event in events]
        refused = self._publish_piece(messages)
        if not refused:
            return [event.number for event in events]
        left = set(refused)
        return [event.number for event, message in zip(events, messages, strict=True) if message not in left]

    def _publish_piece(self, messages: Sequence[Outgoing]) -> Sequence[Outgoing]:
        """The same, and the next piece is as large as the broker was quick."""
        begun = time.monotonic()
        try:
            return self._publish(messages)
        finally:
            self._piece = next_piece(self._piece, len(messages), time.monotonic() - begun)

    def _publish(self, messages: Sequence[Outgoing]) -> Sequence[Outgoing]:
        """Publish messages. Returns those that the broker refuses."""
        try:
            self._bus.publish(messages)
        except PublishRefused as error:
            self._refusals.append(str(error))
            self.refused = str(error)
            return error.refused or messages
        return ()

    def _prune(self) -> None:
        if time.monotonic() < self._prune_at:
            return
        self._prune_at = time.monotonic() + PRUNE_EVERY_S
        now = self._clock()
        self._outbox.prune(now)
        self._outbox.forget_retracted(self._said.keys(), now - RETRACTIONS_KEPT)

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            self._complaint = complaint
            self._log.error("delivery waits", cause=complaint, next="trying again")


def next_piece(size: int, published: int, took_s: float) -> int:
    """How many messages to publish together after a piece of so many took so long."""
    if took_s > PIECE_SLOW_S:
        return max(PIECE_LEAST, size // 2)
    return min(PIECE_MOST, size * 2) if published >= size and took_s < PIECE_QUICK_S else size


def reply_to(asked: AskedFor, identity: Identity, outbox: Outbox, now: datetime) -> ReplayReply:
    """What became of a request."""
    request, lost = asked.request, SequenceRanges.of(asked.lost)
    known = outbox.numbers_of(request.stream)
    oldest = outbox.between(known.base + 1, known.last, 1) if known else []
    wanted = sum(last - first + 1 for first, last in request.wanted)
    kept_no_more = f", {lost.size} kept no more" if lost.size else ""
    gone = f"this source's stream is {outbox.stream}; the other is gone"
    return ReplayReply(
        environment=identity.environment,
        source=identity.source,
        time=now,
        stream=request.stream,
        first_seq=request.first_seq,
        last_seq=request.last_seq,
        ranges=request.ranges,
        sent=asked.sent,
        lost=lost.ranges,
        oldest_seq=oldest[0].number - known.base if known and oldest else None,
        detail=f"{asked.sent} of {wanted} sent{kept_no_more}" if known else gone,
    )
