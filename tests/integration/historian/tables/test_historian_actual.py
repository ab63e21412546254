"""What a resource delivered stands beside the DOT that was in force at that time, as the registers showed it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from historian_parts import arrival, named, ready, replace

from dotbus.contracts.messages import Dispatch, Telemetry
from dotbus.testing import samples
from historian.write.storing.store import Store

pytestmark = pytest.mark.integration

NOON = datetime(2026, 10, 13, 12, 0, tzinfo=UTC)
FIVE_MINUTE, HOURLY, EXCEPTIONAL = 0, 1, 4
UNANSWERED = dict.fromkeys(
    f"{who}{what}" for who in ("", "opr_") for what in ("accept_status", "accept_dot_mw", "reason_code", "responder")
)


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    with ready(database) as opened:
        yield Store(opened)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def dot(seq: int, dot_mw: float, received_min: float, *, start: float = 0, end: float = 5, kind: int = FIVE_MINUTE, **header):
    """A batch of one DOT for an interval."""
    sample = samples.dispatch()
    of_batch = {
        "batch_uid": f"B{seq}",
        "batch_type": kind,
        "start_at": at(start),
        "batch_received_at": at(received_min),
        **header,
    }
    times = {"start_at": at((start + end) / 2), "end_at": at(end)}
    instruction = replace(samples.instruction(), instruction_uid=f"B{seq}-I0", dot_mw=dot_mw, **UNANSWERED, **times)
    return replace(
        sample,
        id=f"id-{seq}",
        seq=seq,
        time=at(received_min),
        batch=replace(sample.batch, **of_batch),
        instructions=(instruction,),
    )


def actual(minutes: float, actual_mw: float | None, quality: int = 192, **changes) -> Telemetry:
    said = {"time": at(minutes), "valid_until": at(minutes + 1.5), "value": actual_mw, "quality": quality, "reasons": ()}
    return replace(samples.telemetry(), measured_at=at(minutes), **(said | changes))


def beside(database: str, store: Store, *messages: Dispatch | Telemetry, schedule: str = "five-minute") -> list[dict]:
    assert store.write([arrival(each, received_at=NOON) for each in messages], NOON).rejections == []
    return named(database, "SELECT * FROM actual_vs_dot WHERE schedule = %s ORDER BY time", schedule)


def test_what_is_good_is_held_against_the_dot_in_force(database, store):
    (row,) = beside(database, store, dot(1, 12.0, -3), dot(2, 20.0, 2, start=5, end=10), actual(1, 10.5))
    said = {name: row[name] for name in ("actual_mw", "dot_mw", "deviation_mw", "standing", "interval_start", "batch_uid")}
    assert said == {
        "actual_mw": 10.5,
        "dot_mw": 12.0,
        "deviation_mw": -1.5,
        "standing": "in force",
        "interval_start": at(0),
        "batch_uid": "B1",
    }
    assert (row["plant"], row["resource_id"], row["source"]) == ("sierra", "TEST_RESOURCE_1", "modbus_gateway/sierra")


def test_an_interval_holds_from_its_start_until_before_its_end(database, store):
    words = (actual(-0.01, 1.0), actual(0, 1.0), actual(4.99, 1.0), actual(5, 1.0))
    rows = beside(database, store, dot(1, 12.0, -3), *words)
    assert [row["dot_mw"] for row in rows] == [None, 12.0, 12.0, None]


@pytest.mark.parametrize(
    "changes",
    [
        {"quality": 64, "reasons": ("out_of_limits",)},
        {"quality": 0, "reasons": ("stale",)},
        {"value": None, "quality": 0, "reasons": ("invalid",)},
    ],
    ids=lambda changes: changes["reasons"][0],
)
def test_what_is_not_good_has_no_deviation(database, store, changes):
    (row,) = beside(database, store, dot(1, 12.0, -3), actual(1, 10.5, **changes))
    assert (row["dot_mw"], row["deviation_mw"], row["quality"]) == (12.0, None, changes["quality"])


def test_without_a_dot_there_is_no_deviation_and_the_word_stands_all_the_same(database, store):
    (row,) = beside(database, store, actual(1, 10.5))
    assert (row["actual_mw"], row["dot_mw"], row["standing"], row["deviation_mw"]) == (10.5, None, None, None)


def test_a_dot_that_caiso_sent_later_is_not_held_against_what_was_delivered_before(database, store):
    exceptional = dot(2, 40.0, 2, end=10, kind=EXCEPTIONAL)
    rows = beside(database, store, dot(1, 12.0, -3), exceptional, actual(1, 12.0), actual(3, 12.0))
    assert [(row["dot_mw"], row["deviation_mw"]) for row in rows] == [(12.0, 0.0), (40.0, -28.0)]


def test_an_exceptional_dispatch_that_began_days_ago_is_in_force(database, store):
    long = dot(1, 40.0, -3 * 24 * 60, start=-3 * 24 * 60, end=60, kind=EXCEPTIONAL)
    (row,) = beside(database, store, long, actual(1, 12.0))
    assert (row["dot_mw"], row["deviation_mw"]) == (40.0, -28.0)


def test_a_cancelled_dot_is_none_and_the_one_before_it_counts(database, store):
    cancelled = dot(2, 40.0, -1, batch_status=4)
    (row,) = beside(database, store, dot(1, 12.0, -3), cancelled, actual(1, 12.0))
    assert row["dot_mw"] == 12.0


def test_of_equals_that_ask_different_things_none_is_followed(database, store):
    (row,) = beside(database, store, dot(1, 12.0, -3), dot(2, 40.0, -3), actual(1, 12.0))
    assert (row["standing"], row["deviation_mw"]) == ("in doubt", None)


def test_an_hourly_dot_never_stands_in_for_a_five_minute_one(database, store):
    said = (dot(1, 30.0, -60, end=60, kind=HOURLY), actual(1, 12.0))
    assert [row["dot_mw"] for row in beside(database, store, *said)] == [None]
    assert [row["dot_mw"] for row in beside(database, store, schedule="hourly")] == [30.0]


def test_a_word_holds_until_the_next_one_or_until_nobody_vouches_for_it(database, store):
    rows = beside(database, store, actual(0, 10.0), actual(1, 11.0), actual(4, 12.0))
    assert [row["held_until"] for row in rows] == [at(1), at(2.5), at(5.5)]


def test_other_points_and_other_environments_are_not_mixed_in(database, store):
    available = actual(1, 50.0, point="available_mw")
    (row,) = beside(database, store, replace(dot(1, 12.0, -3), environment="stage"), available, actual(1, 12.0))
    assert (row["actual_mw"], row["dot_mw"]) == (12.0, None)
