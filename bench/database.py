"""What the database takes on its disk, and how long its first questions take when it is full.

    python bench/database.py [INSTRUCTIONS]

Bytes: an hour of the five-minute market of all of CAISO's nodes, and dispatches and trajectories of a hundred plants, written
by the historian's own store; a day follows from them. Questions: README's own and others of docs/data.md, on INSTRUCTIONS
(default 2,000,000; 20,000,000 take a quarter of an hour and 13 GB) of a thousand resources over a year, put there with SQL.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import sqlalchemy as sa

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Event
from dotbus.contracts.topics import Topics
from dotbus.testing import samples
from historian.database import Database
from historian.migrations import Roles, bring_up_to_date
from historian.upkeep.months import add_months, month_after, month_of
from historian.upkeep.sizes import read_sizes
from historian.write.reading.arrivals import Arrival
from historian.write.reading.record import Recorder
from historian.write.storing.store import Store
from launcher.demo.embedded_database import OWNER_ROLE, READER_ROLE, WRITER_ROLE, embedded_database

TOPICS = Topics()
NODES, NODES_A_MESSAGE = 16_600, 100
PLANTS = 100
RESOURCES, STEPS = 1000, 20
BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
ROUNDS = 15
QUESTIONS = {
    "the newest DOTs of a resource (README)": """SELECT target_at, schedule, dot_mw FROM dotbus.dot_latest
        WHERE resource_id = :resource AND schedule = 'five-minute' ORDER BY interval_start DESC LIMIT 9""",
    "its newest instructions": """SELECT interval_start, dot_mw, standing FROM dotbus.instruction_latest
        WHERE resource_id = :resource ORDER BY interval_start DESC LIMIT 9""",
    "its DOTs of an hour half a year ago": """SELECT interval_start, dot_mw FROM dotbus.dot_latest
        WHERE resource_id = :resource AND schedule = 'five-minute' AND interval_start >= '2026-04-01 12:00Z'
        AND interval_start < '2026-04-01 13:00Z' ORDER BY interval_start""",
}


BATCHES = f"""
    INSERT INTO dispatch_batch (event_no, environment, batch_uid, revision_key, resource_id, plant, batch_type, batch_status,
      revision_no, start_at, batch_received_at, origin_no, seq, event_id, time, received_at)
    SELECT n, 'production', 'DISP-' || t, '1.1', 'RES_' || r, 'plant_' || r % {PLANTS}, 0, 1, 1, at, at - interval '150 s',
      (SELECT max(origin_no) FROM origin), n, 'dispatch/' || t || '/1.1/RES_' || r, at, at FROM """
INSTRUCTIONS = """
    INSERT INTO instruction (event_no, resource_id, instruction_uid, interval_start, interval_end, target_at, standing,
      standing_mw, is_newest, start_at, dot_mw, instruction_type)
    SELECT n, 'RES_' || r, 'DISP-' || t || '-I' || r, at, at + interval '300 s', at + interval '150 s', 'in force', r, true,
      at + interval '150 s', r, 0 FROM """


def prices() -> Iterator[Event]:
    """An hour of one market: every node, as many in a message as lmp_ingest says at once."""
    sample = samples.prices()
    columns = [name for name in sample.__struct_fields__ if name.endswith("_per_mwh")]
    for interval in range(12):
        at = BEGIN + timedelta(minutes=5 * interval)
        for first in range(0, NODES, NODES_A_MESSAGE):
            nodes = tuple(f"NODE_{number}_N001" for number in range(first, min(first + NODES_A_MESSAGE, NODES)))
            values = {name: tuple(20 + number % 997 / 31 for number in range(len(nodes))) for name in columns}
            values["ghg_usd_per_mwh"] = (0.0,) * len(nodes)
            seq = interval * NODES + first + 1
            yield msgspec.structs.replace(
                sample, seq=seq, id=f"prices/{seq}", interval_start=at, interval_end=at + timedelta(minutes=5), nodes=nodes,
                **values,
            )  # fmt: skip


def dispatches() -> Iterator[Event]:
    """A batch for each plant in each interval of an hour: one instruction with two segments."""
    sample = samples.dispatch()
    for seq in range(1, 12 * PLANTS + 1):
        at = BEGIN + timedelta(minutes=5 * (seq // PLANTS))
        batch = msgspec.structs.replace(sample.batch, batch_uid=f"D{seq}", start_at=at)
        yield msgspec.structs.replace(sample, seq=seq, id=f"dispatch/{seq}", batch=batch)


def trajectories() -> Iterator[Event]:
    """A curve of twelve points and a compliance record for each plant in each interval of an hour."""
    sample = samples.trajectory_batch()
    for seq in range(1, 12 * PLANTS + 1):
        at = BEGIN + timedelta(minutes=5 * (seq // PLANTS))
        dops = tuple(
            msgspec.structs.replace(sample.dops[0], dop_uid=f"P{seq}-{place}", target_at=at + timedelta(minutes=5 * place))
            for place in range(12)
        )
        batch = msgspec.structs.replace(sample.batch, batch_uid=f"T{seq}")
        yield msgspec.structs.replace(sample, seq=10**6 + seq, id=f"trajectory/{seq}", batch=batch, dops=dops)


def topic_of(event: Event) -> str:
    """Where it is said."""
    match type(event).__name__:
        case "Prices":
            return TOPICS.prices(event.market)
        case "Dispatch":
            return TOPICS.dispatch(event.plant, event.resource_id)
        case _:
            return TOPICS.trajectory_batch(event.plant, event.resource_id)


def store_all(database: Database, events: Iterable[Event]) -> None:
    """Write events as the historian does."""
    record, store = Recorder(TOPICS).record, Store(database)
    arrivals = [
        Arrival(topic, payload, BEGIN, record(topic, payload))
        for topic, payload in ((topic_of(event), encode(event)) for event in events)
    ]
    written = store.write(arrivals, BEGIN)
    assert written.events == len(arrivals), written


def sizes(database: Database) -> dict[str, int]:
    """Bytes of each table with its indexes."""
    with database.transaction() as connection:
        return dict(read_sizes(connection, BEGIN).table_bytes)


def measure_bytes(database: Database) -> None:
    """Print what an hour takes, and so a day."""
    for name, events, tables, per_hour in (
        ("prices", prices(), ("price", "price_report"), 12 * NODES),
        ("dispatches", dispatches(), ("dispatch_batch", "instruction", "instruction_detail"), 12 * PLANTS),
        ("trajectories", trajectories(), ("trajectory_batch", "dop", "compliance"), 12 * PLANTS),
    ):
        before = sizes(database)
        store_all(database, events)
        grown = sum(sizes(database)[table] - before[table] for table in tables)
        print(
            f"{name:12} {grown / per_hour:7.0f} bytes each (all rows and indexes); a day {grown * 24 / 2**20:8.1f} MiB",
            flush=True,
        )


def fill(database: Database, instructions: int) -> None:
    """A year of a thousand resources, with SQL."""
    each = instructions // RESOURCES
    months = [month_after(month_of(BEGIN), count) for count in range(-10, 3)]
    with database.transaction(as_owner=True) as connection:
        add_months(connection, months)
        connection.execute(
            sa.text("INSERT INTO origin (environment, source, stream) VALUES ('production', 'ads_ingest/x', 'x')")
        )
    for step in range(STEPS):
        first, last = step * each // STEPS, (step + 1) * each // STEPS - 1
        rows = f"""(SELECT t, r, 10000000000 + t::bigint * {RESOURCES} + r AS n,
            timestamptz '2025-12-01 00:00Z' + t * interval '300 s' * {105_120 / each} AS at
            FROM generate_series({first}, {last}) AS t, generate_series(1, {RESOURCES}) AS r) AS x"""
        with database.transaction(as_owner=True) as connection:
            connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            connection.execute(sa.text(BATCHES + rows))
            connection.execute(sa.text(INSTRUCTIONS + rows))
    with database.transaction(as_owner=True) as connection:
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        connection.execute(sa.text("ANALYZE"))


def measure_questions(database: Database, instructions: int) -> None:
    """Print the median of some runs, each with another resource, and the slowest."""
    for title, question in QUESTIONS.items():
        took_ms = []
        for number in range(ROUNDS):
            begun = time.perf_counter()
            with database.transaction() as connection:
                found = connection.execute(sa.text(question), {"resource": f"RES_{number * 61 % RESOURCES + 1}"}).all()
            took_ms.append((time.perf_counter() - begun) * 1000)
        print(
            f"{instructions:10} instructions: {title}: median {statistics.median(took_ms):6.1f} ms, "
            f"slowest {max(took_ms):6.1f} ms, {len(found)} rows", flush=True,
        )  # fmt: skip


def main() -> None:
    """Bytes first, then questions."""
    instructions = int(sys.argv[1]) if sys.argv[1:] else 2_000_000
    with tempfile.TemporaryDirectory() as folder, embedded_database(Path(folder) / "postgres") as embedded:
        database = Database(embedded.historian_url, "dotbus", owner_role=OWNER_ROLE, writer_role=WRITER_ROLE)
        bring_up_to_date(database, Roles(READER_ROLE), BEGIN)
        measure_bytes(database)
        fill(database, instructions)
        measure_questions(database, instructions)
        database.close()


if __name__ == "__main__":
    main()
