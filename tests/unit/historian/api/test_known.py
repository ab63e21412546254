"""What was known of a day is what all that had been told by each moment comes to, put together in a time that grows with it."""

import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import chain
from types import FrameType
from typing import Any

import pytest
from historian_parts import replace
from hypothesis import given
from hypothesis import strategies as st
from plant_day import FIVE, MINUTE, SECOND, told

from dotbus.contracts.instruction_times import times_of
from dotbus.contracts.messages import Dispatch
from dotbus.contracts.schedules import Schedule, of_schedule, schedules_of
from dotbus.setpoints.intervals import is_undecided
from dotbus.setpoints.schedules import DotSchedule
from dotbus.setpoints.timeline import Timeline
from historian.api.calculated.day import held_dots, moments
from historian.api.calculated.known import Known, known_now, known_then
from historian.api.calculated.set_points import Limits, doubts, set_points
from historian.api.request.times import Range

TraceFunction = Callable[[FrameType, str, Any], Any]
NOON = datetime.fromisoformat("2026-10-13T12:00:00Z")
HOUR = Range(NOON, NOON + 60 * MINUTE)
DAY = Range(NOON, NOON + timedelta(days=1))
THROUGH_THE_HOUR = list(moments(HOUR, 47 * SECOND))


@st.composite
def histories(draw: st.DrawFn) -> list[Dispatch]:
    """Few batches told many times: long and short, of each type, in doubt, cancelled, of one rank, several DOTs in one."""
    events = [draw(tellings(seq)) for seq in range(1, draw(st.integers(1, 25)) + 1)]
    return sorted(events, key=lambda event: event.time)


@st.composite
def tellings(draw: st.DrawFn, seq: int) -> Dispatch:
    start = NOON + draw(st.integers(-6, 14)) * FIVE
    header = {"batch_received_at": draw(st.sampled_from([None, NOON, NOON - MINUTE]))} if draw(st.booleans()) else {}
    event = told(
        seq,
        start,
        draw(st.sampled_from([-5.0, 0.0, 10.0, 99.5])),
        at=draw(st.sampled_from([start, NOON])) - draw(st.integers(-400, 1900)) * SECOND,
        minutes=draw(st.sampled_from([5, 5, 15, 60, 200, 3000])),
        batch_uid=f"B{draw(st.integers(1, 8))}",
        batch_type=draw(st.sampled_from([0, 0, 1, 3, 4])),
        batch_status=draw(st.sampled_from([1, 1, 1, 4, 5])),
        revision_no=draw(st.sampled_from([None, 1, 2, 3])),
        **header,
    )
    lengths = draw(st.lists(st.integers(1, 20), max_size=3)) if event.instructions else []
    more = [
        replace(
            event.instructions[0], instruction_uid=f"{event.batch.batch_uid}-I{n}", end_at=start + minutes * MINUTE, dot_mw=n
        )
        for n, minutes in enumerate(lengths, 1)
    ]
    return replace(event, instructions=(*event.instructions, *more))


def known_at(moment: datetime, events: Iterable[Dispatch], schedule: Schedule, *, is_pruned: bool) -> Known:
    """What some events come to at a moment, each batch folded by itself, all of it looked through."""
    entries: dict[str, DotSchedule] = {}
    newest: dict[str, Dispatch] = {}
    for event in events:
        uid = event.batch.batch_uid
        entries[uid] = entries.get(uid, DotSchedule()).with_dispatch(event)
        if uid not in newest or (event.batch.revision_no or 0) >= (newest[uid].batch.revision_no or 0):
            newest[uid] = event
    all_of_them = DotSchedule(tuple(chain.from_iterable(entry.intervals for entry in entries.values())))
    held = all_of_them.pruned(moment) if is_pruned else all_of_them
    doubtful = [one for one in newest.values() if is_undecided(one) and schedule in schedules_of(one.batch.batch_type)]
    spans = [times for one in doubtful for part in one.instructions if (times := times_of(one.batch, part))]
    return Known(
        Range(moment, moment + SECOND),
        Timeline(of_schedule(held.intervals, schedule)),
        frozenset(one.batch.batch_uid for one in doubtful),
        any(times.interval_start <= moment < times.interval_end for times in spans),
    )


@given(histories(), st.sampled_from(Schedule))
def test_what_was_known_then_is_what_all_that_had_been_told_comes_to(events: list[Dispatch], schedule: Schedule):
    looked_through = [
        known_at(moment, [one for one in events if one.time <= moment], schedule, is_pruned=True) for moment in THROUGH_THE_HOUR
    ]
    expected = list(set_points(looked_through, THROUGH_THE_HOUR, None, Limits()))
    assert list(set_points(known_then(events, schedule, HOUR), THROUGH_THE_HOUR, None, Limits())) == expected


@given(histories(), st.sampled_from(Schedule))
def test_what_is_known_now_is_what_all_that_was_told_comes_to(events: list[Dispatch], schedule: Schedule):
    looked_through = [known_at(moment, events, schedule, is_pruned=False) for moment in THROUGH_THE_HOUR]
    expected = list(set_points(looked_through, THROUGH_THE_HOUR, None, Limits()))
    assert list(set_points(known_now(events, schedule, HOUR), THROUGH_THE_HOUR, None, Limits())) == expected


def test_a_dot_of_many_hours_is_cut_by_the_one_that_takes_its_place_hours_later():
    """Between the two stands one that is hidden below the long one."""
    day_long = told(2, NOON, 100.0, at=NOON - MINUTE, minutes=1440, batch_type=4)
    hidden = told(1, NOON + 7 * 60 * MINUTE, 1.0, at=NOON - FIVE)
    cuts = told(3, NOON + 9 * 60 * MINUTE, 40.0, at=NOON)
    (held,) = [
        one for one in held_dots(known_now([hidden, day_long, cuts], Schedule.FIVE_MINUTE, DAY)) if one.during.start == NOON
    ]
    assert held.during.end == NOON + 9 * 60 * MINUTE
    at = NOON + 8 * 60 * MINUTE
    (row,) = set_points(known_now([hidden, day_long, cuts], Schedule.FIVE_MINUTE, DAY), [at], None, Limits())
    assert row[1:3] == (100.0, 0.0)


FEW = 500
MANY = {
    "batches of each interval": lambda n: told(n + 1, NOON + n % 288 * FIVE, float(n % 50), at=NOON + n * 21 * SECOND),
    "all of a day ahead": lambda n: told(n + 1, NOON + n * 21 * SECOND, 1.0, at=NOON + n * SECOND / 100),
    "undecided": lambda n: told(n + 1, NOON + n % 288 * FIVE, 1.0, at=NOON + n * 21 * SECOND, batch_status=5),
}


@pytest.mark.parametrize(("known", "many"), [*((known_then, many) for many in MANY), (known_now, "undecided")])
def test_the_work_for_a_day_grows_with_what_was_told_of_it_and_not_with_its_square(known, many: str):
    """Whoever looked through all of them at each took more than a minute for some thousands."""
    of_few, of_twice, of_four_times = (
        lines_run(lambda told_of=told_of: put_together(known, [MANY[many](number) for number in range(told_of)]))
        for told_of in (FEW, FEW * 2, FEW * 4)
    )
    assert of_four_times - of_twice < 2.8 * (of_twice - of_few), "2 where it grows with them, 4 with their square"


def put_together(known, events: list[Dispatch]) -> None:
    assert len(list(set_points(known(events, Schedule.FIVE_MINUTE, DAY), moments(DAY, MINUTE), None, Limits()))) == 1440
    doubts(known(events, Schedule.FIVE_MINUTE, DAY), None, Limits())


def lines_run(work: Callable[[], None]) -> int:
    """How many lines of Python a work runs, each turn of a loop counted: the same on every machine, where seconds are not."""
    run = 0

    def traced(_frame: FrameType, event: str, _given: object) -> TraceFunction:
        nonlocal run
        run += event == "line"
        return traced

    before = sys.gettrace()
    sys.settrace(traced)
    try:
        work()
    finally:
        sys.settrace(before)
    return run


@pytest.mark.parametrize("known", [known_then, known_now])
def test_what_says_not_to_go_on_ends_the_work_while_events_are_still_read(known):
    class Ended(Exception):
        pass

    asked: list[int] = []

    def go_on() -> None:
        asked.append(1)
        if len(asked) > 50:
            raise Ended

    events = [told(n + 1, NOON - FIVE, 1.0, batch_uid="B", revision_no=n + 1) for n in range(1000)]
    with pytest.raises(Ended):
        next(known(events, Schedule.FIVE_MINUTE, HOUR, go_on))
