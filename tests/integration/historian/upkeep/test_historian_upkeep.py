"""What is too old goes, whole months of it at once; what is kept for ever stays; dead letters never fill the disk."""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg2
import pytest
import sqlalchemy as sa
from historian_database import fill, prepared, write
from historian_parts import NOW, arrival
from prometheus_client import CollectorRegistry, generate_latest
from real_postgres import query

from dotbus.testing import samples
from historian.database import Database, StoreUnavailable, TableInUse
from historian.meters import Meters
from historian.migrations import Roles
from historian.tables import DIVIDED
from historian.upkeep.months import add_months, month_after, month_of, months_ahead, part_name
from historian.upkeep.price_hours import make_hours
from historian.upkeep.retention import AT_ONCE, Retention, drop_old, shed_dead_letters
from historian.upkeep.service import LOOK_EVERY, MONTHS_EVERY, Upkeep
from historian.upkeep.sizes import Sizes, read_sizes

pytestmark = pytest.mark.integration

AUGUST, SEPTEMBER, OCTOBER = (datetime(2026, month, 10, 12, tzinfo=UTC) for month in (8, 9, 10))
EVERYTHING = Retention(31, 31, 31, 31, 31)
VIEWS = (
    *("dispatch_batch_history", "instruction_history", "instruction_response_history"),
    *("dop_history", "compliance_history", "price_history", "point_write_history"),
)


@pytest.fixture
def kept(database: str) -> Iterator[Database]:
    """An event of each kind in each of three months."""
    with prepared(database) as kept:
        for number, month in enumerate((AUGUST, SEPTEMBER, OCTOBER), 1):
            fill(kept, *events(number, month), received_at=month)
        yield kept


def events(number: int, at: datetime):
    """A dispatch, an answer, a write, a point, a trajectory and prices of a time."""
    yield dispatch(number, at)
    yield msgspec.structs.replace(samples.written(), id=f"w{number}", seq=40 + number, time=at)
    yield msgspec.structs.replace(samples.telemetry(), time=at)
    yield msgspec.structs.replace(samples.answered(), id=f"r{number}", seq=30 + number, time=at)
    curve = samples.trajectory_batch()
    yield msgspec.structs.replace(
        curve,
        id=f"t{number}",
        seq=10 + number,
        time=at,
        batch=msgspec.structs.replace(curve.batch, batch_uid=f"T{number}", batch_received_at=at),
        dops=tuple(msgspec.structs.replace(dop, target_at=at) for dop in curve.dops),
        compliance=tuple(msgspec.structs.replace(record, start_at=at) for record in curve.compliance),
    )
    times = {"interval_start": at, "interval_end": at + timedelta(minutes=5), "fetched_at": at}
    yield msgspec.structs.replace(samples.prices(), id=f"p{number}", seq=20 + number, time=at, **times)


def dispatch(number: int, at: datetime):
    sample = samples.dispatch()
    times = {"start_at": at + timedelta(seconds=150), "end_at": at + timedelta(minutes=5)}
    return msgspec.structs.replace(
        sample,
        id=f"d{number}",
        seq=number,
        time=at,
        batch=msgspec.structs.replace(sample.batch, batch_uid=f"D{number}", start_at=at),
        instructions=(msgspec.structs.replace(samples.instruction(), **times),),
    )


def seqs(database: str, table: str) -> list[int]:
    return [seq for (seq,) in query(database, f"SELECT DISTINCT seq FROM dotbus.{table} ORDER BY seq")]


def test_everything_is_kept_for_ever_unless_a_number_of_days_is_set(database: str, kept: Database):
    assert list(drop_old(kept, Retention(), NOW + timedelta(days=36500))) == []
    assert {view: len(seqs(database, view)) for view in VIEWS} == dict.fromkeys(VIEWS, 3)


def test_whole_months_go_and_no_view_shows_anything_of_them(database: str, kept: Database):
    make_hours(kept, OCTOBER, timedelta(0))
    gone = list(drop_old(kept, EVERYTHING, datetime(2026, 10, 13, tzinfo=UTC)))
    assert {part_name(table.name, month_of(AUGUST)) for table in DIVIDED} <= set(gone)
    assert not [name for name in gone if name.endswith(("2026_09", "2026_10"))]
    for view in VIEWS:
        assert [seq % 10 for seq in seqs(database, view)] == [2, 3], view
    assert query(database, "SELECT time FROM dotbus.telemetry_history ORDER BY 1") == [(SEPTEMBER,), (OCTOBER,)]
    assert seqs(database, "price_report") == [22, 23]
    assert query(database, "SELECT batch_uid FROM dotbus.dot_latest ORDER BY 1") == [("D2",), ("D3",)]


def test_what_is_read_for_long_is_dropped_later_and_keeps_nobody_waiting(database: str, kept: Database, monkeypatch):
    """Whoever waits to drop a month has all others wait who ask or store anything of its table."""
    monkeypatch.setattr("historian.upkeep.months.WAIT_FOR_READERS", "50ms")
    now = datetime(2026, 12, 10, tzinfo=UTC)
    upkeep = Upkeep(kept, Roles(), Retention(prices_days=31), 10**9, lambda _sizes: None)
    with closing(psycopg2.connect(database)) as reader, reader.cursor() as reading:
        reading.execute("SELECT count(*) FROM dotbus.price")
        with pytest.raises(TableInUse):
            list(drop_old(kept, Retention(prices_days=31), now))
        upkeep.turn(now)
        fill(kept, *events(4, now), received_at=now)
    assert len(seqs(database, "price_history")) == 4
    upkeep.turn(now + LOOK_EVERY)
    assert seqs(database, "price_history") == [24]


def test_a_day_within_a_month_keeps_all_of_it(database: str, kept: Database):
    """What is kept is never less than what was asked for."""
    list(drop_old(kept, Retention(prices_days=35), datetime(2026, 10, 31, tzinfo=UTC)))
    assert seqs(database, "price_history") == [22, 23]


def test_what_is_of_one_kind_goes_without_the_others(database: str, kept: Database):
    list(drop_old(kept, Retention(prices_days=31), datetime(2026, 12, 10, tzinfo=UTC)))
    assert seqs(database, "price_history") == []
    assert len(seqs(database, "instruction_history")) == 3
    assert len(seqs(database, "dop_history")) == 3


def test_rows_of_no_month_go_by_their_time_and_stay_without_one(database: str, kept: Database):
    before_markets = datetime(2001, 1, 1, tzinfo=UTC)
    undated = msgspec.structs.replace(samples.trajectory_batch().dops[0], target_at=None)
    batch = msgspec.structs.replace(samples.trajectory_batch(), id="u", seq=99, dops=(undated,), compliance=())
    fill(kept, *events(5, before_markets), batch)
    assert query(database, "SELECT count(*) FROM dotbus.price_other") == [(2,)]
    list(drop_old(kept, Retention(prices_days=31, trajectory_days=31), OCTOBER))
    assert query(database, "SELECT count(*) FROM dotbus.price_other") == [(0,)]
    assert query(database, "SELECT count(*) FROM dotbus.dop_other") == [(1,)]


ORPHANS = (
    *(
        f"SELECT count(*) FROM dotbus.{rows} WHERE event_no NOT IN (SELECT event_no FROM dotbus.{batch})"
        for rows, batch in (
            ("instruction", "dispatch_batch"),
            ("instruction_detail", "dispatch_batch"),
            ("dop", "trajectory_batch"),
            ("compliance", "trajectory_batch"),
        )
    ),
    "SELECT count(*) FROM dotbus.price WHERE report_no NOT IN (SELECT report_no FROM dotbus.price_report)",
    "SELECT count(*) FROM dotbus.price_report WHERE report_no NOT IN (SELECT report_no FROM dotbus.price)",
)


def orphans(database: str) -> int:
    """Rows without the one that says where they came from, and reports without prices."""
    return sum(query(database, statement)[0][0] for statement in ORPHANS)


def test_a_report_goes_with_its_prices_to_the_minute(database: str, kept: Database):
    month = datetime(2026, 9, 1, tzinfo=UTC)
    for number, start in enumerate((month - timedelta(minutes=5), month), 41):
        times = {"interval_start": start, "interval_end": start + timedelta(minutes=5), "fetched_at": start}
        fill(kept, msgspec.structs.replace(samples.prices(), id=f"edge{number}", seq=number, **times))
    list(drop_old(kept, EVERYTHING, datetime(2026, 10, 13, tzinfo=UTC)))
    assert [seq for seq in seqs(database, "price_report") if seq > 40] == [42]
    assert orphans(database) == 0


def test_a_batch_stays_while_anything_of_it_does(database: str, kept: Database):
    """What is of the next month is not lost with the last: of a batch that CAISO gives no start, and of a curve."""
    ahead = dispatch(50, AUGUST)
    late = {"start_at": SEPTEMBER, "end_at": SEPTEMBER + timedelta(hours=1)}
    curve = msgspec.structs.replace(samples.trajectory_batch(), id="c", seq=51, compliance=())
    later = msgspec.structs.replace(curve.dops[0], target_at=SEPTEMBER)
    both = (msgspec.structs.replace(ahead.instructions[0], instruction_uid="later", **late), *ahead.instructions)
    fill(
        kept,
        msgspec.structs.replace(ahead, instructions=both, batch=msgspec.structs.replace(ahead.batch, start_at=None)),
        msgspec.structs.replace(
            curve, batch=msgspec.structs.replace(curve.batch, batch_uid="C", batch_received_at=AUGUST), dops=(later,)
        ),
    )
    list(drop_old(kept, EVERYTHING, datetime(2026, 10, 13, tzinfo=UTC)))
    assert query(database, "SELECT instruction_uid FROM dotbus.instruction_history WHERE seq = 50") == [("later",)]
    assert 51 in seqs(database, "dop_history")
    list(drop_old(kept, EVERYTHING, datetime(2026, 11, 13, tzinfo=UTC)))
    assert not {50, 51} & {*seqs(database, "dispatch_batch"), *seqs(database, "trajectory_batch")}
    assert orphans(database) == 0


def test_a_batch_of_the_last_day_of_a_month_goes_with_the_month(database: str, kept: Database):
    fill(kept, dispatch(60, datetime(2026, 8, 31, 23, 50, tzinfo=UTC)))
    list(drop_old(kept, EVERYTHING, datetime(2026, 10, 13, tzinfo=UTC)))
    assert 60 not in seqs(database, "dispatch_batch")


def test_what_has_no_time_goes_with_its_event(database: str, kept: Database):
    undated = msgspec.structs.replace(samples.trajectory_batch().dops[0], target_at=None)
    curve = samples.trajectory_batch()
    batch = msgspec.structs.replace(curve.batch, batch_uid="U", batch_received_at=AUGUST)
    fill(kept, msgspec.structs.replace(curve, id="u", seq=70, batch=batch, dops=(undated,), compliance=()))
    list(drop_old(kept, EVERYTHING, datetime(2026, 10, 13, tzinfo=UTC)))
    assert 70 not in seqs(database, "trajectory_batch")
    assert query(database, "SELECT count(*) FROM dotbus.dop_other") == [(0,)]
    assert orphans(database) == 0


def test_rows_of_whole_tables_go_in_pieces_however_many_they_are(database: str, kept: Database):
    rows = AT_ONCE * 2 + 3
    columns = "environment, source, service, instance, online, started_at, software_version, upstreams, cursors"
    told = "'simulator', 's/i', 's', 'i', true, t, '1', '[]', '{}', t, t, t"
    times = f"SELECT timestamptz '2026-06-01' + n * interval '1 second' AS t FROM generate_series(1, {rows}) AS n"
    into = f"INSERT INTO dotbus.service_state ({columns}, time, heard_at, received_at)"
    query(database, f"{into} SELECT {told} FROM ({times}) AS times")
    assert list(drop_old(kept, Retention(statuses_days=31), OCTOBER)) == [f"{rows} rows of service_state"]


def test_a_month_that_was_dropped_is_made_anew_when_something_of_it_comes(database: str, kept: Database):
    list(drop_old(kept, EVERYTHING, datetime(2026, 10, 13, tzinfo=UTC)))
    assert fill(kept, dispatch(7, AUGUST)).events == 1
    assert 7 in seqs(database, "instruction_history")


def test_what_was_not_in_a_month_moves_into_it_when_it_is_made(database: str, kept: Database):
    """Such as prices of a time further ahead than months are made for."""
    far = month_after(month_of(NOW), 20)
    fill(kept, *events(6, far))
    assert query(database, "SELECT count(*) FROM dotbus.price_other") == [(2,)]
    with kept.transaction(as_owner=True) as connection:
        add_months(connection, [far])
    assert query(database, "SELECT count(*) FROM dotbus.price_other") == [(0,)]
    assert query(database, f"SELECT count(*) FROM dotbus.{part_name('price', far)}") == [(2,)]


# Dead letters.


def letters(kept: Database, topic: str, count: int, size: int) -> None:
    write(kept, [arrival(b"%05d" % number + b"x" * size, topic) for number in range(count)])


def of_topic(database: str) -> dict[str, int]:
    return dict(query(database, "SELECT topic, count(*) FROM dotbus.dead_letter GROUP BY 1"))


def test_dead_letters_beyond_their_bytes_go_from_the_topic_that_has_the_most(database: str, kept: Database):
    letters(kept, "dotbus/v1/market/RTM/prices", 100, 50_000)
    letters(kept, "dotbus/v1/market/DAM/prices", 3, 50_000)
    assert shed_dead_letters(kept, 2_000_000) == pytest.approx(64, abs=2)
    held = of_topic(database)
    assert held["dotbus/v1/market/DAM/prices"] == 3
    (size,) = query(database, "SELECT sum(length(payload)) FROM dotbus.dead_letter")[0]
    assert 1_800_000 < size <= 2_000_000
    number = "min(convert_from(substring(payload FOR 5), 'UTF8'))"
    oldest = query(database, f"SELECT {number} FROM dotbus.dead_letter WHERE topic LIKE '%RTM%'")
    assert int(oldest[0][0]) > 60


def test_of_letters_that_each_have_a_topic_of_their_own_the_oldest_go_and_topics_count(database: str, kept: Database):
    """Whoever may choose topics may choose long ones, and another for each letter."""
    write(kept, [arrival(b"x", f"dotbus/v1/plant/{number:05}{'n' * 2000}/R/dispatch") for number in range(500)])
    steps: list[object] = []
    sa.event.listen(kept._engine, "begin", steps.append)
    assert shed_dead_letters(kept, 255_000) in range(395, 410)
    assert len(steps) < 10
    assert query(database, "SELECT min(substring(topic from 17 for 5)::int) > 390 FROM dotbus.dead_letter") == [(True,)]


def test_those_that_were_stored_after_all_go_first(database: str, kept: Database):
    letters(kept, "dotbus/v1/market/RTM/prices", 30, 50_000)
    letters(kept, "dotbus/v1/market/DAM/prices", 20, 50_000)
    query(database, "UPDATE dotbus.dead_letter SET stored_at = now() WHERE topic LIKE '%DAM%'")
    assert shed_dead_letters(kept, 2_000_000) == 0
    assert of_topic(database) == {"dotbus/v1/market/RTM/prices": 30}


def test_within_their_bytes_all_dead_letters_stay(database: str, kept: Database):
    letters(kept, "dotbus/v1/market/RTM/prices", 5, 100)
    assert shed_dead_letters(kept, 1_000_000) == 0
    assert of_topic(database) == {"dotbus/v1/market/RTM/prices": 5}


# What a running historian does in its turn.


def upkeep_of(kept: Database, seen: list[Sizes], retention: Retention | None = None) -> Upkeep:
    return Upkeep(kept, Roles(), retention or Retention(), 1_000_000_000, seen.append)


def test_months_are_made_ahead_as_time_goes_on(kept: Database):
    seen: list[Sizes] = []
    upkeep = upkeep_of(kept, seen)
    upkeep.turn(NOW)
    assert seen[-1].months >= 4
    later = month_after(month_of(NOW), seen[-1].months - 1)  # the last month that there is
    with kept.transaction() as connection:
        assert read_sizes(connection, later).months == 1
    upkeep.turn(later)
    with kept.transaction() as connection:
        assert read_sizes(connection, later).months == 4


def test_upkeep_does_nothing_before_it_is_time(kept: Database):
    seen: list[Sizes] = []
    upkeep = upkeep_of(kept, seen)
    upkeep.turn(NOW)
    upkeep.turn(NOW + timedelta(seconds=59))
    assert len(seen) == 1
    upkeep.turn(NOW + timedelta(seconds=60))
    assert len(seen) == 2


def test_retention_follows_while_the_historian_runs(database: str, kept: Database):
    upkeep = upkeep_of(kept, [], Retention(prices_days=31))
    upkeep.turn(datetime(2026, 10, 1, tzinfo=UTC) + timedelta(days=30, hours=23, minutes=30))
    assert seqs(database, "price_history") == [22, 23]
    upkeep.turn(datetime(2026, 11, 1, tzinfo=UTC) + MONTHS_EVERY + timedelta(days=1))
    assert seqs(database, "price_history") == [23]


def test_a_fault_of_upkeep_stops_no_writing(kept: Database):
    with kept.transaction(as_owner=True) as connection:
        connection.execute(sa.text("DROP TABLE dead_letter"))
    upkeep = upkeep_of(kept, [])
    with pytest.raises(StoreUnavailable):  # a table that is gone may be one that is being restored
        upkeep.turn(NOW)


def test_the_tables_are_ready_once_they_are_up_to_date(kept: Database):
    upkeep = upkeep_of(kept, [])
    assert not upkeep.is_prepared
    upkeep.prepare(NOW)
    assert upkeep.is_prepared


def test_prometheus_sees_sizes_months_and_dead_letters(kept: Database):
    registry = CollectorRegistry()
    letters(kept, "dotbus/v1/market/RTM/prices", 2, 100)
    Upkeep(kept, Roles(), Retention(), 1_000_000_000, Meters(registry).note_sizes).turn(NOW)
    told = generate_latest(registry).decode()
    assert 'historian_dead_letters_waiting{kind="refused"} 2.0' in told
    assert 'historian_dead_letters_waiting{kind="contradiction"} 0.0' in told
    assert re.search(r"^historian_months [4-9]", told, re.MULTILINE)
    (size,) = (line for line in told.splitlines() if line.startswith('historian_table_bytes{table="price"}'))
    assert float(size.split()[-1]) > 0


def test_months_ahead_hold_the_one_before_for_what_comes_late():
    assert [month.month for month in months_ahead(NOW)] == [9, 10, 11, 12, 1]
