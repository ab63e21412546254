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
    AnyMessage,
    Dispatch,
    Environment,
    InstructionAnswered,
    OutboxSpan,
    Prices,
    ReplayReply,
    ServiceStatus,
    TrajectoryBatch,
    UpstreamGap,
)
from dotbus.contracts.topics import EVENTS, Address, Subject, Topics
from historian.write.reading.digest import PRICE_COLUMNS, digest_of
from historian.write.reading.events import (
    MAX_NAME,
    MAX_SEQ,
    READERS,
    Event,
    KeptDispatch,
    KeptPrices,
    KeptSeq,
    Key,
    Name,
    key_of,
)
from historian.write.reading.size import excess_of, memory_bytes
from historian.write.storing.copying import VISIBLE_NUL

MAX_REASON = 500
OF_DISPATCHES, OF_PRICES = "ads_ingest/", "lmp_ingest/"
"""The sources of one kind of event each. Any other service may say all of them."""
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
    """Somebody cleared a retained status: nothing is to be kept."""


Meaning = Recorded | Refused | Withdrawn | ServiceStatus | ReplayReply


class _Contradiction(Exception):
    """A message that does not fit its topic or itself."""


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
        if not payload and address is not None and address.subject is Subject.SERVICE:
            return Withdrawn()
        if excess := excess_of(address.subject if address else None, payload):
            return Refused(excess)
        try:
            return _event(address, topic, payload) if address and address.subject in READERS else _word(address, topic, payload)
        except (UndecodableMessage, _Contradiction) as error:
            # Whoever may publish elsewhere only cannot hide that an event of another is missing.
            is_event = address is not None and address.subject in EVENTS
            return Refused(str(error)[:MAX_REASON], _position_in(payload, address) if address and is_event else None)


def _event(address: Address, topic: str, payload: bytes) -> Recorded:
    try:
        event = READERS[address.subject].decode(payload)
    except NOT_OURS as error:
        _require_fit(address, topic, decode(payload))
        raise _Contradiction(f"beyond bounds: {error}") from error
    if event.place != (address.scope, address.name):
        _require_fit(address, topic, event)
    if _is_odd(payload):
        event = _plain(event)
    _require_source(event.source)
    if not _may_say(address, event.source):
        raise _Contradiction(f"{event.source} says no {address.subject}")
    _require_whole(event)
    stream = _stream(event.environment, event.source, event.stream)
    return Recorded(Position(stream, event.seq), event, digest_of(event), key_of(event))


def _word(address: Address | None, topic: str, payload: bytes) -> ServiceStatus | ReplayReply:
    """What a source says of itself."""
    message = decode(payload)
    _require_fit(address, topic, message)
    if _is_odd(payload):
        message = _plain(message)
    match message:
        case ServiceStatus():
            _require_source(message.source)
            if message.outbox:
                _require_span(message.outbox)
            return message
        case ReplayReply():
            _require_source(message.source)
            _require_names(message.stream)
            return message
        case _:
            raise _Contradiction(f"a {type(message).__name__} is not kept here")


def _require_fit(address: Address | None, topic: str, message: AnyMessage) -> None:
    """Nothing is believed of anybody but on his own topic."""
    if address is None:
        raise _Contradiction(f"{topic} is no topic of ours")
    told = _told_of(message)
    if told is not None and told != (address.subject, address.scope, address.name):
        raise _Contradiction(f"the message is of {' '.join(map(str, told))}, its topic is {topic}")
    if isinstance(message, ServiceStatus) and message.source != f"{message.service}/{message.instance}":
        raise _Contradiction(f"the status of {message.service}/{message.instance} names another source, {message.source}")


def _told_of(message: AnyMessage) -> tuple[Subject, str, str | None] | None:  # noqa: PLR0911  # one for each kind
    """What a message should be said about on its topic; None of what is not kept."""
    match message:
        case Dispatch():
            return (Subject.DISPATCH, message.plant, message.resource_id)
        case TrajectoryBatch():
            return (Subject.TRAJECTORY_BATCH, message.plant, message.resource_id)
        case InstructionAnswered():
            return (Subject.RESPONSE, message.plant, message.resource_id)
        case Prices():
            return (Subject.PRICES, message.market, None)
        case UpstreamGap():
            service, _, instance = message.source.partition("/")
            return (Subject.GAP, service, instance)
        case ServiceStatus():
            return (Subject.SERVICE, message.service, message.instance)
        case ReplayReply():
            service, _, instance = message.source.partition("/")
            return (Subject.REPLAY_REPLY, service, instance)
        case _:
            return None


def _require_whole(event: Event) -> None:
    """Refuse what contradicts itself."""
    match event:
        case KeptDispatch():
            _require_own_instructions(event)
        case KeptPrices():
            _require_columns(event)


def _require_own_instructions(event: KeptDispatch) -> None:
    for instruction in event.instructions:
        if instruction.resource_id != event.resource_id:
            raise _Contradiction(f"instruction {instruction.instruction_uid} is of another resource than its event")


def _require_columns(event: KeptPrices) -> None:
    if any(len(getattr(event, name)) != len(event.nodes) for name in PRICE_COLUMNS):
        raise _Contradiction("the columns of a price message have not one entry for each node")
    if not event.nodes:
        raise _Contradiction("a price message names no node")
    if len(set(event.nodes)) < len(event.nodes):
        raise _Contradiction("a price message names a node twice")


def _require_names(*names: str) -> None:
    """What is part of a key has an end."""
    for name in names:
        if len(name) > MAX_NAME:
            raise _Contradiction(f"a name of {len(name)} characters; the longest that is taken has {MAX_NAME}")


def _require_source(source: str) -> None:
    """A source is asked on a topic of its name."""
    _require_names(source)
    if not _is_source(source):
        raise _Contradiction(f"the source {source!r} is no SERVICE/INSTANCE")


def _is_source(source: str) -> bool:
    service, _, instance = source.partition("/")
    return bool(service and instance)


def _require_span(span: OutboxSpan) -> None:
    """Its numbers go to the database as they are, whenever something may be missing."""
    _require_names(span.stream)
    last_seq = span.last_seq or 0
    first_seq = last_seq + 1 if span.first_seq is None else span.first_seq
    if not (0 <= span.unpublished <= last_seq <= MAX_SEQ and 0 <= first_seq <= last_seq + 1):
        raise _Contradiction(f"an outbox of {first_seq} to {last_seq} of which {span.unpublished} are unpublished")


def _may_say(address: Address, source: str) -> bool:
    """Whether a source's numbers count here: whoever may publish prices could hide what is missing of dispatches, else."""
    subject = address.subject
    if subject is Subject.GAP:
        return source == f"{address.scope}/{address.name}"
    if source.startswith(OF_PRICES):
        return subject is Subject.PRICES
    return subject is not Subject.PRICES or not source.startswith(OF_DISPATCHES)


def _position_in(payload: bytes, address: Address) -> Position | None:
    """The place of an event that is refused for something else, such as its version."""
    try:
        probe = _probe.decode(payload)
    except NOT_OURS:
        return None
    if "\0" in probe.source + probe.stream or not (_is_source(probe.source) and _may_say(address, probe.source)):
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
        raise _Contradiction(f"{time.isoformat()} is in no calendar") from beyond
