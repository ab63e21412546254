"""Received: everything that came from the bus and still counts.

A payload is decoded once, when it arrives (`read_delivery`, in the bus's thread); what it says is kept here (`Received`, in
the event loop's thread) until something newer says otherwise. Nothing is judged here.

Several instances of one ingest may say the same state. The last word of each source is kept, because each is judged by the
status of the source that said it: when the one that spoke last dies, the other's word is there.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from dotbus.contracts.codec import UndecodableMessage, decode
from dotbus.contracts.messages import Dot, Environment, Lmp, ServiceStatus, Trajectory, Upstream
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.bus_messages import Delivery

ADS_INGEST: Final = "ads_ingest"
LMP_INGEST: Final = "lmp_ingest"
SOURCES_PER_TOPIC: Final = 4
HEARTBEATS_COMPARED: Final = 3

ADS_DISPATCH: Final = "ads_dispatch"
ADS_TRAJECTORY: Final = "ads_trajectory"
"""Upstreams by the names that the ingests give them in their status."""

StateMessage = Dot | Trajectory | Lmp


def oasis_upstream(market: str) -> str:
    """The name of a market's upstream."""
    return f"oasis_{market.lower()}"


def upstream_behind(message: StateMessage) -> str:
    """The upstream that a state is heard from."""
    match message:
        case Dot():
            return ADS_DISPATCH
        case Trajectory():
            return ADS_TRAJECTORY
        case Lmp():
            return oasis_upstream(message.market)


class Problem(StrEnum):
    """Why a payload says nothing that may be used."""

    UNDECODABLE = "undecodable"
    WRONG_ENVIRONMENT = "wrong environment"


@dataclass(frozen=True)
class Arrival:
    """A delivery, decoded. `said` None means that the retained message was cleared: nobody says anything there now."""

    topic: str
    at: datetime
    retained: bool
    said: StateMessage | ServiceStatus | Problem | None
    detail: str = ""


@dataclass(frozen=True)
class Word:
    """A state and when it first arrived here, by our clock. Hearing it again does not make it younger.

    `connection` is the one on which it was heard last: what was retracted while we were away does not come again, and nobody
    tells us.
    """

    message: StateMessage
    arrived_at: datetime
    connection: int


@dataclass(frozen=True)
class Source:
    """What is known of one instance of an ingest.

    Attributes:
        online: what its status, or its last will, says.
        upstreams: how it heard CAISO, by the last status that said so; a last will does not.
        heard_at: by upstream, when it last heard CAISO while all that it had to say was with the broker; never later than we
            learnt of it.
        clock_offsets_s: its clock minus ours by its latest heartbeats. Each is too small by the time its message took.
        told_at: when it last said of itself that it is there, never later than that came here.
    """

    online: bool
    upstreams: tuple[Upstream, ...] = ()
    heard_at: Mapping[str, datetime] = field(default_factory=dict)
    clock_offsets_s: tuple[float, ...] = ()
    told_at: datetime | None = None

    def behind(self, upstream: str | None) -> list[Upstream]:
        """The upstream of one name; all of them when the source has none of that name, or none was asked for."""
        return [known for known in self.upstreams if known.name == upstream] or [*self.upstreams]

    def heard_caiso_at(self, upstream: str | None) -> datetime | None:
        """When CAISO was last heard on it, the earliest of all where several count; None when one never was."""
        heard = [self.heard_at.get(known.name) for known in self.behind(upstream)]
        return min((at for at in heard if at), default=None) if None not in heard else None


class Received:
    """The last word on each topic by each source, each source's status, and whether we hear the broker."""

    def __init__(self) -> None:
        self.connected = False
        self.connection = 0
        self.sources: dict[str, Source] = {}
        self._words: dict[str, dict[str, Word]] = {}
        self._problems: dict[str, Problem] = {}

    def turn(self, *, connected: bool) -> None:
        """The connection to the broker came or went."""
        self.connected = connected
        self.connection += connected

    def words(self, topic: str) -> Collection[Word]:
        """What each source last said on a topic."""
        return self._words.get(topic, {}).values()

    def problem(self, topic: str) -> Problem | None:
        """What is wrong with what was last said on a topic, None when nothing is."""
        return self._problems.get(topic)

    def sources_of(self, service: str) -> list[Source]:
        """Every known instance of a service."""
        return [source for name, source in self.sources.items() if name.startswith(f"{service}/")]

    def take(self, arrival: Arrival) -> None:
        """Remember what arrived."""
        match arrival.said:
            case ServiceStatus() as status:
                self.sources[status.source] = _heard_from(self.sources.get(status.source), status, arrival)
            case Problem.UNDECODABLE:
                self._problems[arrival.topic] = Problem.UNDECODABLE
            case Problem.WRONG_ENVIRONMENT:  # does not mend an undecodable word before it
                self._problems.setdefault(arrival.topic, Problem.WRONG_ENVIRONMENT)
            case None:
                self._words.pop(arrival.topic, None)
                self._problems.pop(arrival.topic, None)
            case message:
                self._take_word(message, arrival)

    def _take_word(self, message: StateMessage, arrival: Arrival) -> None:
        words = self._words.setdefault(arrival.topic, {})
        known = words.get(message.source)
        self._problems.pop(arrival.topic, None)
        if known and known.message.time == message.time and known.message == message:
            words[message.source] = replace(known, connection=self.connection)
            return
        if known and arrival.retained and message.time < known.message.time:
            return  # a broker that was restored from an older disk; its source will say the newer word again
        words.pop(message.source, None)  # so that the order of the words is the order of their arrival
        words[message.source] = Word(message, arrival.at, self.connection)
        if len(words) > SOURCES_PER_TOPIC:
            del words[next(iter(words))]


def _heard_from(known: Source | None, status: ServiceStatus, arrival: Arrival) -> Source:
    source = replace(known or Source(online=status.online), online=status.online)
    if not status.online:
        return source
    offsets_s = source.clock_offsets_s
    if not arrival.retained:
        offsets_s = (*offsets_s, (status.time - arrival.at).total_seconds())[-HEARTBEATS_COMPARED:]
    heard_at = {**source.heard_at, **_confirmed(source, status, arrival)}
    return Source(status.online, status.upstreams, heard_at, offsets_s, min(status.time, arrival.at))


def _confirmed(known: Source, status: ServiceStatus, arrival: Arrival) -> dict[str, datetime]:
    """Until when the states of a source are its last word, by upstream; nothing new while it has more than it could publish."""
    if status.outbox and status.outbox.unpublished:
        return {}
    heard = {upstream.name: min(upstream.last_ok_at, arrival.at) for upstream in status.upstreams if upstream.last_ok_at}
    return {name: max(at, known.heard_at.get(name, at)) for name, at in heard.items()}


def read_delivery(delivery: Delivery, topics: Topics, accepted: Collection[Environment]) -> Arrival | None:
    """Decode what came; None when the gateway has no use for it.

    Args:
        delivery: from the bus.
        topics: of this installation.
        accepted: the environments whose messages may become values.
    """
    address = topics.read(delivery.topic)
    kind = None if address is None else _KINDS.get(address.subject)
    if address is None or kind is None or (kind is ServiceStatus and address.scope not in (ADS_INGEST, LMP_INGEST)):
        return None
    said, detail = _read_payload(delivery.payload, kind, (address.scope, address.name), accepted)
    return Arrival(delivery.topic, delivery.received_at, delivery.retained, said, detail)


_Kind = type[Dot] | type[Trajectory] | type[Lmp] | type[ServiceStatus]
_KINDS: Final[dict[Subject, _Kind]] = {
    Subject.DOT: Dot,
    Subject.TRAJECTORY: Trajectory,
    Subject.LMP: Lmp,
    Subject.SERVICE: ServiceStatus,
}


def _read_payload(
    payload: bytes, kind: _Kind, names: tuple[str, str | None], accepted: Collection[Environment]
) -> tuple[StateMessage | ServiceStatus | Problem | None, str]:
    if not payload:
        return None, "cleared"
    try:
        message = decode(payload)
    except UndecodableMessage as error:
        return Problem.UNDECODABLE, error.reason
    if not isinstance(message, Dot | Trajectory | Lmp | ServiceStatus) or not isinstance(message, kind):
        return Problem.UNDECODABLE, f"a {type(message).__name__} where a {kind.__name__} belongs"
    if _names(message) != names:
        return Problem.UNDECODABLE, f"speaks of {_names(message)} on the topic of {names}"
    if message.environment not in accepted:
        return Problem.WRONG_ENVIRONMENT, f"environment {message.environment} from {message.source}"
    return message, ""


def _names(message: StateMessage | ServiceStatus) -> tuple[str, str]:
    match message:
        case Dot() | Trajectory():
            return message.plant, message.resource_id
        case Lmp():
            return message.market, message.node
        case ServiceStatus():
            return message.service, message.instance
