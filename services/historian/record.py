"""Record: what a delivery means for the database. Pure, knows no SQL.

An event becomes rows, each the name of its table and values by column. What is not a whole message of ours, contradicts its
topic or cannot be a row is `Refused`, with the reason and, where it can be read, the sequence number: a refused event has
come, so it is not asked for again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import asdict

from dotbus.contracts.codec import UndecodableMessage, decode
from dotbus.contracts.messages import (
    AnyMessage,
    Dispatch,
    Instruction,
    Prices,
    ReplayReply,
    ServiceStatus,
    TrajectoryBatch,
)
from dotbus.contracts.topics import Address, Subject, Topics

Values = dict[str, Any]
MAX_NAME = 200
MAX_SEQ = 2**63 - 1
VISIBLE_NUL = "␀"
"""U+2400: what PostgreSQL shows in place of U+0000, which its text cannot hold."""


@dataclass(frozen=True)
class Stream:
    """One outbox of one source: what sequence numbers count within."""

    environment: str
    source: str
    stream: str


@dataclass(frozen=True)
class Position:
    """An event's place in its stream."""

    stream: Stream
    seq: int


@dataclass(frozen=True)
class Row:
    """A row of a table, values by column."""

    table: str
    values: Values


@dataclass(frozen=True)
class Recorded:
    """An event as rows."""

    position: Position
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Refused:
    """What cannot be stored, and why. `position` where it is an event's and can be read."""

    reason: str
    position: Position | None = None


Meaning = Recorded | Refused | ServiceStatus | ReplayReply


class _Contradiction(Exception):
    """A message that does not fit its topic or itself."""


class _Probe(msgspec.Struct):
    environment: str
    source: str
    stream: str
    seq: int


_probe = msgspec.json.Decoder(_Probe)


def record(topics: Topics, topic: str, payload: bytes, received_at: datetime) -> Meaning:
    """What a delivery means."""
    try:
        message = decode(payload)
        _fits(topics.read(topic), topic, message)
        # The escape is the only way for U+0000 into JSON, so that nearly every message is spared the walk.
        meaning = _meaning(message, received_at)
        return _without_nul(meaning) if b"\\u0000" in payload else meaning
    except (UndecodableMessage, _Contradiction) as error:
        return Refused(str(error), _position_in(payload))


def _meaning(message: AnyMessage, received_at: datetime) -> Recorded | ServiceStatus | ReplayReply:
    match message:
        case Dispatch():
            return _recorded(message, _dispatch_rows(message), received_at)
        case TrajectoryBatch():
            return _recorded(message, _trajectory_rows(message), received_at)
        case Prices():
            return _recorded(message, _price_rows(message), received_at)
        case ServiceStatus() | ReplayReply():
            return message
        case _:
            raise _Contradiction(f"a {type(message).__name__} is not kept here")


def _fits(address: Address | None, topic: str, message: AnyMessage) -> None:
    if address is None:
        raise _Contradiction(f"{topic} is no topic of ours")
    match message:
        case Dispatch(plant=plant, resource_id=name):
            told = Address(Subject.DISPATCH, plant, name)
        case TrajectoryBatch(plant=plant, resource_id=name):
            told = Address(Subject.TRAJECTORY_BATCH, plant, name)
        case Prices(market=market):
            told = Address(Subject.PRICES, market)
        case ServiceStatus(service=service, instance=instance):
            told = Address(Subject.SERVICE, service, instance)
        case ReplayReply(source=source):
            service, _, instance = source.partition("/")
            told = Address(Subject.REPLAY_REPLY, service, instance)
        case _:
            return
    if told != address:
        raise _Contradiction(f"the message is of {told}, its topic of {address}")


def _recorded(event: Dispatch | TrajectoryBatch | Prices, rows: Iterator[Row], received_at: datetime) -> Recorded:
    position = _position(_Probe(event.environment, event.source, event.stream, event.seq))
    if position is None:
        raise _Contradiction(f"source, stream or seq is beyond bounds ({MAX_NAME} characters, {MAX_SEQ})")
    provenance = {
        "environment": event.environment,
        "source": event.source,
        "stream": event.stream,
        "seq": event.seq,
        "event_id": event.id,
        "time": event.time,
        "received_at": received_at,
    }
    return Recorded(position, tuple(Row(row.table, {**row.values, **provenance}) for row in rows))


def _dispatch_rows(event: Dispatch) -> Iterator[Row]:
    revision_no = event.batch.revision_no
    key = {"batch_uid": event.batch.batch_uid, "revision_key": _revision_key(event)}
    yield Row("dispatch_batch", {**asdict(event.batch), **key})
    for instruction in event.instructions:
        if instruction.resource_id != event.resource_id:
            raise _Contradiction(f"instruction {instruction.instruction_uid} is of another resource than its event")
        names = {**key, "instruction_uid": instruction.instruction_uid, **_resource(event)}
        yield Row("instruction", {**_own(instruction), **names, "revision_no": revision_no})
        for position, detail in enumerate(instruction.details, 1):
            yield Row("instruction_detail", {**asdict(detail), **names, "position": position})


def _revision_key(event: Dispatch) -> str:
    """What tells one state of a batch from another. Its status counts too: a cancellation must not pass for a repetition."""
    revision_no, status = event.batch.revision_no, event.batch.batch_status
    return event.id if revision_no is None else f"{revision_no}.{'-' if status is None else status}"


def _own(instruction: Instruction) -> Values:
    values = asdict(instruction)
    del values["details"]
    values["own_batch_uid"] = values.pop("batch_uid")
    return values


def _trajectory_rows(event: TrajectoryBatch) -> Iterator[Row]:
    names = {"batch_uid": event.batch.batch_uid, **_resource(event)}
    yield Row("trajectory_batch", asdict(event.batch))
    for dop in event.dops:
        yield Row("dop", {**asdict(dop), **names})
    for compliance in event.compliance:
        yield Row("compliance", {**asdict(compliance), **names})


def _resource(event: Dispatch | TrajectoryBatch) -> Values:
    return {"plant": event.plant, "resource_id": event.resource_id}


_PRICE_COLUMNS = (
    "lmp_usd_per_mwh",
    "energy_usd_per_mwh",
    "congestion_usd_per_mwh",
    "loss_usd_per_mwh",
    "ghg_usd_per_mwh",
)


def _price_rows(event: Prices) -> Iterator[Row]:
    columns = [getattr(event, name) for name in _PRICE_COLUMNS]
    if any(len(column) != len(event.nodes) for column in columns):
        raise _Contradiction("the columns of a price message have not one entry for each node")
    interval = {
        "market": event.market,
        "interval_start": event.interval_start,
        "interval_end": event.interval_end,
        "fetched_at": event.fetched_at,
    }
    for node, *prices in zip(event.nodes, *columns, strict=True):
        yield Row("price", {"node": node, **interval, **dict(zip(_PRICE_COLUMNS, prices, strict=True))})


def _position_in(payload: bytes) -> Position | None:
    """The place of an event that is refused for something else, such as its version."""
    try:
        return _position(_probe.decode(payload))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _position(probe: _Probe) -> Position | None:
    names = (probe.environment, probe.source, probe.stream)
    if not 1 <= probe.seq <= MAX_SEQ or any(len(name) > MAX_NAME or "\0" in name for name in names):
        return None
    return Position(Stream(str(probe.environment), probe.source, probe.stream), probe.seq)


def _without_nul(meaning: Recorded | ServiceStatus | ReplayReply) -> Meaning:
    if isinstance(meaning, Recorded):
        return Recorded(meaning.position, tuple(Row(row.table, _visible(row.values)) for row in meaning.rows))
    return type(meaning)(**_visible(asdict(meaning)))


def _visible(value: Any) -> Any:  # noqa: ANN401  # whatever a message holds
    match value:
        case str():
            return value.replace("\0", VISIBLE_NUL)
        case dict():
            return {_visible(key): _visible(entry) for key, entry in value.items()}
        case tuple():
            return tuple(_visible(entry) for entry in value)
        case msgspec.Struct():
            return type(value)(**_visible(asdict(value)))
        case _:
            return value
