"""Trade days are Pacific and have 23, 24 or 25 hours; intervals are counted in real time."""

from datetime import UTC, date, datetime, timedelta

import pytest

from caiso.oasis import interval_starts, midnight, trade_day, trade_days

HOUR, QUARTER, FIVE = timedelta(hours=1), timedelta(minutes=15), timedelta(minutes=5)


@pytest.mark.parametrize(("day", "hours"), [(date(2025, 3, 9), 23), (date(2025, 7, 1), 24), (date(2025, 11, 2), 25)])
def test_a_trade_day_has_as_many_intervals_as_real_time_in_it(day: date, hours: int) -> None:
    begin, end = midnight(day), midnight(day + timedelta(days=1))
    assert [len(interval_starts(begin, end, each)) for each in (HOUR, QUARTER, FIVE)] == [hours, 4 * hours, 12 * hours]
    assert {trade_day(start) for start in interval_starts(begin, end, FIVE)} == {day}


def test_intervals_begin_from_a_time_on_and_before_another() -> None:
    at = datetime(2025, 9, 1, 8, 2, tzinfo=UTC)
    assert interval_starts(at, at + QUARTER, FIVE) == [at.replace(minute=minute) for minute in (5, 10, 15)]
    assert interval_starts(at, at, FIVE) == []
    assert interval_starts(at.replace(minute=5), at.replace(minute=10), FIVE) == [at.replace(minute=5)]


def test_the_trade_days_of_a_time_are_all_that_it_touches() -> None:
    start = datetime(2025, 11, 2, 6, tzinfo=UTC)
    assert list(trade_days(start, start + HOUR)) == [date(2025, 11, 1)]
    assert list(trade_days(start, start + 2 * HOUR)) == [date(2025, 11, 1), date(2025, 11, 2)]
