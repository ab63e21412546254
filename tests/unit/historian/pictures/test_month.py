"""A month by hour: which cells there are, where each price stands, and how it looks."""

from datetime import UTC, date, datetime, timedelta

import pytest

from historian.pictures.month import Kind, hours_of, kind_of, month_of

SPRING, AUTUMN = date(2025, 3, 9), date(2024, 11, 3)


@pytest.mark.parametrize(("day", "count"), [(SPRING, 23), (AUTUMN, 25), (date(2025, 7, 1), 24)])
def test_a_trade_date_has_as_many_cells_as_hours(day: date, count: int):
    assert len(hours_of(day)) == count


def test_the_hour_that_does_not_exist_has_no_cell_and_the_one_that_is_there_twice_has_two_in_their_order():
    assert "02" not in hours_of(SPRING)
    assert list(hours_of(AUTUMN))[:4] == ["00", "01", "01+", "02"]
    assert hours_of(AUTUMN)["01+"] - hours_of(AUTUMN)["01"] == timedelta(hours=1)


def test_a_month_has_its_dates_and_a_price_stands_at_its_own_hour_whatever_zone_it_is_told_in():
    at = datetime(2024, 11, 3, 9, tzinfo=UTC)  # the second time that it is one o'clock
    month = month_of([{"interval_start": at, "lmp": 7.0}], "lmp", date(2024, 11, 1), "USD/MWh")

    assert (month.days[0], month.days[-1], len(month.days)) == (date(2024, 11, 1), date(2024, 11, 30), 30)
    assert month.columns[:4] == ["00", "01", "01+", "02"]
    assert {place for place, value in month.cells.items() if value is not None} == {(AUTUMN, "01+")}
    assert len(month.cells) == 30 * 24 + 1


def test_a_month_without_a_change_of_clocks_has_twenty_four_columns_and_without_prices_no_limits():
    month = month_of([], "lmp", date(2025, 7, 1), "USD/MWh")

    assert (len(month.columns), len(month.days), month.limits) == (24, 31, [])


def test_a_cell_is_shaded_by_fifths_and_told_apart_when_it_is_a_spike_below_zero_or_absent():
    limits = [1.0, 2.0, 3.0, 4.0, 5.0]

    assert [kind_of(value, limits) for value in (0.0, 1.0, 1.5, 4.5, 5.0, 5.1, -0.1, None)] == [
        *((Kind.SHADE, shade) for shade in (0, 0, 1, 4, 4)),
        (Kind.SPIKE, 0),
        (Kind.NEGATIVE, 0),
        (Kind.MISSING, 0),
    ]
