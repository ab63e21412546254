"""What plants say of their points is kept once, as it was said, and what is no telemetry is kept with the reason."""

from collections.abc import Iterator
from datetime import timedelta
from random import Random

import msgspec
import pytest
from historian_parts import NOW, arrival, letters, named, ready, replace, stored, topic_of

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Telemetry
from dotbus.testing import samples
from historian.database import Database
from historian.upkeep.months import month_after, month_of, part_name
from historian.upkeep.retention import Retention, drop_old
from historian.write.storing.store import Store

pytestmark = pytest.mark.integration

SAID = samples.telemetry()


@pytest.fixture
def open_database(database: str) -> Iterator[Database]:
    with ready(database) as opened:
        yield opened


@pytest.fixture
def store(open_database: Database) -> Store:
    return Store(open_database)


def later(seconds: float, **changes: object) -> Telemetry:
    return replace(SAID, **({"time": SAID.time + timedelta(seconds=seconds)} | changes))


def written(store: Store, *said: Telemetry):
    return store.write([arrival(each) for each in said], NOW)


def test_every_value_of_telemetry_comes_back_as_it_was_said(database, store):
    assert written(store, SAID).points == 1
    (row,) = named(database, "SELECT * FROM telemetry_history")
    assert row == {
        "environment": "simulator",
        "plant": "sierra",
        "resource_id": "TEST_RESOURCE_1",
        "point": "actual_mw",
        "source": "modbus_gateway/sierra",
        "time": SAID.time,
        "measured_at": SAID.measured_at,
        "valid_until": SAID.valid_until,
        "value": 48.2,
        "unit": "MW",
        "quality": 64,
        "reasons": ["out_of_limits"],
        "written_by": "CN=scada-1,O=Sierra",
        "written_from": "10.20.0.5",
        "received_at": NOW,
    }
    assert letters(database) == []


def test_what_is_absent_is_null_and_never_0(database, store):
    nothing = {"value": None, "measured_at": None, "quality": 0, "reasons": (), "written_by": None, "written_from": None}
    written(store, replace(SAID, **nothing))
    (row,) = named(database, "SELECT value, measured_at, reasons, written_by, written_from FROM telemetry_history")
    assert row == {"value": None, "measured_at": None, "reasons": [], "written_by": None, "written_from": None}


def test_what_is_on_is_1_and_what_is_off_is_0(database, store):
    written(store, *(later(number, point="agc_on", value=value, unit=None) for number, value in enumerate((True, False))))
    assert stored(database, "SELECT value, unit FROM telemetry_history ORDER BY time") == [(1.0, None), (0.0, None)]


def test_telemetry_is_stored_once_however_often_it_comes(database, store):
    some = [later(number) for number in range(5)]
    assert written(store, *some, *some).points == 5
    assert written(store, *some, later(5)).points == 1
    assert stored(database, "SELECT count(*), count(DISTINCT time) FROM telemetry") == [(6, 6)]
    assert stored(database, "SELECT point_no FROM telemetry_point") == [(1,)], "what comes again uses up no number"
    assert letters(database) == []


def test_of_two_values_of_one_time_from_one_source_the_first_stays_and_the_other_is_a_contradiction(database, store):
    written(store, SAID)
    rejections = written(store, later(1), replace(SAID, value=3.0), later(2)).rejections
    assert [rejection.kind for rejection in rejections] == ["contradiction"]
    assert stored(database, "SELECT value FROM telemetry ORDER BY time") == [(48.2,)] * 3


def test_two_sources_may_differ_at_one_time(database, store):
    assert written(store, SAID, replace(SAID, source="scada/sierra", value=3.0)).rejections == []
    assert stored(database, "SELECT source, value FROM telemetry_history ORDER BY source") == [
        ("modbus_gateway/sierra", 48.2),
        ("scada/sierra", 3.0),
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": "modbus_gateway/delta"}, "does not speak for sierra"),
        ({"source": "ads_ingest/sierra"}, "does not speak for sierra"),
        ({"plant": "delta", "source": "modbus_gateway/delta"}, "its topic is"),
        ({"resource_id": "ANOTHER"}, "its topic is"),
        ({"point": "available_mw"}, "its topic is"),
        ({"written_by": "n" * 201}, "longest"),
    ],
)
def test_whoever_speaks_for_another_or_beyond_bounds_is_a_dead_letter(database, store, changes, reason):
    store.write([arrival(encode(replace(SAID, **changes)), topic_of(SAID)), arrival(later(1))], NOW)
    ((kind, why),) = letters(database)
    assert kind == "refused"
    assert reason in why
    assert stored(database, "SELECT count(*) FROM telemetry") == [(1,)]


@pytest.mark.parametrize(
    "payload", [b"48.2", b"{}", encode(samples.dot()), encode(SAID).replace(b'"quality":64', b'"quality":192')]
)
def test_what_is_no_telemetry_is_a_dead_letter_on_its_topic(database, store, payload):
    store.write([arrival(payload, topic_of(SAID)), arrival(SAID)], NOW)
    assert [kind for kind, _ in letters(database)] == ["refused"]
    assert stored(database, "SELECT count(*) FROM telemetry") == [(1,)]


def test_what_the_database_refuses_of_a_batch_is_a_dead_letter_and_all_else_is_stored(database, store):
    """Names within bounds, and together too long for an index of PostgreSQL's."""
    draw = Random(1)
    name = "".join(chr(draw.randrange(0x20000, 0x2A000)) for _ in range(198))
    said = replace(SAID, plant=name, source=f"m/{name}", resource_id=name[::-1], point=name[1:])
    deliveries = [arrival(later(number)) for number in range(4)]
    result = store.write([*deliveries[:2], arrival(said), *deliveries[2:]], NOW)
    assert (result.points, [rejection.arrival.meaning for rejection in result.rejections]) == (4, [said])
    assert [kind for kind, _ in letters(database)] == ["refused"]


def test_a_retained_point_that_is_taken_back_is_nothing_to_keep(database, store):
    store.write([arrival(b"", topic_of(SAID))], NOW)
    assert letters(database) == []


def test_the_last_word_on_a_point_is_what_was_said_last_and_not_what_a_clock_dates_later_than_now(database, store):
    ahead = replace(SAID, time=SAID.time.replace(year=2199), value=1.0)
    written(store, later(60, value=50.0), SAID, ahead)
    now = stored(database, "SELECT now()")[0][0]
    expected = 50.0 if now >= SAID.time + timedelta(seconds=60) else None
    assert [row[0] for row in stored(database, "SELECT value FROM telemetry_latest")] in ([expected], [])
    assert stored(database, "SELECT count(*) FROM telemetry_history") == [(3,)]


def test_a_month_of_telemetry_goes_with_its_writes_and_the_next_stays(database, store, open_database):
    written(store, SAID, replace(SAID, time=month_after(month_of(SAID.time))))
    write = samples.written()
    others = replace(write, id="write/2", seq=2, time=month_after(month_of(write.time)))
    assert store.write([arrival(write), arrival(others)], NOW).events == 2
    gone = list(drop_old(open_database, Retention(telemetry_days=1), month_after(month_of(SAID.time)) + timedelta(days=3)))
    assert {part_name("telemetry", month_of(SAID.time)), "1 rows of point_write"} <= set(gone)
    assert stored(database, "SELECT count(*) FROM telemetry") == [(1,)]
    assert stored(database, "SELECT event_id FROM point_write") == [("write/2",)]


def test_every_value_of_a_write_comes_back_as_it_was_said(database, store):
    message = replace(samples.written(), point="agc_on", unit=None, old_value=False, new_value=True)
    store.write([arrival(message)], NOW)
    (row,) = named(database, "SELECT * FROM point_write_history")
    said = {
        name: value for name, value in msgspec.structs.asdict(message).items() if name not in {"version", "id", "write_seq"}
    }
    assert {name: row[name] for name in said} == said, "true is 1 and false is 0"
    assert (row["event_id"], row["received_at"]) == (message.id, NOW)


@pytest.mark.parametrize("source", ["ads_ingest/sierra", "modbus_gateway/delta", "lmp_ingest/sierra"])
def test_a_plant_numbers_writes_as_itself_only_so_that_it_hides_nothing_of_another(database, store, source):
    store.write([arrival(replace(samples.written(), source=source))], NOW)
    assert [kind for kind, _ in letters(database)] == ["refused"]
    assert stored(database, "SELECT count(*) FROM source_sequence") == [(0,)]
