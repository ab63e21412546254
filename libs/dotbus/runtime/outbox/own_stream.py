"""Our own stream as the broker knows it: it tells whether the outbox's file is older than what was published from it.

A file that was restored from a back-up, or is a copy that another process went on with, would give its next numbers to other
events than those that consumers have under them. The broker retains how far the stream was told, on a topic of its own, where
no last will replaces it; it is said before the events, so that no number is out that it does not cover. When it tells of more
than the file has, a new stream begins. The status of a process before us counts as well. A broker that lost what it retained
tells nothing: then a consumer sees it, by numbers that come again with other events, and says so.
"""

import threading
from collections.abc import Callable
from datetime import datetime

from dotbus.contracts.codec import UndecodableMessage, decode_as, encode
from dotbus.contracts.messages import ServiceStatus, StreamState
from dotbus.contracts.topics import Topics
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery, NotConnected, Outgoing, PublishRefused
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.presence import Identity

SETTLE_S = 2.0
"""How long a broker that says nothing of our stream is waited for, once in a process: it may never have heard of it."""


class OwnStream:
    """What was told of the stream. Make it before the bus starts; all but the deliveries belong to the courier's thread.

    Attributes:
        settled: whether the broker said what it knows, or knows nothing. Events wait until then.
    """

    def __init__(self, bus: Bus, outbox: Outbox, topics: Topics, identity: Identity, *, clock: Callable[[], datetime]) -> None:
        self._bus = bus
        self._outbox = outbox
        self._identity = identity
        self._clock = clock
        self._topic = topics.stream(identity.service, identity.instance)
        self._heard = threading.Event()
        self._claimed: tuple[str, int] = (outbox.stream, 0)
        self._told_seq = outbox.last_seq
        self._announced_seq = 0
        self._refused = False
        self.settled = False
        self._log = get_logger("stream")
        bus.subscribe([self._topic], self._on_stream)
        bus.subscribe([topics.service(identity.service, identity.instance)], self._on_status)
        bus.on_connection(self._on_connection)

    def settle(self) -> None:
        """Before events go out: begin a new stream when more was told of this one than the file has.

        Raises:
            NotConnected: the connection went before the broker said anything.
            sqlite3.Error: the outbox cannot begin one.
        """
        if not self.settled:
            self._heard.wait(SETTLE_S)
            if not self._bus.connected:
                raise NotConnected("the connection was lost before the broker said what it knows of our stream")
            self.settled = True
        stream, last_seq = self._claimed
        if stream == self._outbox.stream and last_seq > self._told_seq:
            self._begin_stream(again=False, published_to=last_seq)

    def give_other_numbers(self, stream: str) -> None:
        """A consumer has other events under numbers of a stream: if it is the one that goes on, begin another with all of it.

        Raises:
            sqlite3.Error: the outbox cannot begin one.
        """
        if stream == self._outbox.stream:
            self._begin_stream(again=True)

    def _begin_stream(self, *, again: bool, published_to: int | None = None) -> None:
        before = self._outbox.stream
        renumbered = self._outbox.begin_stream(again=again)
        self._log.warning(
            "the outbox is older than what was published: a new stream begins",
            before=before,
            published_to=published_to,
            kept_to=self._told_seq,
            now=self._outbox.stream,
            renumbered=renumbered,
            next="if nobody restored the outbox, see that no other process uses a copy of it",
        )
        self._told_seq = self._outbox.last_seq
        self._announced_seq = 0

    def announce(self) -> None:
        """Say how far the stream goes, unless it was said on this connection. Call before the events are published.

        Raises:
            BusError: it is not known to be with the broker.
        """
        last_seq = self._outbox.last_seq
        if last_seq <= self._announced_seq or self._refused:
            return
        self._told_seq = max(self._told_seq, last_seq)
        state = StreamState(
            environment=self._identity.environment,
            source=self._identity.source,
            time=self._clock(),
            stream=self._outbox.stream,
            last_seq=last_seq,
        )
        try:
            self._bus.publish([Outgoing(self._topic, encode(state), retain=True)])
            self._announced_seq = last_seq
        except PublishRefused as error:
            self._refused = True
            self._log.warning("an outbox that is restored from a back-up will not be noticed", cause=str(error))

    def _on_connection(self, connected: bool) -> None:  # noqa: FBT001  # a listener's one argument
        if not connected:  # the next broker may have forgotten it
            self._announced_seq = 0

    def _on_stream(self, delivery: Delivery) -> None:
        delivery.ack()
        if not delivery.payload:  # somebody deleted it: say it again
            self._announced_seq = 0
            return
        try:
            state = decode_as(delivery.payload, StreamState)
        except UndecodableMessage as error:
            self._log.warning("what the broker retains of our stream was not understood", reason=error.reason)
        else:
            if state.source == self._identity.source:
                self._claim(state.stream, state.last_seq)
        self._heard.set()

    def _on_status(self, delivery: Delivery) -> None:
        delivery.ack()
        if not delivery.payload:
            return
        try:
            status = decode_as(delivery.payload, ServiceStatus)
        except UndecodableMessage as error:
            self._log.warning("what the broker retains as our status was not understood", reason=error.reason)
            return
        # What we say ourselves is ahead of what was published, and rightly so.
        if status.source == self._identity.source and status.started_at != self._identity.started_at and status.outbox:
            self._claim(status.outbox.stream, status.outbox.last_seq or 0)

    def _claim(self, stream: str, last_seq: int) -> None:
        if stream == self._outbox.stream:
            self._claimed = (stream, max(last_seq, self._claimed[1] if self._claimed[0] == stream else 0))
