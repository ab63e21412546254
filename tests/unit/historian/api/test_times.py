"""Times of a request: what each word means, and what is said where it means nothing or too much."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from historian.api.problems import Problem, Sort
from historian.api.request.times import (
    PACIFIC,
    Clock,
    Zone,
    first_hour_from,
    first_trade_day_from,
    instant_of,
    range_of,
    shown_in,
    trade_date_of,
    trade_day,
)

NOW = datetime(2026, 3, 8, 20, 0, tzinfo=UTC)
PLAIN, IN_PACIFIC, IN_UTC = Clock(NOW, None), Clock(NOW, Zone.PACIFIC), Clock(NOW, Zone.UTC)
LONGEST = timedelta(days=400)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "clock", "instant"),
    [
        ("2026-03-01T08:00Z", PLAIN, "2026-03-01T08:00"),
        ("2026-03-01T08:00:30.5z", PLAIN, "2026-03-01T08:00:30.5"),
        ("2026-03-01 00:00-08:00", PLAIN, "2026-03-01T08:00"),
        ("2026-03-01T00:00-0800", PLAIN, "2026-03-01T08:00"),
        ("2026-03-01T09:00 01:00", PLAIN, "2026-03-01T08:00"),  # a plus sign that a browser took for a space
        ("2026-03-01T08:00", IN_UTC, "2026-03-01T08:00"),
        ("2026-03-01T00:00", IN_PACIFIC, "2026-03-01T08:00"),
        ("2026-03-01T00:00Z", IN_PACIFIC, "2026-03-01T00:00"),  # what it says itself counts before tz
        ("2026-03-01", IN_UTC, "2026-03-01T08:00"),  # a date is a trade date, whatever tz says
        ("2026-07-01", PLAIN, "2026-07-01T07:00"),
        ("today", PLAIN, "2026-03-08T08:00"),
        ("yesterday", PLAIN, "2026-03-07T08:00"),
        ("tomorrow", PLAIN, "2026-03-09T07:00"),
        ("now", PLAIN, "2026-03-08T20:00"),
        ("2026-11-01T01:30-07:00", PLAIN, "2026-11-01T08:30"),
        ("2026-11-01T01:30-08:00", IN_PACIFIC, "2026-11-01T09:30"),
    ],
)
def test_a_time_means_one_instant(text: str, clock: Clock, instant: str):
    assert instant_of("start", text, clock) == utc(instant)


@pytest.mark.parametrize(
    ("text", "clock", "said"),
    [
        ("2026-03-01T08:00", PLAIN, "start: '2026-03-01T08:00' does not say its zone: end it in Z or an offset, or say tz="),
        ("2026-03-08T02:30", IN_PACIFIC, "does not exist in California: clocks go forward then; say 2026-03-08T03:30:00-07:00"),
        (
            "2026-11-01T01:30",
            IN_PACIFIC,
            "is there twice in California: clocks go back then; say 2026-11-01T01:30:00-07:00 or 2026-11-01T01:30:00-08:00",
        ),
        ("2026-02-29", PLAIN, "day is out of range for month"),
        ("2026-13-01T00:00Z", PLAIN, "month must be in 1..12"),
        ("2026-03-01T24:00Z", PLAIN, "start: '2026-03-01T24:00Z' is no time"),
        ("2026-03-01T00:00+99:00", PLAIN, "has no such offset"),
        ("0001-01-01T00:00+14:00", PLAIN, "is not between 1998 and 2199"),
        ("9999-12-31T23:59-14:00", PLAIN, "is not between 1998 and 2199"),
        ("9999-12-31", PLAIN, "is not between 1998 and 2199"),
        ("2O26-03-01", PLAIN, "is no time; say one such as"),
        ("\u0662\u0660\u0662\u0666-03-01", PLAIN, "is no time; say one such as"),
        ("1740787200", PLAIN, "is no time; say one such as"),
        ("2026-03-01'; DROP TABLE price; --", PLAIN, "is no time; say one such as"),
    ],
)
def test_what_is_no_instant_is_a_problem_that_says_what_to_say_instead(text: str, clock: Clock, said: str):
    with pytest.raises(Problem) as problem:
        instant_of("start", text, clock)

    assert problem.value.sort is Sort.BAD_TIME
    assert said in problem.value.detail


@given(st.text())
def test_no_text_is_anything_but_an_instant_or_a_problem(text: str):
    for clock in (PLAIN, IN_PACIFIC, IN_UTC):
        with suppress(Problem):
            assert instant_of("start", text, clock).tzinfo is not None


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-03-09", 24), ("2026-11-01", 25)])
def test_a_trade_date_has_as_many_hours_as_california_had(day: str, hours: int):
    asked = range_of(day, None, PLAIN, LONGEST)

    assert asked.length == timedelta(hours=hours)
    assert asked == trade_day(datetime.fromisoformat(day).date())


def test_without_an_end_a_range_goes_to_the_end_of_the_trade_date_that_it_starts_in():
    assert range_of("2026-03-08T07:59Z", None, PLAIN, LONGEST).end == utc("2026-03-08T08:00")
    assert range_of("2026-03-08T08:00Z", None, PLAIN, LONGEST).end == utc("2026-03-09T07:00")


def test_the_end_of_a_range_does_not_belong_to_it():
    asked = range_of("2026-03-01", "2026-03-03", PLAIN, LONGEST)

    assert (asked.start, asked.end) == (utc("2026-03-01T08:00"), utc("2026-03-03T08:00"))


@pytest.mark.parametrize(("start", "end"), [("2026-03-02", "2026-03-01"), ("2026-03-01", "2026-03-01")])
def test_a_range_that_is_reversed_or_empty_is_a_problem(start: str, end: str):
    with pytest.raises(Problem, match="is not before end") as problem:
        range_of(start, end, PLAIN, LONGEST)

    assert problem.value.sort is Sort.BAD_RANGE


def test_a_range_that_is_longer_than_allowed_is_a_problem_that_says_how_long_it_may_be():
    with pytest.raises(Problem, match=r"the range is 73049 days; at most 400 can be asked for at once"):
        range_of("1999-12-31", "2199-12-31", PLAIN, LONGEST)


instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC))  # noqa: DTZ001


@given(instants)
def test_every_instant_lies_in_its_own_trade_date(instant: datetime):
    day = trade_day(trade_date_of(instant))

    assert day.start <= instant < day.end
    assert day.start.astimezone(PACIFIC).hour == 0
    assert day.length in {timedelta(hours=hours) for hours in (23, 24, 25)}


@given(instants)
def test_the_first_hour_and_trade_date_from_an_instant_are_not_before_it_and_less_than_one_later(instant: datetime):
    hour, day = first_hour_from(instant), first_trade_day_from(instant)

    assert timedelta(0) <= hour - instant < timedelta(hours=1)
    assert timedelta(0) <= day - instant < timedelta(hours=25)
    assert trade_day(trade_date_of(day)).start == day
    assert first_trade_day_from(day) == day


def test_an_instant_is_shown_in_the_zone_that_was_asked_for():
    twice = utc("2026-11-01T08:30"), utc("2026-11-01T09:30")

    assert [shown_in(None)(one).isoformat() for one in twice] == ["2026-11-01T08:30:00+00:00", "2026-11-01T09:30:00+00:00"]
    assert [shown_in(Zone.PACIFIC)(one).isoformat() for one in twice] == [
        "2026-11-01T01:30:00-07:00",
        "2026-11-01T01:30:00-08:00",
    ]
