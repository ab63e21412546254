"""price_hourly: the mean of an hour of Pacific time, of the prices that count, each for as long as its interval lasts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from historian_parts import NOW, arrival, named, ready, replace, stored

from dotbus.contracts.messages import Prices
from dotbus.testing import samples
from historian.write.storing.store import Store

pytestmark = pytest.mark.integration

NODE = "TH_NP15_GEN-APND"
COMPONENTS = ("energy", "congestion", "loss", "ghg")


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    with ready(database) as opened:
        yield Store(opened)


def utc(day: int, hour: int, minute: int = 0, month: int = 10) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


numbers = iter(range(1, 10_000))


def price(start: datetime, lmp: float | None, minutes: int = 5, *, fetched_at: datetime = NOW, **components) -> Prices:
    """One price of one node."""
    number = next(numbers)
    values = {f"{name}_usd_per_mwh": (components.get(name),) for name in COMPONENTS}
    times = {"interval_start": start, "interval_end": start + timedelta(minutes=minutes), "fetched_at": fetched_at}
    said = {"market": "RTM", "nodes": (NODE,), "lmp_usd_per_mwh": (lmp,), **values, **times}
    return replace(samples.prices(), id=f"id-{number}", seq=number, market_seq=None, **said)


def hours(database: str, store: Store, *prices: Prices) -> list[dict]:
    assert store.write([arrival(each) for each in prices], NOW).rejections == []
    return named(database, "SELECT * FROM price_hourly WHERE node = %s ORDER BY hour_start", NODE)


def test_twelve_prices_of_five_minutes_are_an_hour(database, store):
    (row,) = hours(database, store, *(price(utc(13, 14, 5 * number), float(number)) for number in range(12)))
    assert (row["lmp_usd_per_mwh"], row["intervals"], row["priced_min"]) == (5.5, 12, 60.0)
    assert (str(row["trade_date"]), row["hour_ending"]) == ("2026-10-13", 8)
    assert (row["hour_start"], row["hour_start_pacific"]) == (utc(13, 14), datetime(2026, 10, 13, 7, 0))  # noqa: DTZ001


def test_a_price_counts_for_as_long_as_its_interval_lasts(database, store):
    (row,) = hours(database, store, price(utc(13, 14), 10.0, 45), price(utc(13, 14, 45), 50.0, 15))
    assert row["lmp_usd_per_mwh"] == pytest.approx(20.0)


def test_an_hour_that_is_not_whole_says_so(database, store):
    (row,) = hours(database, store, price(utc(13, 14), 10.0), price(utc(13, 14, 5), None))
    assert (row["lmp_usd_per_mwh"], row["intervals"], row["priced_min"]) == (10.0, 1, 5.0)


def test_a_component_that_one_price_lacks_has_no_mean(database, store):
    (row,) = hours(database, store, price(utc(13, 14), 10.0, energy=8.0, loss=2.0), price(utc(13, 14, 5), 20.0, energy=16.0))
    assert (row["energy_usd_per_mwh"], row["loss_usd_per_mwh"], row["congestion_usd_per_mwh"]) == (12.0, None, None)


def test_an_hour_without_a_price_is_not_there(database, store):
    assert hours(database, store, price(utc(13, 14), None, energy=8.0)) == []


def test_a_corrected_price_counts_once_and_as_corrected(database, store):
    corrected = price(utc(13, 14), 30.0, fetched_at=NOW + timedelta(hours=1))
    (row,) = hours(database, store, price(utc(13, 14), 10.0), corrected)
    assert (row["lmp_usd_per_mwh"], row["intervals"]) == (30.0, 1)


def test_the_hour_that_comes_twice_is_two_hours_and_the_second_is_25(database, store):
    rows = hours(database, store, *(price(utc(1, 7 + number, month=11), float(number), 60) for number in range(4)))
    assert [row["hour_ending"] for row in rows] == [1, 2, 25, 3]
    assert {str(row["trade_date"]) for row in rows} == {"2026-11-01"}
    assert rows[1]["hour_start_pacific"] == rows[2]["hour_start_pacific"]


def test_days_are_23_and_25_hours_long_where_clocks_change(database, store):
    words = "trade_date IN ('2026-03-08', '2026-07-01', '2026-11-01') ORDER BY trade_date"
    assert stored(database, f"SELECT hours, begins_at FROM trade_day WHERE {words}") == [
        (23, utc(8, 8, month=3)),
        (24, utc(1, 7, month=7)),
        (25, utc(1, 7, month=11)),
    ]


def test_every_price_is_of_one_trade_day(database, store):
    starts = [utc(31, 6) + timedelta(hours=number) for number in range(60)]
    rows = hours(database, store, *(price(start, 1.0, 60) for start in starts))
    assert [row["hour_start"] for row in rows] == starts
    days = [str(row["trade_date"]) for row in rows]
    assert [days.count(day) for day in ("2026-10-30", "2026-10-31", "2026-11-01")] == [1, 24, 25]
