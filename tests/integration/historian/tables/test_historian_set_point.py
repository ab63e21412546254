"""set_point_minute and dot_five_minute are what registers show: SQL agrees with the registers' pure functions on any DOTs."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from historian_parts import arrival, named, ready, replace
from hypothesis import example, given, settings
from hypothesis import strategies as st
from real_postgres import Postgres, new_database

from dotbus.contracts.messages import Dispatch, DotInterval
from dotbus.contracts.schedules import in_force
from dotbus.setpoints.setpoint import RampPoint, ramp_now
from dotbus.setpoints.timeline import Timeline
from dotbus.testing import samples
from historian.write.storing.store import Store

pytestmark = pytest.mark.integration

NOON = datetime(2026, 10, 13, 19, 0, tzinfo=UTC)
TRADE_DATE = "2026-10-13"
DAY_BEGINS = datetime(2026, 10, 13, 7, 0, tzinfo=UTC)
EXCEPTIONAL = 4
UNANSWERED = dict.fromkeys(
    f"{who}{what}" for who in ("", "opr_") for what in ("accept_status", "accept_dot_mw", "reason_code", "responder")
)
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def filled(postgres: Postgres) -> Iterator[tuple[str, Store]]:
    url = new_database(postgres)
    with ready(url) as opened:
        yield url, Store(opened)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


Span = tuple[int, int, float, float, int]
"""Start and length in seconds, share of the interval at which the target is, megawatts, and when CAISO had the batch."""


def dot(resource_id: str, span: Span, place: int, **changes: object) -> Dispatch:
    """A batch of one DOT."""
    begin_s, length_s, share, dot_mw, received_s = span
    number = next(numbers)
    header = {"batch_uid": f"B{number}", "batch_type": 0, "start_at": at(begin_s), "batch_received_at": at(received_s)}
    end_at = at(begin_s + length_s)
    target_at = at(begin_s + max(1, round(length_s * share)))
    sample, instruction = samples.dispatch(), samples.instruction()
    instruction = replace(
        instruction, resource_id=resource_id, instruction_uid=f"I{place:03}", dot_mw=dot_mw, start_at=target_at, end_at=end_at,
        **UNANSWERED,
    )  # fmt: skip
    batch = replace(sample.batch, **(header | changes))
    return replace(
        sample, id=f"id-{number}", seq=number, time=at(received_s), resource_id=resource_id, batch=batch,
        instructions=(instruction,),
    )  # fmt: skip


def interval_of(event: Dispatch) -> DotInterval:
    """What the bus says of it."""
    (instruction,), batch = event.instructions, event.batch
    return DotInterval(
        interval_start=batch.start_at,
        interval_end=instruction.end_at,
        target_at=instruction.start_at,
        dot_mw=instruction.dot_mw,
        batch_uid=batch.batch_uid,
        batch_type=batch.batch_type,
        instruction_uid=instruction.instruction_uid,
        revision_no=batch.revision_no,
        batch_received_at=batch.batch_received_at,
    )


def by_minute(url: str, resource_id: str, schedule: str = "five-minute") -> dict[datetime, dict]:
    """What the view shows of the trade day."""
    words = "resource_id = %s AND schedule = %s AND trade_date = %s"
    rows = named(url, f"SELECT * FROM set_point_minute WHERE {words}", resource_id, schedule, TRADE_DATE)
    found = {row["minute_start"]: row for row in rows}
    assert len(found) == len(rows), "a minute is there once"
    return found


def expected(events: list[Dispatch]) -> dict[datetime, RampPoint]:
    timeline = Timeline(map(interval_of, events))
    minutes = (DAY_BEGINS + timedelta(minutes=number) for number in range(24 * 60))
    return {minute: point for minute in minutes if (point := ramp_now(timeline, minute))}


spans = st.tuples(
    st.integers(-7200, 7200),
    st.sampled_from([300, 300, 300, 900, 3600, 7000]) | st.integers(20, 1000),
    st.sampled_from([0.5, 0.5, 0.5, 0.1, 0.9]),
    st.floats(-500, 500).map(lambda mw: round(mw, 3)),
    st.integers(-9000, 9000),
)
"""Some of one rank, some that cut into others, some with a gap between them."""
in_a_row = st.lists(st.floats(-500, 500).map(lambda mw: round(mw, 3)), min_size=1, max_size=30).map(
    lambda mws: [(300 * place, 300, 0.5, mw, 300 * place - 450) for place, mw in enumerate(mws)]
)


long_spans = st.tuples(
    st.integers(-91 * 86_400, -40_000),
    st.integers(1, 92 * 86_400),
    st.sampled_from([0.5, 0.1, 0.999]),
    st.floats(-500, 500).map(lambda mw: round(mw, 3)),
    st.integers(-9000, 9000),
)
"""Of exceptional dispatches, most of which began days ago; some are over."""


@settings(max_examples=100)
@given(st.lists(spans, max_size=4), st.lists(long_spans, min_size=1, max_size=3))
@example([], [(-91 * 86_400, 92 * 86_400, 0.5, 10.0, -60)])
def test_an_exceptional_dispatch_that_began_days_ago_is_in_force_in_both_views(filled, of_the_day, of_before):
    url, store = filled
    resource_id = f"R{next(numbers)}"
    long = [dot(resource_id, span, 100 + place, batch_type=EXCEPTIONAL) for place, span in enumerate(of_before)]
    events = [*long, *(dot(resource_id, span, place) for place, span in enumerate(of_the_day))]
    assert store.write([arrival(each, received_at=NOON) for each in events], NOON).rejections == []
    intervals = [interval_of(event) for event in events]
    minutes = (DAY_BEGINS + timedelta(minutes=number) for number in range(24 * 60))
    in_force_then = {minute: each.dot_mw for minute in minutes if (each := in_force(intervals, minute))}
    assert {minute: row["dot_mw"] for minute, row in by_minute(url, resource_id).items()} == in_force_then
    rows = named(url, "SELECT * FROM dot_five_minute WHERE resource_id = %s AND trade_date = %s", resource_id, TRADE_DATE)
    starts = [DAY_BEGINS + timedelta(minutes=5 * number) for number in range(288)]
    middles = {start: each.dot_mw for start in starts if (each := in_force(intervals, start + timedelta(seconds=150)))}
    assert {row["five_minute_start"]: row["dot_mw"] for row in rows} == middles


@settings(max_examples=200)
@given(
    st.lists(spans, min_size=1, max_size=8) | st.tuples(in_a_row, st.lists(spans, max_size=3)).map(lambda two: two[0] + two[1])
)
@example([(0, 300, 0.5, 10.0, -60), (600, 300, 0.5, 30.0, -60)])
@example([(-60, 50, 0.5, 90.0, -60), (-180, 300, 0.5, 10.0, -200), (120, 300, 0.5, 10.0, -210)])
def test_sql_and_the_pure_function_agree_on_every_minute_of_any_schedule(filled, given_spans):
    url, store = filled
    resource_id = f"R{next(numbers)}"
    events = [dot(resource_id, span, place) for place, span in enumerate(given_spans)]
    assert store.write([arrival(each, received_at=NOON) for each in events], NOON).rejections == []
    points, rows = expected(events), by_minute(url, resource_id)
    assert rows.keys() == points.keys()
    shown = {minute: (row["set_point_mw"], row["slope_mw_per_min"], row["dot_mw"]) for minute, row in rows.items()}
    meant = {minute: (each.set_point_mw, each.slope_mw_per_min, each.through[0].dot_mw) for minute, each in points.items()}
    assert shown == {minute: pytest.approx(values, abs=1e-6) for minute, values in meant.items()}
    assert {minute: row["is_whole"] for minute, row in rows.items()} == {
        minute: each.is_whole for minute, each in points.items()
    }
    contested = Timeline(map(interval_of, events)).contested
    assert {minute: row["standing"] for minute, row in rows.items()} == {
        minute: "in doubt" if contested.intersection(each.through) else "in force" for minute, each in points.items()
    }


@settings(max_examples=100)
@given(st.lists(spans, min_size=1, max_size=8))
def test_the_dot_of_five_minutes_is_the_one_in_force_in_their_middle(filled, given_spans):
    url, store = filled
    resource_id = f"R{next(numbers)}"
    events = [dot(resource_id, span, place) for place, span in enumerate(given_spans)]
    assert store.write([arrival(each, received_at=NOON) for each in events], NOON).rejections == []
    words = "resource_id = %s AND trade_date = %s ORDER BY five_minute_start"
    rows = named(url, f"SELECT * FROM dot_five_minute WHERE {words}", resource_id, TRADE_DATE)
    intervals = [interval_of(event) for event in events]
    starts = [DAY_BEGINS + timedelta(minutes=5 * number) for number in range(288)]
    found = {start: in_force(intervals, start + timedelta(seconds=150)) for start in starts}
    meant = [(start, each.dot_mw, each.instruction_uid) for start, each in found.items() if each]
    assert [(row["five_minute_start"], row["dot_mw"], row["instruction_uid"]) for row in rows] == meant


def test_an_hourly_dot_moves_the_hourly_set_point_alone(filled):
    url, store = filled
    hours = [dot("HOURLY", (3600 * hour, 3600, 0.5, mw, -9000), 0, batch_type=1) for hour, mw in enumerate([10.0, 40.0])]
    store.write([arrival(each, received_at=NOON) for each in hours], NOON)
    assert by_minute(url, "HOURLY") == {}
    assert by_minute(url, "HOURLY", "hourly")[at(3600)]["set_point_mw"] == pytest.approx(25.0)


def test_where_the_megawatts_of_a_dot_are_not_known_there_is_no_set_point_and_not_the_one_of_another(filled):
    url, store = filled
    known = dot("UNKNOWN", (0, 300, 0.5, 10.0, -60), 0)
    unknown = dot("UNKNOWN", (0, 300, 0.5, 10.0, -30), 0)
    unknown = replace(unknown, instructions=(replace(unknown.instructions[0], dot_mw=None),))
    store.write([arrival(each, received_at=NOON) for each in (known, unknown)], NOON)
    row = by_minute(url, "UNKNOWN")[at(120)]
    assert (row["set_point_mw"], row["slope_mw_per_min"], row["standing"]) == (None, None, "in doubt")


def test_a_cancelled_dot_leaves_the_one_below_it(filled):
    url, store = filled
    said = [
        dot("CANCELLED", (0, 300, 0.5, 10.0, -60), 0),
        dot("CANCELLED", (0, 600, 0.5, 90.0, -30), 0, batch_type=EXCEPTIONAL, batch_status=4),
    ]
    store.write([arrival(each, received_at=NOON) for each in said], NOON)
    assert {row["set_point_mw"] for row in by_minute(url, "CANCELLED").values()} == {10.0}
