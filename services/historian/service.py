"""The historian: what sources have said and did not come is asked for; the database is kept well. Events are the writers'.

While the database is away nothing is acknowledged: what may wait fills up, the broker keeps the rest, and all of it is stored
when the database is back.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import ReplayRequest
from dotbus.contracts.topics import EVENTS, Subject, Topics
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.messages import BusError, Outgoing
from dotbus.runtime.outbox.sequence import Range
from dotbus.runtime.presence import Identity
from historian.database import StatementRefused
from historian.meters import Meters
from historian.upkeep.service import Upkeep
from historian.write.persistence import Persistence
from historian.write.reading.record import Stream
from historian.write.sequences.accounts import Accounts
from historian.write.sequences.gaps import RANGES_AT_ONCE, Action, Gaps, requests_of
from historian.write.writers import Writers

LOOK_EVERY_S = 1.0
LOGGED_RANGES = 10
UPKEEP_ENDS_WITHIN_S = 5.0
"""Beyond it whatever it is at is not done, as if the connection were lost."""


class Publisher(Protocol):
    """The bus, as far as the historian asks over it."""

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        ...

    def publish(self, messages: Sequence[Outgoing], timeout_s: float = ...) -> None:
        """Publish and wait for the acknowledgements."""
        ...


def filters(topics: Topics, share_group: str | None) -> list[str]:
    """What the historian subscribes to.

    Historians of one `share_group` divide events and telemetry between them. What sources say of themselves goes to each,
    because a broker gives no retained message to a shared subscription.
    """
    share = f"$share/{share_group}/" if share_group else ""
    events = [share + topics.every(subject) for subject in sorted({*EVENTS, Subject.TELEMETRY})]
    return [*events, topics.every(Subject.SERVICE), topics.every(Subject.REPLAY_REPLY)]


class Historian:
    """Bus to database, until `stop`.

    Args:
        writers: write what comes, once the tables are ready.
        accounts: which numbers came.
        upkeep: months, retention and bounds, in its turn.
    """

    def __init__(
        self,
        bus: Publisher,
        writers: Writers,
        accounts: Accounts,
        upkeep: Upkeep,
        topics: Topics,
        identity: Identity,
        gaps: Gaps,
        persistence: Persistence,
        meters: Meters,
        *,
        clock: Callable[[], datetime],
        stop: threading.Event,
    ) -> None:
        self._bus = bus
        self._writers = writers
        self._accounts = accounts
        self._upkeep = upkeep
        self._topics = topics
        self._identity = identity
        self._gaps = gaps
        self._persistence = persistence
        self._meters = meters
        self._clock = clock
        self._stop = stop
        self._turned_at = self._kept_well_at = clock()
        self._log = get_logger("historian")

    @property
    def turned_at(self) -> datetime:
        """When whoever is furthest behind came round last."""
        if not self._upkeep.is_prepared:
            return self._turned_at
        return min(self._turned_at, self._kept_well_at, self._writers.turned_at)

    def run(self) -> None:
        """Make or update the tables, then store what comes until told to stop."""
        self._persistence.insist(lambda _failures: self._upkeep.prepare(self._clock()), self._turn)
        self._note_kept_well()
        upkeep = threading.Thread(target=self._keep_well, name="upkeep", daemon=True)
        upkeep.start()
        self._writers.start()
        while not self._stop.wait(LOOK_EVERY_S) and self._writers.are_alive:
            self._attempt(self._look_for_gaps)
            self._turn()
        self._stop.set()
        self._writers.join()
        upkeep.join(UPKEEP_ENDS_WITHIN_S)

    def _keep_well(self) -> None:
        """Upkeep in a thread of its own: while it fails, or takes its time, what is missing is asked for all the same."""
        while not self._stop.wait(LOOK_EVERY_S):
            self._attempt(
                lambda: self._persistence.insist(lambda _failures: self._upkeep.turn(self._clock()), self._note_kept_well)
            )
            self._note_kept_well()

    def _note_kept_well(self) -> None:
        self._kept_well_at = self._clock()

    def _turn(self) -> None:
        self._turned_at = self._clock()

    def _attempt(self, work: Callable[[], object]) -> None:
        """Do it, or say why that cannot be: what is written does not depend on it."""
        try:
            work()
        except StatementRefused as refused:
            self._log.error("the database refuses for good; going on without", reason=str(refused))  # its words say it all
        except Exception:  # noqa: BLE001  # what nobody foresaw must not end the writing
            self._log.exception("failed; going on without, and trying again")

    def _look_for_gaps(self) -> None:
        now = self._clock()
        self._hear(now)
        self._take_back()
        found = self._persistence.insist(lambda _failures: self._accounts.missing(self._gaps, RANGES_AT_ONCE), self._turn)
        for stream, missing in (found or {}).items():
            if self._stop.is_set():
                return
            if action := self._gaps.look(stream, missing, now):
                self._act(action, now)
        self._meters.note_missing(self._gaps.missing)

    def _hear(self, now: datetime) -> None:
        """Take what the writers heard, and tell sources that they gave numbers twice."""
        for word in self._writers.heard.take():
            self._gaps.heard(word)
        while self._writers.renumbered:
            self._gaps.renumbered.note(self._writers.renumbered.popleft(), now)
        if self._bus.connected:
            for stream in self._gaps.renumbered.to_tell(now):
                if self._stop.is_set():
                    return
                self._publish(stream, [self._request(stream, ((1, 1),), now, numbers_taken=True)])

    def _take_back(self) -> None:
        """What was given up on a source's word, and it says now that it has, is missing again."""
        oldest = self._gaps.take_has_again()
        if not oldest:
            return
        for stream in self._persistence.insist(lambda _failures: self._accounts.take_back(oldest), self._turn) or ():
            self._log.warning(
                "a source has what was given up; asking for it",
                source=stream.source,
                stream=stream.stream,
                oldest_seq=oldest[stream],
            )

    def _act(self, action: Action, now: datetime) -> None:
        if action.lost:
            self._give_up(action.stream, action.lost, now)
        if action.ask and self._bus.connected:
            pause_s = 0.0 if action.goes_on else self._gaps.grace_s
            mine = self._persistence.insist(lambda _failures: self._accounts.claim_asking(action.stream, pause_s), self._turn)
            if mine:
                self._ask(action.stream, action.ask, now)
            else:
                self._gaps.left_to_another(action.stream)

    def _give_up(self, stream: Stream, ranges: Sequence[Range], now: datetime) -> None:
        reason = "the source no longer has them"
        news = self._persistence.insist(lambda _failures: self._accounts.give_up(stream, ranges, reason, now), self._turn)
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
        count = sum(last - first + 1 for first, last in ranges)
        self._log.warning(
            "events are missing; asking for them",
            source=stream.source,
            stream=stream.stream,
            count=count,
            ranges=ranges[:LOGGED_RANGES],
        )
        if self._publish(stream, [self._request(stream, part, now) for part in requests_of(ranges)]):
            self._meters.asked_again.inc(count)

    def _request(
        self, stream: Stream, ranges: tuple[Range, ...], now: datetime, *, numbers_taken: bool = False
    ) -> ReplayRequest:
        return ReplayRequest(
            environment=self._identity.environment,
            source=self._identity.source,
            time=now,
            stream=stream.stream,
            first_seq=ranges[0][0],
            last_seq=ranges[-1][1],
            ranges=ranges,
            numbers_taken=numbers_taken,
        )

    def _publish(self, stream: Stream, requests: Sequence[ReplayRequest]) -> bool:
        """Say something to the source of a stream. Returns whether the broker has it."""
        service, _, instance = stream.source.partition("/")
        topic = self._topics.replay(service, instance)
        try:
            self._bus.publish([Outgoing(topic, encode(request)) for request in requests])
        except BusError as error:
            self._log.warning("a source was not asked; trying again", source=stream.source, cause=str(error))
            return False
        return True
