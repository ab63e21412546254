"""The database tells five-minute DOTs from hourly ones, as the bus and the registers do."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from historian.record import record
from historian.store import Arrival, Store
from real_postgres import query

from ads_ingest.intervals import dot_intervals
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Dispatch
from dotbus.contracts.topics import Topics
from dotbus.testing import samples
from launcher.rows import Rows

pytestmark = pytest.mark.integration

TOPICS = Topics()
NOON = datetime(2026, 10, 13, 12, 0, tzinfo=UTC)
FIVE_MINUTE, HOURLY, EXCEPTIONAL = 0, 1, 4
RESOURCE = "TEST_RESOURCE_1"
DOTS = "SELECT dot_mw FROM dot_latest WHERE schedule = '{}' ORDER BY interval_start"


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    store = Store(database)
    store.migrate()
    yield store
    store.close()


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def batch(seq: int, batch_type: int, start_min: float, dot_mw: float, received_min: float, **changes) -> Dispatch:
    """A batch of one DOT as CAISO sends it: a five-minute one names its target, an hourly one its hour."""
    sample = samples.dispatch()
    header = {
        "batch_uid": f"B{seq}",
        "batch_type": batch_type,
        "start_at": at(start_min),
        "batch_received_at": at(received_min),
    }
    of_header = {name: changes.pop(name) for name in ("batch_status", "binding_flag", "revision_no") if name in changes}
    if batch_type == HOURLY:
        times = {"start_at": at(start_min), "end_at": at(start_min + 60)}
    else:
        times = {"start_at": at(start_min + 2.5), "end_at": None if batch_type == FIVE_MINUTE else at(start_min + 5)}
    instruction = {"instruction_uid": f"B{seq}-I0", "dot_mw": dot_mw, **times}
    return msgspec.structs.replace(
        sample,
        id=f"id-{seq}",
        seq=seq,
        time=at(received_min),
        batch=msgspec.structs.replace(sample.batch, **(header | of_header)),
        instructions=(msgspec.structs.replace(samples.instruction(), **(instruction | changes)),),
    )


def write(store: Store, *events: Dispatch) -> None:
    topic, arrivals = TOPICS.dispatch("sierra", RESOURCE), []
    for event in events:
        payload = encode(event)
        arrivals.append(Arrival(topic, payload, at(0), record(TOPICS, topic, payload, at(0))))
    assert store.write(arrivals).events == len(events)


def test_an_hourly_batch_received_later_does_not_override_a_five_minute_dot(database, store):
    write(store, batch(1, FIVE_MINUTE, 0, 40.0, -2.5), batch(2, HOURLY, 0, 90.0, -1))
    assert query(database, DOTS.format("five-minute")) == [(40.0,)]
    assert query(database, DOTS.format("hourly")) == [(90.0,)]
    types = query(database, "SELECT dot_mw, batch_type FROM instruction_latest ORDER BY 1")
    assert types == [(40.0, FIVE_MINUTE), (90.0, HOURLY)]


def test_an_exceptional_dot_is_of_both_schedules_and_replaces_the_one_of_its_interval(database, store):
    write(
        store,
        batch(1, FIVE_MINUTE, 0, 40.0, -2.5),
        batch(2, FIVE_MINUTE, 5, 41.0, 2.5),
        batch(3, HOURLY, 0, 90.0, -30),
        batch(4, EXCEPTIONAL, 5, 10.0, 3),
    )
    assert query(database, DOTS.format("five-minute")) == [(40.0,), (10.0,)]
    assert query(database, DOTS.format("hourly")) == [(90.0,), (10.0,)]


@pytest.mark.parametrize(
    "changes",
    [{"batch_status": 4}, {"status_code": 4}, {"binding_flag": "N"}, {"instruction_type": 4}, {"dot_mw": None}],
    ids=["cancelled batch", "cancelled instruction", "advisory", "start-up", "no megawatts"],
)
def test_what_is_no_instruction_to_produce_is_no_dot(database, store, changes):
    event = batch(1, EXCEPTIONAL, 0, **({"dot_mw": 10.0, "received_min": -1} | changes))
    write(store, event)
    assert dot_intervals(event) == ()
    assert query(database, "SELECT * FROM dot_latest") == []


@pytest.mark.parametrize("batch_type", [2, 3, 5, 10, None])
def test_awards_and_commitments_are_of_no_schedule(database, store, batch_type):
    write(store, batch(1, batch_type, 0, 10.0, -1))
    assert query(database, "SELECT * FROM dot_latest") == []
    assert query(database, "SELECT batch_type FROM instruction_latest") == [(batch_type,)]


@pytest.mark.parametrize("batch_type", [FIVE_MINUTE, HOURLY, EXCEPTIONAL])
@pytest.mark.parametrize("end_at", ["as sent", None, at(4), at(-9)])
@pytest.mark.parametrize("start_at", ["as sent", None, at(0), at(-3), at(1), at(200)])
def test_interval_and_target_are_those_that_the_bus_and_the_registers_have(database, store, batch_type, start_at, end_at):
    changes = {name: at for name, at in (("start_at", start_at), ("end_at", end_at)) if at != "as sent"}
    event = batch(1, batch_type, 0, 10.0, -1, **changes)
    (interval,) = dot_intervals(event)
    write(store, event)
    found = query(database, "SELECT DISTINCT interval_start, interval_end, target_at FROM dot_latest")
    assert found == [(interval.interval_start, interval.interval_end, interval.target_at)]


def test_a_newer_revision_of_a_batch_replaces_its_dot(database, store):
    one = batch(1, FIVE_MINUTE, 0, 40.0, -2.5, revision_no=1)
    other = msgspec.structs.replace(batch(1, FIVE_MINUTE, 0, 44.0, -2.5, revision_no=2), id="id-2", seq=2)
    write(store, other, one)
    assert query(database, DOTS.format("five-minute")) == [(44.0,)]


def test_unnumbered_revisions_of_a_batch_leave_the_later_word(database, store):
    one = batch(1, FIVE_MINUTE, 0, 40.0, -2.5, revision_no=None)
    moved = msgspec.structs.replace(batch(1, FIVE_MINUTE, 5, 44.0, -2, revision_no=None), id="id-2", seq=2)
    write(store, moved, one)
    assert query(database, DOTS.format("five-minute")) == [(44.0,)]


def test_a_newer_revision_that_does_not_name_an_instruction_takes_its_dot_away(database, store):
    one = batch(1, FIVE_MINUTE, 0, 40.0, -2.5, revision_no=1)
    left_out = msgspec.structs.replace(batch(1, FIVE_MINUTE, 0, 40.0, -2, revision_no=2), id="id-2", seq=2, instructions=())
    write(store, one, left_out)
    assert query(database, "SELECT * FROM dot_latest") == []


def test_a_cancelled_exceptional_dot_gives_way_to_the_one_below(database, store):
    below, above = batch(1, FIVE_MINUTE, 0, 40.0, -2.5), batch(2, EXCEPTIONAL, 0, 10.0, -1, revision_no=1)
    gone = msgspec.structs.replace(batch(2, EXCEPTIONAL, 0, 10.0, -1, revision_no=2, batch_status=4), id="id-3", seq=3)
    write(store, below, above)
    assert query(database, DOTS.format("five-minute")) == [(10.0,)]
    write(store, gone)
    assert query(database, DOTS.format("five-minute")) == [(40.0,)]


def test_the_comparison_reads_the_schedule_that_it_asks_for(database, store):
    write(store, batch(1, FIVE_MINUTE, 0, 40.0, -2.5), batch(2, HOURLY, 0, 90.0, -1))
    rows = Rows(database)
    assert rows.dot_points(RESOURCE, "five-minute") == [(at(2.5), 40.0)]
    assert rows.dot_points(RESOURCE, "hourly") == [(at(30), 90.0)]
    assert (rows.dot_mw("B1-I0", "five-minute"), rows.dot_mw("B2-I0", "five-minute")) == (40.0, None)
    rows.close()


def test_a_database_of_the_first_tables_gets_the_views_with_what_it_holds(database):
    with sa.create_engine(sa.make_url(database).set(drivername="postgresql+psycopg2")).begin() as connection:
        config = Config()
        config.set_main_option("script_location", "historian:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    store = Store(database)
    write(store, batch(1, FIVE_MINUTE, 0, 40.0, -2.5), batch(2, HOURLY, 0, 90.0, -1))
    store.migrate()
    assert query(database, DOTS.format("hourly")) == [(90.0,)]
    store.close()
