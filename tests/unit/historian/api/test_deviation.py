"""What a plant generated beside what it was instructed: only of the time of which both are known."""

from datetime import UTC, datetime, timedelta

import pytest

from historian.api.calculated.day import Deviation, Held, Measured, deviation
from historian.api.request.times import Range

NOON = datetime(2026, 10, 13, 12, 0, tzinfo=UTC)


def during(first_min: float, last_min: float) -> Range:
    return Range(NOON + timedelta(minutes=first_min), NOON + timedelta(minutes=last_min))


def test_without_a_word_on_what_was_generated_nothing_stands_for_it():
    nothing = Deviation(0.0, None, None, None)
    assert deviation([Held(during(0, 60), 50.0)], []) == nothing
    assert deviation([], [Measured(during(0, 60), 50.0)]) == nothing
    assert deviation([Held(during(0, 5), 50.0)], [Measured(during(5, 10), 50.0)]) == nothing


def test_only_the_time_of_which_both_are_known_is_compared():
    found = deviation([Held(during(0, 30), 50.0)], [Measured(during(20, 60), 47.0)])
    assert found == Deviation(600.0, pytest.approx(47 / 6), pytest.approx(-0.5), pytest.approx(0.5))


def test_above_and_below_cancel_each_other_but_for_what_is_absolute():
    held = [Held(during(0, 30), 50.0), Held(during(30, 60), 40.0)]
    found = deviation(held, [Measured(during(0, 60), 45.0)])
    assert (found.compared_s, found.actual_mwh) == (3600.0, 45.0)
    assert (found.deviation_mwh, found.absolute_deviation_mwh) == (pytest.approx(0.0), pytest.approx(5.0))
