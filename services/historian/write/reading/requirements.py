"""Requirements: what a message must keep to, so that it can be kept: its topic, its source, its bounds, and itself. Pure."""

from dotbus.contracts.messages import (
    AlarmChanged,
    AnyMessage,
    Dispatch,
    InstructionAnswered,
    OutboxSpan,
    PointWritten,
    Prices,
    ReplayReply,
    ServiceStatus,
    Telemetry,
    TrajectoryBatch,
    UpstreamGap,
)
from dotbus.contracts.topics import Address, Subject
from historian.write.reading.digest import PRICE_COLUMNS
from historian.write.reading.events import MAX_NAME, MAX_QUANTITY, MAX_SEQ, Event, KeptDispatch, KeptPrices

OF_DISPATCHES, OF_PRICES, OF_ALARMS = "ads_ingest/", "lmp_ingest/", "alarms/"
"""The sources of one kind of event each. Any other service may say all of them, but for a plant's writes and for alarms."""


class Contradiction(Exception):
    """A message that does not fit its topic or itself."""


def require_fit(address: Address | None, topic: str, message: AnyMessage) -> None:
    """Nothing is believed of anybody but on his own topic."""
    if address is None:
        raise Contradiction(f"{topic} is no topic of ours")
    told = _told_of(message)
    if told is not None and told != (address.subject, address.scope, address.name):
        raise Contradiction(f"the message is of {' '.join(map(str, told))}, its topic is {topic}")
    if isinstance(message, Telemetry) and message.point != address.point:
        raise Contradiction(f"the message is of the point {message.point}, its topic is {topic}")
    if isinstance(message, AlarmChanged) and message.rule != address.rule:
        raise Contradiction(f"the message is of the rule {message.rule}, its topic is {topic}")
    if isinstance(message, ServiceStatus) and message.source != f"{message.service}/{message.instance}":
        raise Contradiction(f"the status of {message.service}/{message.instance} names another source, {message.source}")


def _told_of(message: AnyMessage) -> tuple[Subject, str, str | None] | None:  # noqa: C901, PLR0911  # one for each kind
    """What a message should be said about on its topic; None of what is not kept."""
    match message:
        case Dispatch():
            return (Subject.DISPATCH, message.plant, message.resource_id)
        case TrajectoryBatch():
            return (Subject.TRAJECTORY_BATCH, message.plant, message.resource_id)
        case InstructionAnswered():
            return (Subject.RESPONSE, message.plant, message.resource_id)
        case PointWritten():
            return (Subject.WRITE, message.plant, message.resource_id)
        case Telemetry():
            return (Subject.TELEMETRY, message.plant, message.resource_id)
        case Prices():
            return (Subject.PRICES, message.market, None)
        case UpstreamGap():
            service, _, instance = message.source.partition("/")
            return (Subject.GAP, service, instance)
        case AlarmChanged():
            return (Subject.ALARM, message.plant, message.about)
        case ServiceStatus():
            return (Subject.SERVICE, message.service, message.instance)
        case ReplayReply():
            service, _, instance = message.source.partition("/")
            return (Subject.REPLAY_REPLY, service, instance)
        case _:
            return None


def require_whole(event: Event) -> None:
    """Refuse what contradicts itself."""
    match event:
        case KeptDispatch():
            _require_own_instructions(event)
        case KeptPrices():
            _require_columns(event)


def _require_own_instructions(event: KeptDispatch) -> None:
    for instruction in event.instructions:
        if instruction.resource_id != event.resource_id:
            raise Contradiction(f"instruction {instruction.instruction_uid} is of another resource than its event")


def _require_columns(event: KeptPrices) -> None:
    if any(len(getattr(event, name)) != len(event.nodes) for name in PRICE_COLUMNS):
        raise Contradiction("the columns of a price message have not one entry for each node")
    if not event.nodes:
        raise Contradiction("a price message names no node")
    if len(set(event.nodes)) < len(event.nodes):
        raise Contradiction("a price message names a node twice")


def require_names(*names: str) -> None:
    """What is part of a key has an end."""
    for name in names:
        if len(name) > MAX_NAME:
            raise Contradiction(f"a name of {len(name)} characters; the longest that is taken has {MAX_NAME}")


def require_source(source: str) -> None:
    """A source is asked on a topic of its name."""
    require_names(source)
    if not is_source(source):
        raise Contradiction(f"the source {source!r} is no SERVICE/INSTANCE")


def is_source(source: str) -> bool:
    """Whether it names a service and an instance."""
    service, _, instance = source.partition("/")
    return bool(service and instance)


def require_span(span: OutboxSpan) -> None:
    """Its numbers go to the database as they are, whenever something may be missing."""
    require_names(span.stream)
    last_seq = span.last_seq or 0
    first_seq = last_seq + 1 if span.first_seq is None else span.first_seq
    if not (0 <= span.unpublished <= last_seq <= MAX_SEQ and 0 <= first_seq <= last_seq + 1):
        raise Contradiction(f"an outbox of {first_seq} to {last_seq} of which {span.unpublished} are unpublished")


def may_say(address: Address, source: str) -> bool:
    """Whether a source's numbers count here: whoever may publish prices could hide what is missing of dispatches, else."""
    subject = address.subject
    if subject in {Subject.WRITE, Subject.TELEMETRY}:
        return _is_of_plant(source, address.scope)
    if subject is Subject.GAP:
        return source == f"{address.scope}/{address.name}"
    if subject is Subject.ALARM or source.startswith(OF_ALARMS):
        return subject is Subject.ALARM and source.startswith(OF_ALARMS)
    if source.startswith(OF_PRICES):
        return subject is Subject.PRICES
    return subject is not Subject.PRICES or not source.startswith(OF_DISPATCHES)


def require_own_point(address: Address, said: Telemetry) -> None:
    """A plant speaks for itself, with names that have an end and a value that there can be."""
    if not may_say(address, said.source):
        raise Contradiction(f"{said.source} does not speak for {said.plant}: the instance of its source has the plant's name")
    if said.value is not None and abs(said.value) > MAX_QUANTITY:
        raise Contradiction(f"the value {said.value} is beyond {MAX_QUANTITY:g}")
    optional = (said.unit, said.written_by, said.written_from)
    require_names(said.plant, said.resource_id, said.point, *said.reasons, *(name for name in optional if name is not None))


def _is_of_plant(source: str, plant: str) -> bool:
    """A plant's user may name any source: by its own name it hides nothing of another's."""
    return source.partition("/")[2] == plant and not source.startswith((OF_DISPATCHES, OF_PRICES))
