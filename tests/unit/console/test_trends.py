"""What is kept of a resource's hours: steps where CAISO put them, nothing that was bad, and never more than a day of it."""

import gzip
from datetime import timedelta
from math import sin

import pytest
from console_story import Console, measured
from gateway_story import at, dot, interval, lmp, point, price, status, trajectory
from msgspec.json import encode
from msgspec.structs import replace

from console.picture.trends import EVERY_S, SAMPLES_MOST, Ahead, ShownTrend, Trend


def trend(console: Console, now_s: float, hours: float = 24) -> ShownTrend:
    shown = console.picture.trend(("sierra", "SOLAR"), hours, at(now_s))
    assert shown is not None
    return shown


@pytest.fixture
def console() -> Console:
    return Console()


def test_dots_stand_as_steps_where_caiso_put_them_past_and_ahead(console: Console):
    console.hear(status(0), dot(interval(0, 10.0), interval(300, 20.0), interval(600, 30.0)))
    for now_s in (1, 301, 302):
        console.hear(status(now_s), dot(interval(300, 20.0), interval(600, 30.0), said_s=now_s))
        console.look(now_s)
    assert [(one.start - at(0).timestamp(), one.value) for one in trend(console, 302).dots] == [(300, 20.0), (600, 30.0)]


def test_what_was_in_force_stays_in_the_trend_after_caiso_says_it_no_more(console: Console):
    console.hear(status(0), dot(interval(0, 10.0), interval(300, 20.0)))
    console.look(1)
    console.hear(status(301), dot(interval(300, 20.0), said_s=301, heard_at=at(301)))
    console.look(302)
    assert [one.value for one in trend(console, 302).dots] == [10.0, 20.0]
    assert [one.value for one in trend(console, 302, hours=1 / 3600).dots] == [20.0]


def test_a_dot_of_another_schedule_is_none_of_the_resources(console: Console):
    hourly = interval(3600, 70.0, length_s=3600, batch_type=1)
    console.hear(status(0), dot(interval(0, 10.0), hourly))
    assert [one.value for one in trend(console.look(1), 1).dots] == [10.0]


def test_prices_stand_with_their_intervals(console: Console):
    console.hear(status(0, service="lmp_ingest"), lmp(price(0, 31.0), price(300, -5.0)))
    assert [(one.end - one.start, one.value) for one in trend(console.look(1), 1).prices] == [(300, 31.0), (300, -5.0)]


def test_what_is_bad_is_a_gap_and_its_quality_is_kept(console: Console):
    console.hear(status(0), dot(interval(0, 10.0), interval(300, 20.0)), measured(9.5, 0))
    for now_s in (1, 50, 95):
        console.look(now_s)
    samples = trend(console, 95).samples
    assert samples["level"] == [2.0, 2.0, 0.0]
    assert samples["set_point_mw"][-1] is None
    assert samples["actual_mw"] == [9.5, 9.5, None]


def test_the_points_of_a_trajectory_are_shown_ahead(console: Console):
    console.hear(status(0), trajectory(point(0, 10), point(300, 40), point(600, 50)))
    assert [(one.at, one.value) for one in trend(console.look(1), 1).trajectory_ahead] == [
        (at(300).timestamp(), 40.0),
        (at(600).timestamp(), 50.0),
    ]


def test_a_sample_is_kept_each_ten_seconds_and_a_day_of_them(console: Console):
    console.hear(status(0), dot(interval(0, 10.0)))
    shown, kept = console.look(1).resource(), Trend()
    for second in range(2 * SAMPLES_MOST):
        kept.note(shown, at(0) + timedelta(seconds=second * EVERY_S))
        kept.note(shown, at(0) + timedelta(seconds=second * EVERY_S + 1))
    times = kept._columns["at"]
    assert SAMPLES_MOST <= len(times) <= 1.05 * SAMPLES_MOST
    assert times[-1] - times[-2] == EVERY_S


def test_a_clock_that_was_set_back_leaves_no_samples_of_the_future(console: Console):
    console.hear(status(0), dot(interval(0, 10.0)))
    shown, kept = console.look(1).resource(), Trend()
    for now_s in (0, 10, 20, 5):
        kept.note(shown, at(now_s))
    assert list(kept._columns["at"]) == [at(5).timestamp()]


def test_nothing_is_told_of_a_resource_that_was_never_heard_of(console: Console):
    assert console.look(1).picture.trend(("sierra", "NOBODY"), 1, at(1)) is None


def test_a_dot_that_grew_stale_stays_where_it_was_good(console: Console):
    console.hear(status(0), dot(interval(0, 10.0)))
    for now_s in (1, 95):
        console.look(now_s)
    assert [one.value for one in trend(console, 95).dots] == [10.0]


def test_an_hour_of_a_resource_is_a_few_kilobytes_and_a_day_less_than_a_page_may_be():
    """As they are sent, by what moves all the time: nothing of it says the same twice."""
    console, kept = Console(), Trend()
    console.hear(status(0), dot(interval(0, 10.0)), measured(9.5, 0))
    shown = console.look(1).resource()
    assert shown.actual is not None
    for number in range(SAMPLES_MOST):
        moving = replace(shown.set_point, value=50 + 20 * sin(number / 50))
        rough = replace(shown.actual, value=50 + 20 * sin(number / 50) + sin(number * number))
        one = replace(shown, set_point=moving, trajectory=moving, actual=rough)
        kept.note(one, at(0) + timedelta(seconds=number * EVERY_S * 1.0003))
    end = kept._columns["at"][-1]
    hour, day = (len(gzip.compress(encode(kept.show(Ahead([], [], []), end - hours * 3600)), 5)) for hours in (1, 24))
    assert hour < 6_000
    assert day < 100_000
