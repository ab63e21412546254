"""What tests of the historian start from: a database with its tables, deliveries of messages, and what the tables hold."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg2
import psycopg2.extras
from real_postgres import query

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import (
    AlarmChanged,
    AnyMessage,
    Dispatch,
    InstructionAnswered,
    PointWritten,
    Prices,
    ReplayReply,
    ServiceStatus,
    Telemetry,
    TrajectoryBatch,
    UpstreamGap,
)
from dotbus.contracts.topics import Topics
from dotbus.testing import samples
from historian.database import Database
from historian.migrations import Roles, bring_up_to_date
from historian.tables import EVENT_TABLES, SCHEMA
from historian.write.reading.arrivals import Arrival, Written
from historian.write.reading.record import Recorder, Stream
from historian.write.storing.store import Store

TOPICS = Topics()
NOW = datetime(2026, 10, 13, 14, 9, 30, tzinfo=UTC)
ADS = Stream("simulator", "ads_ingest/a", samples.STREAM)
IN_SCHEMA = f"?options=-csearch_path%3D{SCHEMA}%20-ctimezone%3DUTC"
_recorder = Recorder(TOPICS)
replace = msgspec.structs.replace


@contextmanager
def opened(url: str, **roles: str) -> Iterator[Database]:
    """A database, closed at the end."""
    database = Database(url, SCHEMA, **roles)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def ready(url: str) -> Iterator[Database]:
    """A database with this version's tables, closed at the end."""
    with opened(url) as database:
        bring_up_to_date(database, Roles(), NOW)
        yield database


def stored(url: str, statement: str) -> list[tuple]:
    """The rows of one statement in the schema of the historian."""
    return query(url + IN_SCHEMA, statement)


def named(url: str, statement: str, *values: object) -> list[dict[str, Any]]:
    """The same with the names of its columns, read by another driver's settings than the historian's own."""
    connection = psycopg2.connect(url + IN_SCHEMA)
    try:
        with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(statement, values)
            return [dict(row) for row in cursor.fetchall()]
    finally:
        connection.close()


def counts(url: str) -> dict[str, int]:
    """How many rows each table of events has."""
    return {table.name: stored(url, f"SELECT count(*) FROM {table.name}")[0][0] for table in EVENT_TABLES}


def letters(url: str) -> list[tuple[str, str]]:
    """Kind and reason of each dead letter, in their order."""
    return stored(url, "SELECT kind, reason FROM dead_letter ORDER BY id")


def received(url: str, stream: Stream = ADS) -> tuple[str, str]:
    """The numbers of a stream that came, and those that are lost, as PostgreSQL writes them."""
    words = f"source = '{stream.source}' AND stream = '{stream.stream}' AND environment = '{stream.environment}'"
    found = stored(url, f"SELECT received::text, lost::text FROM stream_sequence WHERE {words}")
    return found[0] if found else ("{}", "{}")


def topic_of(message: AnyMessage) -> str:  # noqa: PLR0911  # one for each kind
    """Where a message belongs."""
    match message:
        case Dispatch() | TrajectoryBatch():
            of_caiso = TOPICS.dispatch if isinstance(message, Dispatch) else TOPICS.trajectory_batch
            return of_caiso(message.plant, message.resource_id)
        case InstructionAnswered() | PointWritten():
            of_plant = TOPICS.response if isinstance(message, InstructionAnswered) else TOPICS.write
            return of_plant(message.plant, message.resource_id)
        case Telemetry():
            return TOPICS.telemetry(message.plant, message.resource_id, message.point)
        case Prices():
            return TOPICS.prices(message.market)
        case UpstreamGap() | ReplayReply():
            of_source = TOPICS.gap if isinstance(message, UpstreamGap) else TOPICS.replay_reply
            return of_source(*message.source.split("/", 1))
        case AlarmChanged():
            return TOPICS.alarm(message.plant, message.about, message.rule)
        case _:
            return TOPICS.service(message.service, message.instance)


def arrival(message: AnyMessage | bytes, topic: str | None = None, received_at: datetime = NOW) -> Arrival:
    """A message as it comes from the bus."""
    payload = message if isinstance(message, bytes) else encode(message)
    topic = topic or topic_of(message)
    return Arrival(topic, payload, received_at, _recorder.record(topic, payload))


def dispatch(
    seq: int, *, batch_uid: str = "BATCH", revision_no: int | None = 1, dot_mw: float | None = 12.0, **changes
) -> Dispatch:
    """A dispatch of one instruction. `changes` are of the instruction."""
    sample = samples.dispatch()
    instruction = replace(samples.instruction(), dot_mw=dot_mw, **changes)
    batch = replace(sample.batch, batch_uid=batch_uid, revision_no=revision_no)
    return replace(
        sample, id=f"id-{seq}", seq=seq, resource_id=instruction.resource_id, batch=batch, instructions=(instruction,)
    )


def dispatches(first: int, last: int) -> list[Arrival]:
    """Arrivals of dispatches of as many batches."""
    return [arrival(dispatch(seq, batch_uid=f"B{seq}")) for seq in range(first, last + 1)]


def write_batch(store: Store, batch: Sequence[Arrival], now: datetime = NOW) -> Written:
    """Write a batch as the loop does: the events, then the statuses."""
    written = store.write(batch, now)
    if statuses := [each for each in batch if isinstance(each.meaning, ServiceStatus)]:
        store.write_statuses(statuses, written)
    return written
