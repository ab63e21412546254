from datetime import timedelta

import pytest
from gateway_story import at, interval
from hypothesis import given
from hypothesis import strategies as st

from dotbus.contracts.schedules import Schedule, in_force, of_schedule
from dotbus.setpoints.setpoint import clipped, must_follow, ramp_now, within
from dotbus.setpoints.timeline import Timeline

MEGAWATTS = st.floats(-500, 500).map(lambda mw: round(mw, 3))
DOTS = st.lists(MEGAWATTS, min_size=1, max_size=8).map(lambda mws: [interval(300 * i, mw) for i, mw in enumerate(mws)])


def dot_mw(found):
    return found and found.dot_mw


def test_a_dot_is_in_force_from_its_start_until_before_its_end():
    dots = [interval(0, 10), interval(300, 20)]
    assert [dot_mw(in_force(dots, at(s))) for s in (-1, 0, 299.9, 300, 599.9, 600)] == [None, 10, 10, 20, 20, None]


def test_where_several_cover_now_the_batch_received_last_counts():
    exceptional = interval(0, 99, length_s=3600, batch_received_at=at(100))
    assert dot_mw(in_force([interval(0, 10), exceptional, interval(300, 20, batch_received_at=at(150))], at(310))) == 20
    assert dot_mw(in_force([interval(0, 10), exceptional], at(10))) == 99


def test_a_batch_without_a_time_counts_least_and_the_higher_revision_wins_a_tie():
    unknown = interval(0, 1, batch_received_at=None, revision_no=9)
    assert dot_mw(in_force([unknown, interval(0, 2)], at(10))) == 2
    assert dot_mw(in_force([interval(0, 3, revision_no=2), interval(0, 2, revision_no=1)], at(10))) == 3


def test_previous_ended_last_and_next_begins_first():
    dots = [interval(-600, 1), interval(-300, 2), interval(0, 3), interval(300, 4), interval(600, 5)]
    assert dot_mw(Timeline(dots).previous(at(10))) == 2
    assert dot_mw(Timeline(dots).next(at(10))) == 4
    assert Timeline(dots[2:]).previous(at(10)) is None
    assert Timeline(dots[:3]).next(at(10)) is None


def test_the_ramp_goes_from_middle_to_middle():
    dots = [interval(0, 10), interval(300, 20)]
    expected = {150: 10, 180: 11, 300: 15, 435: 19.5, 450: 20}
    assert {s: ramp_now(Timeline(dots), at(s)).set_point_mw for s in expected} == pytest.approx(expected)
    assert ramp_now(Timeline(dots), at(300)).slope_mw_per_min == pytest.approx(2.0)


def test_before_the_first_target_and_after_the_last_the_nearest_dot_is_held():
    dots = [interval(0, 10), interval(300, 20)]
    assert [ramp_now(Timeline(dots), at(s)).set_point_mw for s in (0, 149, 451, 599)] == [10, 10, 20, 20]
    assert ramp_now(Timeline(dots), at(0)).slope_mw_per_min == 0


def test_there_is_no_set_point_while_no_dot_is_in_force():
    assert ramp_now(Timeline([interval(0, 10), interval(600, 20)]), at(400)) is None
    assert ramp_now(Timeline([]), at(0)) is None


def test_the_ramp_leaves_out_a_dot_that_another_replaced_at_its_target():
    hourly = interval(0, 500, length_s=3600, batch_received_at=at(-9000))
    dots = [hourly, *(interval(300 * i, 10) for i in range(12))]
    assert {ramp_now(Timeline(dots), at(s)).set_point_mw for s in range(0, 3600, 60)} == {10}


@given(DOTS)
def test_the_ramp_meets_every_dot_at_its_target(dots):
    for dot in dots:
        assert ramp_now(Timeline(dots), dot.target_at).set_point_mw == dot.dot_mw


@given(DOTS, st.floats(0, 1))
def test_the_ramp_stays_between_its_neighbours(dots, share):
    now = at(share * (300 * len(dots) - 1))
    near = [dot.dot_mw for dot in dots if abs(dot.target_at - now) <= timedelta(seconds=300)]
    assert min(near) <= ramp_now(Timeline(dots), now).set_point_mw <= max(near)


@given(MEGAWATTS, MEGAWATTS, st.floats(0, 1))
def test_the_ramp_is_linear_between_two_targets(first_mw, second_mw, share):
    dots = [interval(0, first_mw), interval(300, second_mw)]
    expected = first_mw + (second_mw - first_mw) * share
    assert ramp_now(Timeline(dots), at(150 + 300 * share)).set_point_mw == pytest.approx(expected, abs=1e-3)


def test_a_dot_in_force_without_its_target_is_held_whatever_comes_after_it():
    exceptional = interval(-600, 0, length_s=3600, batch_type=4, batch_received_at=at(-610))
    later = interval(200, 100, batch_received_at=at(-300))
    dots = [interval(-1200, 100, batch_received_at=at(-1500)), exceptional, later]
    assert {s: ramp_now(Timeline(dots), at(s)).set_point_mw for s in (0, 199, 275, 350)} == pytest.approx(
        {0: 0, 199: 0, 275: 50, 350: 100}
    )


def test_after_an_exceptional_dispatch_the_dot_that_is_in_force_again_counts():
    exceptional = interval(-60, 90, length_s=50, batch_type=4, batch_received_at=at(-60))
    dots = [interval(-180, 10, batch_received_at=at(-200)), exceptional, interval(120, 10, batch_received_at=at(-210))]
    assert ramp_now(Timeline(dots), at(0)).set_point_mw == 10


SPANS = st.tuples(st.integers(-600, 600), st.integers(1, 900), MEGAWATTS, st.integers(0, 600), st.integers(-100, 1000))


@given(st.lists(SPANS, min_size=1, max_size=6), st.integers(-600, 1500))
def test_the_set_point_lies_between_the_dot_in_force_and_another_whatever_cuts_into_it(spans, now_s):
    dots = [
        interval(begin_s, mw, length_s=length_s, batch_received_at=at(received_s), target_at=at(begin_s + target_s))
        for begin_s, length_s, mw, received_s, target_s in spans
    ]
    dot, ramp = in_force(dots, at(now_s)), ramp_now(Timeline(dots), at(now_s))
    assert (dot is None) == (ramp is None)
    if ramp:
        begin, end = (ramp.through[1:] or (dot, dot))[0], ramp.through[-1]
        assert dot in (begin, end)
        assert min(begin.dot_mw, end.dot_mw) <= ramp.set_point_mw <= max(begin.dot_mw, end.dot_mw)


@pytest.mark.parametrize(
    ("variable", "flag", "expected"),
    [(False, None, True), (False, False, True), (True, True, True), (True, False, False), (True, None, None)],
)
def test_only_a_variable_resource_may_be_free_of_its_dot(variable, flag, expected):
    assert must_follow(interval(0, 1, must_follow=flag), variable=variable) is expected


def test_limits_that_are_not_given_limit_nothing():
    assert within(1e9, None, None)
    assert not within(-1, 0, None)
    assert not within(11, None, 10)
    assert [clipped(mw, 0, 10) for mw in (-1, 5, 11)] == [0, 5, 10]


def test_a_resource_on_five_minute_dots_does_not_ramp_towards_an_hourly_one():
    hourly = interval(3600, 90, length_s=3600, batch_type=1)
    dots = of_schedule([interval(0, 10), interval(300, 20), hourly], Schedule.FIVE_MINUTE)
    assert ramp_now(Timeline(dots), at(500)).set_point_mw == 20, "held after the last five-minute target"
    assert dot_mw(Timeline(dots).next(at(10))) == 20
    assert Timeline(dots).next(at(310)) is None


def test_a_resource_on_hourly_dots_ramps_from_hour_to_hour():
    hours = [interval(3600 * i, mw, length_s=3600, batch_type=1) for i, mw in enumerate([10, 40])]
    hours = of_schedule([*hours, interval(3600, 90)], Schedule.HOURLY)
    assert ramp_now(Timeline(hours), at(3600)).set_point_mw == pytest.approx(25)
    assert dot_mw(Timeline(hours).next(at(10))) == 40
