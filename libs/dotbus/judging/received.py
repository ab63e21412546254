"""Received: everything that came from the bus and still counts.

What a payload says (see `arrivals`) is kept here, in the event loop's thread, until something newer says otherwise. Nothing is
judged here.

What is newer is told by what a source says, never by the order of arrival: a message may come late, again, or in the wrong
order. Several instances of one ingest may say the same state. What each last said is kept, because each is judged by the
status of the source that said it, and because one may know what the other does not (see `precedence`).
"""

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Self

import msgspec

from dotbus.contracts.messages import AlarmSummary, Dot, Environment, Instructions, Lmp, ServiceStatus, Trajectory
from dotbus.contracts.quality import CLOCK_DOUBT_S
from dotbus.judging.alarm_summaries import AlarmSummaries
from dotbus.judging.arrivals import Arrival, Problem, StateMessage
from dotbus.judging.precedence import still_ahead
from dotbus.judging.sources import Source, SourceStatus

SOURCES_PER_TOPIC: Final = 32
EARLIER_PER_SOURCE: Final = 32
UNUSABLE_SOURCES: Final = 32
"""How much is remembered of what was said, so that nobody can fill our memory."""
NOT_KNOWN: Final = 0
_TOLERANCE: Final = timedelta(seconds=CLOCK_DOUBT_S)

ADS_DISPATCH: Final = "ads_dispatch"
ADS_TRAJECTORY: Final = "ads_trajectory"
"""Upstreams by the names that the ingests give them in their status."""


def oasis_upstream(market: str) -> str:
    """The name of a market's upstream."""
    return f"oasis_{market.lower()}"


def upstream_behind(message: StateMessage) -> str:
    """The upstream that a state is heard from."""
    match message:
        case Dot() | Instructions():
            return ADS_DISPATCH
        case Trajectory():
            return ADS_TRAJECTORY
        case Lmp():
            return oasis_upstream(message.market)


@dataclass(frozen=True)
class Statement:
    """A state as one source said it, and when it first arrived here, by our clock. Hearing it again makes it no younger.

    `latest_claim` is the latest time at which the message says that something has happened, be it to its source or at CAISO.
    `connection` is the one to the broker on which it was heard last: what was retracted while we were away does not come
    again, and nobody tells us. `is_last` is false of what a source said before and is ahead of what it said last.
    """

    message: StateMessage
    arrived_at: datetime
    connection: int
    latest_claim: datetime
    is_last: bool = True

    @classmethod
    def of(cls, message: StateMessage, arrived_at: datetime, connection: int) -> Self:
        """A message as it came."""
        return cls(message, arrived_at, connection, max((message.time, message.heard_at, *_happened(message))))

    @property
    def said_at(self) -> datetime:
        """When it was said. What is dated later than clocks may differ counts from its arrival: it must not hold until then."""
        return min(self.message.time, self.arrived_at + _TOLERANCE)

    @property
    def heard_caiso_at(self) -> datetime:
        """When CAISO said it or confirmed it: as long before it arrived as its source says, at the latest."""
        message = self.message
        return min(message.heard_at, self.arrived_at, self.arrived_at - (message.time - message.heard_at))

    def with_clock_set(self, by: timedelta) -> Self:
        """The statement after our clock was set forward by so much."""
        return replace(self, arrived_at=self.arrived_at + by)


class Received:
    """What each source last said on each topic, the status of each source, and whether we hear the broker.

    Attributes:
        turned_at: since when we are connected to the broker, or not; None before we ever were.
        connected: whether we are connected to the broker.
        holds_until_s: until when what came from it is not too old, by the clock that cannot be set; see `beside.echo`.
        is_behind: whether that is over.
        redundancy_state: what we are beside other gateways, see `beside.pair`; not known while we do not hear the broker.
        alarms: what the service of alarms says in all.
        unusable: of each source whose last status could not be used, why. What it said of itself before counts meanwhile.
    """

    def __init__(self) -> None:
        self.connected = False
        self.holds_until_s = math.inf
        self.is_behind = False
        self.redundancy_state = NOT_KNOWN
        self.connection = 0
        self.turned_at: datetime | None = None
        self.sources: dict[str, Source] = {}
        self.alarms = AlarmSummaries()
        self.unusable: dict[str, str] = {}
        self._statements: dict[str, dict[str, tuple[Statement, ...]]] = {}
        self._problems: dict[str, Problem] = {}
        self._retracted_at: dict[str, datetime] = {}
        self._instructions_said: dict[str, int] = {}

    @property
    def hears(self) -> bool:
        """Whether what the broker is told comes here in time."""
        return self.connected and not self.is_behind

    def turn(self, *, connected: bool, at: datetime | None = None) -> None:
        """The connection to the broker came or went."""
        if connected or self.connected:
            self.turned_at = at
        self.connected = connected
        self.connection += connected

    def clock_stepped(self, by: timedelta) -> None:
        """Our clock was set forward by so much. What was learnt of others' clocks by it is void.

        When things came is told by the new clock from here on: else a source whose clock was set together with ours, on one
        machine, would speak as if before all that it had said, and nothing of it would count.
        """
        self.sources = {name: source.with_clock_set(by) for name, source in self.sources.items()}
        self._statements = {
            topic: {source: tuple(one.with_clock_set(by) for one in said) for source, said in known.items()}
            for topic, known in self._statements.items()
        }
        self._retracted_at = {topic: at + by for topic, at in self._retracted_at.items()}
        self.alarms.clock_stepped(by)
        self.turned_at = self.turned_at + by if self.turned_at else None

    def statements(self, topic: str) -> list[Statement]:
        """What each source last said on a topic, and what of its earlier statements is ahead of that."""
        return [statement for of_source in self._statements.get(topic, {}).values() for statement in of_source]

    def has_said(self, source: str, topic: str) -> bool:
        """Whether anything that a source said on a topic still counts."""
        return source in self._statements.get(topic, ())

    def instructions_said(self, topic: str) -> int | None:
        """How many instructions, or revisions of them, came on a topic that were not known; None before any state did."""
        return self._instructions_said.get(topic)

    def problem(self, topic: str) -> Problem | None:
        """What is wrong with what was last said on a topic, None when nothing is."""
        return self._problems.get(topic)

    def source(self, name: str) -> Source | None:
        """A source as it is known on this connection to the broker; None when its status has not come on it."""
        known = self.sources.get(name)
        return known if known and known.connection == self.connection else None

    def sources_of(self, service: str) -> list[Source]:
        """Every instance of a service that is known on this connection."""
        found = (self.source(name) for name in self.sources if name.startswith(f"{service}/"))
        return [source for source in found if source]

    def take(self, arrival: Arrival) -> None:
        """Remember what arrived."""
        if arrival.source:
            self._note_use(arrival)
        match arrival.said:
            case ServiceStatus() as status:
                self._take_status(status, arrival)
            case Problem.UNDECODABLE:
                self._problems[arrival.topic] = Problem.UNDECODABLE
            case Problem.WRONG_ENVIRONMENT:  # does not mend an undecodable message before it
                self._problems.setdefault(arrival.topic, Problem.WRONG_ENVIRONMENT)
            case None:
                self._statements.pop(arrival.topic, None)
                self.alarms.forget(arrival.topic)
                self._problems.pop(arrival.topic, None)
                self._retracted_at[arrival.topic] = arrival.at
                self.sources.pop(arrival.source, None)
            case AlarmSummary() as summary:
                self._problems.pop(arrival.topic, None)
                self.alarms.take(arrival.topic, summary, arrival.at, self.connection)
            case message:
                self._take_state(message, arrival)

    def forget(self, topics: Iterable[str]) -> None:
        """Nobody listens to some topics any more, so nobody tells when what was said there is taken back."""
        for topic in topics:
            for known in (self._statements, self._problems, self._retracted_at):
                known.pop(topic, None)
            self.alarms.forget(topic)

    def accept(self, environments: Collection[Environment]) -> None:
        """From now on nothing counts but what is said of some environments, whatever counted when it came."""
        self.sources = {
            name: source
            for name, source in self.sources.items()
            if source.latest is None or source.latest.status.environment in environments
        }
        for topic, known in self._statements.items():
            kept = {name: said for name, said in known.items() if said[0].message.environment in environments}
            self._statements[topic] = kept
            if known and not kept:
                self._problems.setdefault(topic, Problem.WRONG_ENVIRONMENT)
        for topic in self.alarms.accept(environments):
            self._problems.setdefault(topic, Problem.WRONG_ENVIRONMENT)

    def _note_use(self, arrival: Arrival) -> None:
        self.unusable.pop(arrival.source, None)
        if isinstance(arrival.said, Problem) and len(self.unusable) < UNUSABLE_SOURCES:
            self.unusable[arrival.source] = arrival.detail or str(arrival.said)

    def _take_status(self, status: ServiceStatus, arrival: Arrival) -> None:
        heard = SourceStatus(status, arrival.at, is_live=not arrival.retained, connection=self.connection)
        if not self._was_taken_back(arrival.topic, heard.said_at):
            self.sources[status.source] = self.sources.get(status.source, Source()).told(heard)

    def _was_taken_back(self, topic: str, said_at: datetime) -> bool:
        """Whether a topic was cleared after something was said on it."""
        retracted_at = self._retracted_at.get(topic)
        return retracted_at is not None and said_at <= retracted_at

    def _take_state(self, message: StateMessage, arrival: Arrival) -> None:
        by_source = self._statements.setdefault(arrival.topic, {})
        known = by_source.get(message.source, ())
        message = _as_before(message, known[0].message) if known else message
        said = Statement.of(message, arrival.at, self.connection)
        if self._was_taken_back(arrival.topic, said.said_at):
            return
        self._problems.pop(arrival.topic, None)
        if known and known[0].message == message:
            by_source[message.source] = (replace(known[0], connection=self.connection), *known[1:])
        elif not known or said.said_at >= known[0].said_at:
            if isinstance(message, Instructions):
                self._count_new(arrival.topic, message)
            by_source[message.source] = (said, *_ahead_of(message, known, arrival.at))
            _drop_oldest(by_source)
        else:
            by_source[message.source] = (known[0], *_ahead_of(known[0].message, (said, *known[1:]), arrival.at))

    def _count_new(self, topic: str, message: Instructions) -> None:
        known = set().union(*(_told_apart(statement.message) for statement in self.statements(topic)))
        self._instructions_said[topic] = self._instructions_said.get(topic, 0) + len(_told_apart(message) - known)


def _as_before(message: StateMessage, before: StateMessage) -> StateMessage:
    """The same message; of one that says again what was said before, the parts are those of before: nothing is kept twice."""
    again = msgspec.structs.replace(before, time=message.time, heard_at=message.heard_at, valid_until=message.valid_until)
    return again if again == message else message


def _told_apart(message: StateMessage) -> set[tuple[object, ...]]:
    """The instructions of a state, each in its revision."""
    if not isinstance(message, Instructions):
        return set()
    return {(one.batch_uid, one.instruction_uid, one.revision_no, one.revision_number) for one in message.instructions}


def _happened(message: StateMessage) -> Iterator[datetime]:
    """When CAISO received or gave what a state rests on. What counts is told by these times: none may be yet to come."""
    times: Iterable[datetime | None] = ()
    match message:
        case Dot():
            times = (message.received_at, *(each.batch_received_at for each in message.intervals))
        case Instructions():
            times = (message.received_at, *(each.batch_received_at for each in message.instructions))
        case Trajectory():
            latest = message.latest.batch_received_at if message.latest else None
            times = (message.received_at, latest, *(point.batch_received_at for point in message.points))
        case Lmp():
            times = (price.fetched_at for price in (message.active, message.published, *message.ahead) if price)
    return (at for at in times if at)


def _ahead_of(message: StateMessage, earlier: Iterable[Statement], now: datetime) -> Iterable[Statement]:
    """What a source said earlier and is ahead of what it said last: it went back on a revision, and CAISO never does."""
    found: list[Statement] = []
    for statement in earlier:
        ahead = still_ahead(statement.message, message, now)
        if ahead is not None and all(ahead != known.message for known in found):
            found.append(replace(statement, message=ahead, is_last=False))
    return found[:EARLIER_PER_SOURCE]


def _drop_oldest(by_source: dict[str, tuple[Statement, ...]]) -> None:
    """Instances come and go; no more than so many are remembered."""
    if len(by_source) > SOURCES_PER_TOPIC:
        del by_source[min(by_source, key=lambda source: by_source[source][0].said_at)]
