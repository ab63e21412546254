from itertools import combinations

import pytest
from gateway_story import at, interval
from hypothesis import given
from hypothesis import strategies as st

from dotbus.contracts.schedules import Schedule, in_force, of_schedule, precedence, rank
from dotbus.setpoints.timeline import REMEMBERED_DOTS_MOST, Timeline, timelines_of

FEW = st.integers(-3, 3)


@st.composite
def dots(draw):
    return [
        interval(
            60 * draw(FEW),
            draw(st.sampled_from([1.0, 2.0])),
            length_s=60 * draw(st.integers(1, 4)),
            revision_no=draw(st.sampled_from([None, 0, 1])),
            batch_received_at=draw(st.sampled_from([None, at(-500), at(-400)])),
            batch_type=draw(st.sampled_from([None, 0, 1, 4])),
        )
        for _ in range(draw(st.integers(0, 6)))
    ]


def asked(dot):
    return dot.dot_mw, dot.interval_start, dot.interval_end, dot.target_at, dot.supp_mw, dot.must_follow


@given(dots(), st.integers(-250, 500))
def test_what_is_looked_up_is_what_looking_through_all_dots_gives(dots, now_s):
    timeline, now = Timeline(dots), at(now_s)
    past = [dot for dot in dots if dot.interval_end <= now]
    ahead = [dot for dot in dots if dot.interval_start > now]
    first = min((dot.interval_start for dot in ahead), default=None)
    turns = [time for dot in dots for time in (dot.interval_start, dot.target_at, dot.interval_end) if time > now]
    assert timeline.in_force(now) == in_force(dots, now)
    assert timeline.previous(now) == max(past, key=lambda dot: (dot.interval_end, precedence(dot)), default=None)
    assert timeline.next(now) == max((dot for dot in ahead if dot.interval_start == first), key=precedence, default=None)
    assert timeline.next_turn(now) == min(turns, default=None)


@given(dots(), FEW, st.integers(0, 4))
def test_a_time_is_covered_where_a_dot_is_in_force_at_each_moment_of_it(dots, begin_min, length_min):
    moments = [at(60 * begin_min + 30 * half) for half in range(2 * length_min)]
    covered = all(in_force(dots, moment) for moment in moments)
    assert Timeline(dots).is_covered(at(60 * begin_min), at(60 * (begin_min + length_min))) == covered


@given(dots())
def test_dots_of_one_rank_are_contested_where_they_overlap_and_ask_different_things(dots):
    found = set()
    for one, other in combinations(dots, 2):
        overlap = one.interval_start < other.interval_end and other.interval_start < one.interval_end
        if rank(one) == rank(other) and overlap and asked(one) != asked(other):
            found |= {one, other}
    assert Timeline(dots).contested == found


@pytest.mark.parametrize("count", [3, REMEMBERED_DOTS_MOST + 1])
def test_timelines_are_of_one_schedule_each_and_the_same_when_the_same_is_said_again(count):
    said = [tuple(interval(300 * i, i, batch_type=i % 2) for i in range(count)) for _ in range(2)]
    for intervals in said:
        for schedule, timeline in timelines_of(intervals).items():
            assert list(timeline.intervals) == of_schedule(intervals, schedule)
    assert (timelines_of(said[0]) is timelines_of(said[1])) == (count <= REMEMBERED_DOTS_MOST)
    assert set(timelines_of(said[0])) == set(Schedule)
