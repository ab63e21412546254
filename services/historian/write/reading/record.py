"""Record: what a delivery means for the database. Pure, knows no SQL.

What is not a whole message of ours, contradicts its topic, is beyond bounds or cannot be a row is `Refused`, with the reason
and, where it can be read, the sequence number: a refused event has come, so it is not asked for again.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import asdict

from dotbus.contracts.codec import NOT_OURS, UndecodableMessage, decode
from dotbus.contracts.messages import (
    Environment,
    ReplayReply,
    ServiceStatus,
    Telemetry,
)
from dotbus.contracts.topics import EVENTS, Address, Subject, Topics
from historian.write.reading.digest import digest_of
from historian.write.reading.events import READERS, Event, KeptAlarm, KeptSeq, Key, Name, key_of
from historian.write.reading.requirements import (
    Contradiction,
    is_source,
    may_say,
    require_fit,
    require_names,
    require_own_point,
    require_source,
    require_span,
    require_whole,
)
from historian.write.reading.size import excess_of, memory_bytes
from historian.write.storing.copying import VISIBLE_NUL

MAX_REASON = 500
_STREAMS_REMEMBERED = 1000
_TOPICS_REMEMBERED = 10_000
_LONGEST_REMEMBERED = 200
"""Of topics. One may have 65,535 bytes, so as many of those would be half a gigabyte."""


class Stream(msgspec.Struct, frozen=True, order=True):
    """One outbox of one source: what sequence numbers count within."""

    environment: str
    source: str
    stream: str


class Position(msgspec.Struct, frozen=True):
    """An event's place in its stream."""

    stream: Stream
    seq: int


class Recorded(msgspec.Struct, frozen=True):
    """An event that can be kept. `digest` tells whether another event under the same `key` says the same."""

    position: Position
    event: Event
    digest: int
    key: Key


class Refused(msgspec.Struct, frozen=True):
    """What cannot be stored, and why. `position` where it is an event's and can be read."""

    reason: str
    position: Position | None = None


class Withdrawn(msgspec.Struct, frozen=True):
    """Somebody cleared a retained state: nothing is to be kept."""


Meaning = Recorded | Refused | Withdrawn | Telemetry | ServiceStatus | ReplayReply


class _Probe(msgspec.Struct):
    environment: Environment
    source: Name
    stream: Name
    seq: KeptSeq


_probe = msgspec.json.Decoder(_Probe)


class Recorder:
    """Says what deliveries mean, for one installation's topics."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._remembered = lru_cache(_TOPICS_REMEMBERED)(topics.read)

    def _read(self, topic: str) -> Address | None:
        return self._remembered(topic) if len(topic) <= _LONGEST_REMEMBERED else self._topics.read(topic)

    def memory_bytes(self, topic: str, payload: bytes) -> int:
        """The most memory that a delivery takes until it is in the database."""
        address = self._read(topic)
        return memory_bytes(address.subject if address else None, payload)

    def record(self, topic: str, payload: bytes) -> Meaning:
        """What a delivery means."""
        address = self._read(topic)
        if not payload and address is not None and address.subject in {Subject.SERVICE, Subject.TELEMETRY}:
            return Withdrawn()
        if excess := excess_of(address.subject if address else None, payload):
            return Refused(excess)
        try:
            return _event(address, topic, payload) if address and address.subject in READERS else _word(address, topic, payload)
        except (UndecodableMessage, Contradiction) as error:
            # Whoever may publish elsewhere only cannot hide that an event of another is missing.
            is_event = address is not None and address.subject in EVENTS
            return Refused(str(error)[:MAX_REASON], _position_in(payload, address) if address and is_event else None)


def _event(address: Address, topic: str, payload: bytes) -> Recorded:
    try:
        event = READERS[address.subject].decode(payload)
    except NOT_OURS as error:
        require_fit(address, topic, decode(payload))
        raise Contradiction(f"beyond bounds: {error}") from error
    if event.place != (address.scope, address.name) or isinstance(event, KeptAlarm):  # which has a rule besides
        require_fit(address, topic, event)
    if _is_odd(payload):
        event = _plain(event)
    require_source(event.source)
    if not may_say(address, event.source):
        raise Contradiction(f"{event.source} says no {address.subject}")
    require_whole(event)
    stream = _stream(event.environment, event.source, event.stream)
    return Recorded(Position(stream, event.seq), event, digest_of(event), key_of(event))


def _word(address: Address | None, topic: str, payload: bytes) -> Telemetry | ServiceStatus | ReplayReply:
    """What a source says of itself, or a plant of a point."""
    message = decode(payload)
    require_fit(address, topic, message)
    if _is_odd(payload):
        message = _plain(message)
    match message:
        case ServiceStatus():
            require_source(message.source)
            if message.outbox:
                require_span(message.outbox)
            return message
        case ReplayReply():
            require_source(message.source)
            require_names(message.stream)
            return message
        case Telemetry() if address is not None:
            require_source(message.source)
            require_own_point(address, message)
            return message
        case _:
            raise Contradiction(f"a {type(message).__name__} is not kept here")


def _position_in(payload: bytes, address: Address) -> Position | None:
    """The place of an event that is refused for something else, such as its version."""
    try:
        probe = _probe.decode(payload)
    except NOT_OURS:
        return None
    if "\0" in probe.source + probe.stream or not (is_source(probe.source) and may_say(address, probe.source)):
        return None
    return Position(_stream(probe.environment, probe.source, probe.stream), probe.seq)


@lru_cache(_STREAMS_REMEMBERED)
def _stream(environment: Environment, source: str, stream: str) -> Stream:
    return Stream(str(environment), source, stream)


def _is_odd(payload: bytes) -> bool:
    """Whether there may be in it U+0000, whose escape is its only way into JSON, or a time outside of the calendar of UTC.

    A digit of such a time may be escaped as well. Cheap first: most messages have no backslash at all.
    """
    return (b"\\" in payload and b"\\u00" in payload) or b"9999-12-31" in payload or b"0001-01-01" in payload


def _plain(value: Any) -> Any:  # noqa: ANN401  # whatever a message holds
    """The same without U+0000, which PostgreSQL's text cannot hold, and with times in UTC."""
    match value:
        case str() if not isinstance(value, Environment):
            return value.replace("\0", VISIBLE_NUL)
        case datetime():
            return _in_utc(value)
        case dict():
            return {_plain(key): _plain(entry) for key, entry in value.items()}
        case tuple():
            return tuple(_plain(entry) for entry in value)
        case msgspec.Struct():
            return type(value)(**_plain(asdict(value)))
        case _:
            return value


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError as beyond:
        raise Contradiction(f"{time.isoformat()} is in no calendar") from beyond
