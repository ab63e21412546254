"""The loop: deliveries from the bus in batches into the database, each acknowledged after the commit that holds it.

A batch is what has come by the time the last one is stored; nothing waits for it to be full. While the database is away nothing
is acknowledged: what may wait fills up, the broker keeps the rest, and all of it is stored when the database is back.
"""

import random
import threading
from collections.abc import Callable, Sequence
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
from historian.database import StatementRefused, StoreUnavailable
from historian.meters import Meters
from historian.upkeep.service import Upkeep
from historian.write.accounts import Accounts
from historian.write.gaps import RANGES_AT_ONCE, Action, Gaps, requests_of
from historian.write.record import Recorder, Stream
from historian.write.store import Arrival, Store, Written
from historian.write.waiting import Waiting

IDLE_S = 0.5
LOOK_EVERY = timedelta(seconds=1)
BATCH_MESSAGES = 5000
BATCH_BYTES = 8 * 1024 * 1024
RETRY_FIRST_S, RETRY_MOST_S = 0.5, 30.0

LOGGED_CHARACTERS, LOGGED_RANGES = 200, 10

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

    def ack_all(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge in one go."""
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
        waiting: what has come from the bus.
        store: where it goes.
        accounts: which numbers came.
        upkeep: months, retention and bounds, in its turn.
        health: how the database is heard.
        changed: told when that changed.
    """

    def __init__(
        self,
        bus: Publisher,
        waiting: Waiting,
        store: Store,
        accounts: Accounts,
        upkeep: Upkeep,
        topics: Topics,
        identity: Identity,
        gaps: Gaps,
        health: UpstreamHealth,
        meters: Meters,
        *,
        clock: Callable[[], datetime],
        stop: threading.Event,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._bus = bus
        self._waiting = waiting
        self._store = store
        self._accounts = accounts
        self._upkeep = upkeep
        self._topics = topics
        self._record = Recorder(topics).record
        self._identity = identity
        self._gaps = gaps
        self._health = health
        self._meters = meters
        self._clock = clock
        self._stop = stop
        self._changed = changed
        self._look_at = clock()
        self.turned_at = clock()
        self._log = get_logger("historian")
        meters.watch_waiting(waiting)

    def run(self) -> None:
        """Make or update the tables, then store what comes until told to stop."""
        self._insist(lambda _failures: self._upkeep.prepare(self._clock()))
        while not self._stop.is_set():
            if deliveries := self._waiting.take(BATCH_MESSAGES, BATCH_BYTES, IDLE_S):
                self._keep(deliveries)
            self._look_for_gaps()
            self._insist(lambda _failures: self._upkeep.turn(self._clock()))
            self.turned_at = self._clock()

    def _keep(self, deliveries: Sequence[Delivery]) -> None:
        arrivals = [
            Arrival(delivery.topic, delivery.payload, delivery.received_at, self._record(delivery.topic, delivery.payload))
            for delivery in deliveries
        ]
        with self._meters.batch_seconds.time():
            written = self._insist(lambda failures: self._store.write(arrivals, self._clock(), failures))
        if written is None:
            return  # told to stop: the broker has all of it still
        self._bus.ack_all(deliveries)
        self._meters.note_lag((self._clock() - deliveries[0].received_at).total_seconds())
        self._note(written)
        for arrival in arrivals:
            match arrival.meaning:
                case ServiceStatus() as status:
                    self._gaps.heard_status(status)
                case ReplayReply() as reply:
                    self._gaps.heard_reply(reply)

    def _note(self, written: Written) -> None:
        self._meters.note(written)
        for rejection in written.rejections:
            self._log.error(
                "a delivery cannot be stored and is kept as a dead letter",
                topic=rejection.arrival.topic,
                kind=rejection.kind,
                reason=rejection.reason,
            )
        for stream, seqs in written.renumbered.items():
            self._log.error(
                "numbers came again with other events",
                source=stream.source,
                stream=stream.stream,
                seqs=seqs[:LOGGED_CHARACTERS],
                next="all are stored, but a gap of this stream cannot be seen: was its outbox restored from a back-up?",
            )

    def _insist(self, work: Callable[[int], T]) -> T | None:
        """Do it until the database does; None when told to stop before that, or when it refuses for good.

        Args:
            work: is told how often it failed before.
        """
        failures = 0
        while not self._stop.is_set():
            try:
                done = work(failures)
            except StoreUnavailable as error:
                failures += 1
                self._failed(error)
                self._stop.wait(backoff_s(self._health.failures_in_a_row, RETRY_FIRST_S, RETRY_MOST_S, random.random()))  # noqa: S311  # jitter, no secret
                self.turned_at = self._clock()
            except StatementRefused as refused:
                self._log.error("the database refuses for good; going on without", reason=str(refused))  # its words say it all
                return None
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
        for stream, missing in (
            self._insist(lambda _failures: self._accounts.missing(self._gaps, RANGES_AT_ONCE)) or {}
        ).items():
            if action := self._gaps.look(stream, missing, now):
                self._act(action, now)
        self._meters.note_missing(self._gaps.missing)

    def _act(self, action: Action, now: datetime) -> None:
        if action.lost:
            self._give_up(action.stream, action.lost, now)
        if action.ask and self._bus.connected:
            mine = self._insist(lambda _failures: self._accounts.claim_asking(action.stream, self._gaps.grace_s))
            if mine:
                self._ask(action.stream, action.ask, now)

    def _give_up(self, stream: Stream, ranges: Sequence[Range], now: datetime) -> None:
        reason = "the source no longer has them"
        news = self._insist(lambda _failures: self._accounts.give_up(stream, ranges, reason, now))
        if not news:
            return
        count = sum(last - first + 1 for first, last in news)
        self._meters.lost.inc(count)
        self._log.error(
            "events are lost",
            source=stream.source,
            stream=stream.stream,
            count=count,
            ranges=news[:LOGGED_RANGES],
            reason=reason,
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
                first_seq=part[0][0],
                last_seq=part[-1][1],
                ranges=part,
            )
            for part in requests_of(ranges)
        ]
        count = sum(last - first + 1 for first, last in ranges)
        self._log.warning(
            "events are missing; asking for them",
            source=stream.source,
            stream=stream.stream,
            count=count,
            ranges=ranges[:LOGGED_RANGES],
        )
        try:
            self._bus.publish([Outgoing(topic, encode(request)) for request in requests])
        except BusError as error:
            self._log.warning("the replay was not asked for; trying again", cause=str(error))
        else:
            self._meters.asked_again.inc(count)
