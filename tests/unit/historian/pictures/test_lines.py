"""Lines of a picture: what is absent is a gap, and doubt has a beginning and an end."""

from datetime import UTC, datetime, timedelta

from historian.api.request.times import PACIFIC
from historian.pictures.lines import Line, QualityBand, doubts, duration, hours_since, missing, steps, through

AT = datetime(2026, 3, 8, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def interval(first: int, last: int, mw: float | None) -> dict[str, object]:
    return {"interval_start": AT + first * MINUTE, "interval_end": AT + last * MINUTE, "mw": mw}


def minutes(points: object) -> list[tuple[float, object]]:
    return [((at - AT) / MINUTE, value) for at, value in points]


def test_each_interval_holds_from_its_start_to_its_end_and_a_hole_ends_the_line():
    line = steps("DOT", [interval(0, 5, 1.0), interval(5, 10, 2.0), interval(15, 20, 3.0)], "mw")

    assert minutes(line.points) == [(0, 1.0), (5, 1.0), (5, 2.0), (10, 2.0), (10, None), (15, 3.0), (20, 3.0)]


def test_an_interval_without_a_value_is_a_gap():
    line = steps("DOT", [interval(0, 5, 1.0), interval(5, 10, None)], "mw")

    assert minutes(line.points) == [(0, 1.0), (5, 1.0), (5, None), (10, None)]


def test_a_moment_without_a_value_is_a_gap():
    assert minutes(through("s", [{"time": AT, "mw": None}], "mw").points) == [(0, None)]


def test_moments_of_one_sort_of_doubt_are_one_stretch():
    rows = [{"time": AT + place * MINUTE, "quality": quality} for place, quality in enumerate((192, 64, 64, 0, 192, 0))]

    assert list(doubts(rows, MINUTE)) == [
        QualityBand(AT + MINUTE, AT + 3 * MINUTE, is_bad=False),
        QualityBand(AT + 3 * MINUTE, AT + 4 * MINUTE, is_bad=True),
        QualityBand(AT + 5 * MINUTE, AT + 6 * MINUTE, is_bad=True),
    ]


def test_what_is_missing_is_counted_within_the_range():
    rows = [interval(-5, 5, 1.0), interval(5, 10, None), interval(15, 30, 2.0)]

    assert missing(rows, "mw", AT, AT + 20 * MINUTE) == 10 * MINUTE


def test_a_duration_curve_falls_from_the_highest_value_and_each_is_as_long_as_it_held():
    rows = [interval(0, 5, 1.0), interval(5, 10, 9.0), interval(10, 20, -2.0), interval(20, 60, None)]

    assert duration("N", rows, "mw").points == [(0, 9.0), (25, 9.0), (25, 1.0), (50, 1.0), (50, -2.0), (100, -2.0)]


def test_a_mean_holds_for_the_part_of_its_time_that_has_values():
    rows = [interval(0, 60, 5.0) | {"covered_s": 900.0}, interval(60, 120, 1.0) | {"covered_s": 2700.0}]

    assert duration("N", rows, "mw").points == [(0, 5.0), (25, 5.0), (25, 1.0), (100, 1.0)]


def test_without_any_value_there_is_no_duration_curve():
    assert duration("N", [interval(0, 5, None)], "mw").points == []


def test_hours_since_midnight_are_those_that_passed_also_where_clocks_change():
    midnight = AT
    at_five = datetime(2026, 3, 8, 5, tzinfo=PACIFIC)

    assert hours_since(midnight, Line("d", [(at_five, 1.0), (at_five, None)])).points == [(4.0, 1.0), (4.0, None)]
