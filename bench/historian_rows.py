"""Rows a second: the historian's way into PostgreSQL beside psql COPY of the same rows, in one run.

    python bench/historian_rows.py [postgresql+psycopg2://USER:PASSWORD@HOST/DATABASE]

Uses the schema `historian_bench` of that database, which it makes anew and drops; needs psql then. Without an address it runs
beside the PostgreSQL of the demonstration, started for it alone.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import sqlalchemy as sa

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Event
from dotbus.contracts.topics import Topics
from dotbus.testing import samples
from historian.record import record
from historian.store import Arrival, Store
from launcher.embedded_database import embedded_database

SCHEMA = "historian_bench"
NODES = tuple(f"NODE_{number}" for number in range(100))
MESSAGES = 500
TOPICS = Topics()
TABLES = ("dispatch_batch", "instruction", "instruction_detail", "price")


def prices() -> Iterator[tuple[str, Event]]:
    """Messages of a hundred nodes each."""
    sample = samples.prices()
    column = tuple(float(number) for number in range(len(NODES)))
    for seq in range(1, MESSAGES + 1):
        at = sample.interval_start + timedelta(minutes=5 * seq)
        yield (
            TOPICS.prices(sample.market),
            msgspec.structs.replace(
                sample, seq=seq, id=f"prices/{seq}", interval_start=at, interval_end=at + timedelta(minutes=5),
                nodes=NODES, lmp_usd_per_mwh=column, energy_usd_per_mwh=column, congestion_usd_per_mwh=column,
                loss_usd_per_mwh=column, ghg_usd_per_mwh=column,
            ),
        )  # fmt: skip


def dispatches() -> Iterator[tuple[str, Event]]:
    """Messages of one instruction with two segments: four rows each."""
    sample = samples.dispatch()
    for seq in range(1, 10 * MESSAGES + 1):
        batch = msgspec.structs.replace(sample.batch, batch_uid=f"BATCH-{seq}")
        topic = TOPICS.dispatch(sample.plant, sample.resource_id)
        yield topic, msgspec.structs.replace(sample, seq=seq, id=f"dispatch/{seq}", batch=batch)


def store_all(store: Store, messages: list[tuple[str, bytes]], batch: int) -> float:
    """Seconds from payloads to the last commit."""
    begun = time.perf_counter()
    for start in range(0, len(messages), batch):
        now = datetime.now(UTC)
        part = messages[start : start + batch]
        store.write([Arrival(topic, payload, now, record(TOPICS, topic, payload, now)) for topic, payload in part])
    return time.perf_counter() - begun


def psql(program: str, url: sa.URL, command: str) -> float:
    """Seconds of one psql call."""
    environment = {**os.environ, "PGOPTIONS": f"-c search_path={SCHEMA}"}
    begun = time.perf_counter()
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    subprocess.run([program, "-q", "-v", "ON_ERROR_STOP=1", address, "-c", command], check=True, env=environment)
    return time.perf_counter() - begun


def measure(program: str, url: sa.URL, store: Store, kind: str, messages: list[tuple[str, bytes]], batch: int) -> None:
    """Print both rates for one kind of message."""
    store_s = store_all(store, messages, batch)
    with sa.create_engine(url).connect() as connection:
        counts = {table: connection.scalar(sa.text(f"SELECT count(*) FROM {SCHEMA}.{table}")) for table in TABLES}
    with tempfile.TemporaryDirectory() as folder:
        filled = [table for table, count in counts.items() if count]
        files = {table: f"{folder}/{table}" for table in filled}
        for table, file in files.items():
            psql(program, url, rf"\copy {table} TO '{file}'")
            psql(program, url, f"TRUNCATE {table}")
        copy_s = sum(psql(program, url, rf"\copy {table} FROM '{file}'") for table, file in files.items())
    for table in filled:
        psql(program, url, f"TRUNCATE {table}")
    rows = sum(counts.values())
    print(
        f"{kind:10} {rows:6} rows, {batch} messages a batch: historian {rows / store_s:7.0f} rows/s, "
        f"psql COPY {rows / copy_s:7.0f} rows/s, ratio {copy_s / store_s:.2f}"
    )


def run(program: str, url: sa.URL) -> None:
    """Make the schema, measure, drop it."""
    with sa.create_engine(url).begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        connection.execute(sa.text(f"CREATE SCHEMA {SCHEMA}"))
    store = Store(url.update_query_dict({"options": f"-c search_path={SCHEMA}"}).render_as_string(hide_password=False))
    store.migrate()
    for kind, events, batch in (("prices", prices(), 20), ("dispatches", dispatches(), 1000)):
        messages = [(topic, encode(event)) for topic, event in events]
        for _ in range(3):
            measure(program, url, store, kind, messages, batch)
    store.close()
    with sa.create_engine(url).begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA {SCHEMA} CASCADE"))


def main() -> None:
    """Measure in the database that is named, else in one of our own."""
    if sys.argv[1:]:
        run("psql", sa.make_url(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder, embedded_database(Path(folder) / "postgres") as database:
        run(database.psql, sa.make_url(database.owner_url))


if __name__ == "__main__":
    main()
