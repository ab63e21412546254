"""An outage of CAISO's, from the stream that saw it to the database: one row for each stream, whatever came again."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from ads_bench import MINUTE, T0, Bench
from historian_parts import letters, ready, stored

from historian.database import Database
from historian.upkeep.upstream_gaps import read_upstream_gaps
from historian.write.reading.record import Recorder
from historian.write.storing.store import Arrival, Store

pytestmark = pytest.mark.integration


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.outbox.close()


@pytest.fixture
def store(database: str) -> Iterator[tuple[Database, Store]]:
    with ready(database) as opened:
        yield opened, Store(opened)


def deliver(bench: Bench, store: Store) -> None:
    """All that the outbox has, as the courier publishes it and the historian reads it."""
    record = Recorder(bench.installation.topics).record
    kept = bench.outbox.between(1, 10**6, 10**6)
    arrivals = [Arrival(each.topic, each.payload, bench.now, record(each.topic, each.payload)) for each in kept]
    store.write(arrivals, bench.now)


def test_an_outage_that_caiso_forgot_is_one_row_of_each_stream(
    bench: Bench, store: tuple[Database, Store], database: str
) -> None:
    opened, writer = store
    for _ in range(2):
        bench.dispatch.round()
        bench.trajectory.round()
        deliver(bench, writer)
        bench.later(30 * 60 * MINUTE)
        bench.restart()
    gaps = "SELECT upstream, account, missing_from, missing_until, source, seq FROM upstream_gap_history ORDER BY seq"
    found = (None, T0, T0 + timedelta(hours=6), "ads_ingest/test")
    assert stored(database, gaps) == [("ads_dispatch", *found, 1), ("ads_trajectory", *found, 2)]
    assert letters(database) == []
    begin = "ads_ingest/test, simulator, ads_dispatch: CAISO was not heard for longer than it keeps batches: "
    with opened.transaction() as connection:
        told = read_upstream_gaps(connection)
    assert told[1] == f"{begin}dispatch batches of 2026-03-01T12:00:00Z to 2026-03-01T18:00:00Z are missing"


def test_a_gap_comes_again_under_numbers_of_a_new_stream_and_stays_one_row(
    bench: Bench, store: tuple[Database, Store], database: str
) -> None:
    bench.dispatch.round()
    bench.later(30 * 60 * MINUTE)
    bench.dispatch.round()
    deliver(bench, store[1])
    bench.outbox.begin_stream(again=True)
    deliver(bench, store[1])
    assert len(stored(database, "SELECT 1 FROM upstream_gap")) == 1
    assert sorted(stored(database, "SELECT received::text FROM stream_sequence")) == [("{[1,2)}",), ("{[1,2)}",)]
    assert letters(database) == []
