"""Figures of alarms: a flood is what ISA-18.2 says it is, from its beginning to its end."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarms.states.summary import Flood
from launcher.alarms.figures import Happened, figures_of

START = datetime(2026, 10, 13, tzinfo=UTC)
END = START + timedelta(hours=24)


def raised(second: float, about: str = "A", what: str = "raised") -> Happened:
    at = START + timedelta(seconds=second)
    return Happened(at, "sierra", about, "dot-stale", "high", what, "unacknowledged", "it", None, None)


def test_a_quiet_day_has_no_flood():
    figures = figures_of([raised(3600 * hour) for hour in range(12)], START, END)
    assert (figures.raised, figures.raised_per_hour, figures.most_in_10_min, figures.flood_min) == (12, 0.5, 1, 0)


def test_nothing_is_nothing():
    figures = figures_of([], START, END)
    assert (figures.raised, figures.most_in_10_min, figures.flood_percent, figures.most_often) == (0, 0, 0, ())


def test_only_what_is_raised_counts():
    figures = figures_of([raised(n, what="returned") for n in range(50)], START, END)
    assert (figures.raised, figures.flood_min, figures.most_often) == (0, 0, ())


def test_a_flood_begins_with_the_eleventh_and_ends_once_fewer_than_five_came_within_ten_minutes():
    figures = figures_of([raised(float(n)) for n in range(11)], START, END)
    # From the eleventh at 10 s until the seventh, at 6 s, is ten minutes old.
    assert figures.flood_min == pytest.approx((606 - 10) / 60)
    assert figures.most_in_10_min == 11


def test_a_flood_that_is_not_over_counts_until_the_end():
    figures = figures_of([raised(86_400 - 20 + n) for n in range(11)], START, END)
    assert figures.flood_min == pytest.approx(10 / 60)


def test_those_that_come_most_often_are_named_first():
    events = [raised(60.0 * n, about) for about, times in (("A", 2), ("B", 5), ("C", 1)) for n in range(times)]
    assert figures_of(events, START, END).most_often[0] == ("sierra/B/dot-stale", 5)


@given(st.lists(st.integers(0, 7200), max_size=60))
def test_the_minutes_of_flood_are_those_in_which_the_service_says_so(seconds):
    """The service judges second by second what is known as one stretch here."""
    seconds.sort()
    flood, minutes = Flood(), 0
    for second in range(7200):
        now = START + timedelta(seconds=second)
        flood = flood.after([now for one in seconds if one == second], now)
        minutes += flood.is_flood
    figures = figures_of([raised(second) for second in seconds], START, START + timedelta(seconds=7200))
    assert figures.flood_min == pytest.approx(minutes / 60)
