"""Arrivals: what came from the bus, decoded once; what it is worth is judged later. Pure.

What is nonsense is told from what is news here: a payload that is no message, one about another thing than its topic, one with
a time that no clock shows. Nobody's message must end the gateway, so no time passes that arithmetic could stumble over.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec
import msgspec.inspect

from dotbus.contracts.codec import UndecodableMessage, decode
from dotbus.contracts.messages import (
    AlarmSummary,
    Dot,
    DotInterval,
    Environment,
    Instructions,
    Lmp,
    NodePrice,
    ServiceStatus,
    Trajectory,
)
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.mqtt.messages import Delivery

ADS_INGEST: Final = "ads_ingest"
LMP_INGEST: Final = "lmp_ingest"
INGESTS: Final = (ADS_INGEST, LMP_INGEST)
ALARMS: Final = "alarms"
"""Services by whose word values are shown, and what tells of them."""
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""Times outside are no times of ours. Registers hold seconds of 32 bits, which end in 2106."""

TOPICS_REMEMBERED: Final = 4096
"""Of how many topics it is kept what they are about: a thousand resources have three or four each, told of again and again."""
LONGEST_REMEMBERED: Final = 200
"""Of those. One may have 65,535 bytes, and would fill the memory."""

StateMessage = Dot | Trajectory | Lmp | Instructions
_Said = StateMessage | AlarmSummary | ServiceStatus
"""Whatever is said of use."""


class Problem(StrEnum):
    """Why a payload says nothing that may be used."""

    UNDECODABLE = "undecodable"
    WRONG_ENVIRONMENT = "wrong environment"


@dataclass(frozen=True)
class Arrival:
    """A delivery, decoded. `said` None means that the retained message was cleared: nobody says anything there now.

    `source` is whose status belongs on the topic, empty for all other topics.
    """

    topic: str
    at: datetime
    retained: bool
    said: _Said | Problem | None
    detail: str = ""
    source: str = ""


def read_delivery(
    delivery: Delivery, topics: Topics, accepted: Collection[Environment], services: Collection[str] = INGESTS
) -> Arrival | None:
    """Decode what came; None when nobody has a use for it.

    Args:
        delivery: from the bus.
        topics: of this installation.
        accepted: the environments whose messages may become values.
        services: those whose status is asked for.
    """
    is_short = len(delivery.topic) <= LONGEST_REMEMBERED
    address = _remembered(topics, delivery.topic) if is_short else topics.read(delivery.topic)
    kind = None if address is None else _KINDS.get(address.subject)
    if address is None or kind is None or (kind is ServiceStatus and address.scope not in services):
        return None
    said, detail = _read_payload(delivery.payload, kind, (address.scope, address.name), accepted)
    source = f"{address.scope}/{address.name}" if kind is ServiceStatus else ""
    return Arrival(delivery.topic, delivery.received_at, delivery.retained, said, detail, source)


_remembered = lru_cache(TOPICS_REMEMBERED)(Topics.read)

_Kind = type[Dot] | type[Trajectory] | type[Instructions] | type[Lmp] | type[AlarmSummary] | type[ServiceStatus]
_KINDS: Final[Mapping[Subject, _Kind]] = {
    Subject.DOT: Dot,
    Subject.TRAJECTORY: Trajectory,
    Subject.INSTRUCTIONS: Instructions,
    Subject.LMP: Lmp,
    Subject.ALARM_SUMMARY: AlarmSummary,
    Subject.SERVICE: ServiceStatus,
}


def _read_payload(
    payload: bytes, kind: _Kind, names: tuple[str, str | None], accepted: Collection[Environment]
) -> tuple[_Said | Problem | None, str]:
    if not payload:
        return None, "cleared"
    try:
        message = decode(payload)
    except UndecodableMessage as error:
        return Problem.UNDECODABLE, error.reason
    if not isinstance(message, _Said) or not isinstance(message, kind):
        return Problem.UNDECODABLE, f"a {type(message).__name__} where a {kind.__name__} belongs"
    return _check(message, names, accepted)


def _check(message: _Said, names: tuple[str, str | None], accepted: Collection[Environment]) -> tuple[_Said | Problem, str]:
    if wrong := _where_it_does_not_belong(message, names):
        return Problem.UNDECODABLE, wrong
    if message.environment not in accepted:
        return Problem.WRONG_ENVIRONMENT, f"environment {message.environment} from {message.source}"
    if impossible := _impossible_time(message) or next(_impossible_intervals(message), None):
        return Problem.UNDECODABLE, f"{impossible} is no time of ours"
    return message, ""


def _where_it_does_not_belong(message: _Said, names: tuple[str, str | None]) -> str | None:
    if _names(message) != names:
        return f"speaks of {_names(message)} on the topic of {names}"
    if not isinstance(message, ServiceStatus) and not message.source.startswith(f"{service_behind(message)}/"):
        return f"said by {message.source}, where only {service_behind(message)} speaks"
    return None


def service_behind(message: StateMessage | AlarmSummary) -> str:
    """The only service that a state may come from."""
    if isinstance(message, AlarmSummary):
        return ALARMS
    return LMP_INGEST if isinstance(message, Lmp) else ADS_INGEST


def _names(message: _Said) -> tuple[str, str | None]:
    match message:
        case AlarmSummary():
            return message.plant, None
        case Dot() | Trajectory() | Instructions():
            return message.plant, message.resource_id
        case Lmp():
            return message.market, message.node
        case ServiceStatus():  # a source is believed about itself only, on its own topic
            is_own = message.source == f"{message.service}/{message.instance}"
            return message.service, message.instance if is_own else message.source


def _impossible_time(message: msgspec.Struct) -> str | None:
    """The first time in a message that no clock of ours shows, by the name of its field."""
    times = [at for part in _parts_of(message) for at in _times_in(type(part)).get(part) if at is not None]
    if not times or (min(times) >= EARLIEST and max(times) < LATEST):  # nearly all: looked at together
        return None
    return next(
        f"{name} {at.isoformat()}"
        for part in _parts_of(message)
        for name in _times_in(type(part)).names
        if (at := getattr(part, name)) is not None and not EARLIEST <= at < LATEST
    )


def _parts_of(message: msgspec.Struct) -> list[msgspec.Struct]:
    """A message, and all in it that has fields."""
    found = [message]
    for part in found:  # which grows meanwhile
        for value in _structs_in(type(part)).get(part):
            if value is not None:
                found.extend(value if isinstance(value, tuple) else (value,))
    return found


class _Fields(NamedTuple):
    """Some fields of a kind of struct, and how to have them at once."""

    names: tuple[str, ...]
    get: Callable[[msgspec.Struct], tuple[Any, ...]]


@cache
def _times_in(kind: type[msgspec.Struct]) -> _Fields:
    return _fields(kind, msgspec.inspect.DateTimeType)


@cache
def _structs_in(kind: type[msgspec.Struct]) -> _Fields:
    return _fields(kind, msgspec.inspect.StructType)


def _fields(kind: type[msgspec.Struct], of: type[msgspec.inspect.Type]) -> _Fields:
    fields = msgspec.structs.fields(kind)
    names = tuple(field.name for field in fields if _may_be(of, msgspec.inspect.type_info(field.type)))
    return _Fields(names, attrgetter(*names) if len(names) > 1 else lambda part: tuple(getattr(part, name) for name in names))


def _may_be(kind: type[msgspec.inspect.Type], about: msgspec.inspect.Type) -> bool:
    """Whether a field may be of a kind, or, of structs, several of it."""
    match about:
        case msgspec.inspect.UnionType(types=types):
            return any(_may_be(kind, each) for each in types)
        case msgspec.inspect.VarTupleType(item_type=item):
            return _may_be(kind, item)
        case msgspec.inspect.Metadata(type=inner):
            return _may_be(kind, inner)
    return isinstance(about, kind)


def _impossible_intervals(message: _Said) -> Iterator[str]:
    intervals: Iterable[DotInterval | NodePrice | None] = ()
    match message:
        case Dot():
            intervals = message.intervals
        case Lmp():
            intervals = (message.active, message.published, *message.ahead)
    for each in intervals:
        if each and each.interval_end <= each.interval_start:
            yield f"an interval that begins at {each.interval_start.isoformat()} and ends at {each.interval_end.isoformat()}"
