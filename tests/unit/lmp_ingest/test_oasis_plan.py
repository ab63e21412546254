"""What is asked, and for which window."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oasis_tracks import HOUR, MORNING, NOON, NOTHING, PACE, SECOND, prices, track

from caiso.oasis import REPORTS, Market, Question, midnight, trade_day
from lmp_ingest.known.price_block import complete_run
from lmp_ingest.planning.condition import cursor, heard_at
from lmp_ingest.planning.gaps import Span
from lmp_ingest.planning.plan import answered, question
from lmp_ingest.planning.track import failed, tracks_of
from lmp_ingest.planning.turns import day_ahead_is_due


def test_a_track_has_at_most_ten_nodes_of_one_market() -> None:
    tracks = tracks_of([Market.DAM, Market.RTM], [f"N{number}" for number in range(23)], {})

    assert [(one.market, len(one.nodes)) for one in tracks] == [
        (market, size) for size in (10, 10, 3) for market in (Market.DAM, Market.RTM)
    ]
    assert {node for one in tracks for node in one.nodes} == {f"N{number}" for number in range(23)}


@pytest.mark.parametrize(("day", "hours"), [(date(2025, 3, 9), 23), (date(2025, 11, 2), 25), (date(2025, 9, 1), 24)])
def test_a_day_is_complete_when_it_has_as_many_prices_as_real_hours(day: date, hours: int) -> None:
    now = midnight(day) + 8 * HOUR
    one = track(Market.DAM, midnight(day), asked_at=now)
    asked = question(one, PACE, now)

    whole = answered(one, asked, prices(asked.start, hours, HOUR), PACE, now)
    short = answered(one, asked, prices(asked.start, hours - 1, HOUR), PACE, now)

    assert whole.until == midnight(day + timedelta(days=1))
    assert not day_ahead_is_due(whole.until, now)
    assert day_ahead_is_due(short.until, now)


def test_a_day_with_a_gap_is_not_complete() -> None:
    asked = question(track(Market.DAM), PACE, MORNING)
    after = answered(track(Market.DAM), asked, prices(asked.start, 24, HOUR, without=5), PACE, MORNING)

    assert after.until == asked.start + 5 * HOUR


@given(st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)), st.integers(0, 47))  # noqa: DTZ001
def test_a_day_ahead_window_is_whole_pacific_days_and_never_longer_than_caiso_answers(now: datetime, behind_h: int) -> None:
    asked = question(track(Market.DAM, until=now - behind_h * HOUR), PACE, now)

    assert asked.start in {midnight(now.date() + timedelta(days=days)) for days in range(-4, 2)}
    assert asked.end in {midnight(now.date() + timedelta(days=days)) for days in range(4)}
    assert asked.start <= now - behind_h * HOUR
    assert now < asked.end
    assert asked.end - asked.start < timedelta(days=30)


def test_a_real_time_window_goes_on_from_where_the_last_answer_ended_with_some_overlap() -> None:
    one = track(Market.RTM, until=MORNING, asked_at=MORNING)
    now = MORNING + timedelta(minutes=2, seconds=17)

    assert question(one, PACE, now) == Question(
        Market.RTM, ("N1",), MORNING - timedelta(minutes=30), MORNING + timedelta(minutes=20)
    )


def test_a_window_bridges_an_outage_but_not_one_longer_than_the_lookback() -> None:
    day_ago, week_ago = MORNING - timedelta(hours=30), MORNING - timedelta(days=7)

    assert question(track(Market.RTM, day_ago, MORNING - SECOND), PACE, MORNING).start == day_ago - timedelta(minutes=30)
    assert question(track(Market.RTM, week_ago, MORNING - SECOND), PACE, MORNING).start == MORNING - PACE.lookback


def test_a_window_is_wide_at_first_and_then_once_in_a_while() -> None:
    wide = MORNING - PACE.wide_back
    asked_at = MORNING
    first = question(track(Market.RTM), PACE, asked_at)
    one = answered(track(Market.RTM), first, prices(MORNING, 1, timedelta(minutes=5)), PACE, asked_at)
    one = replace(one, far_at=asked_at)

    assert first.start == wide
    assert question(one, PACE, asked_at + timedelta(minutes=59)).start > wide + HOUR
    assert question(one, PACE, asked_at + timedelta(minutes=60)).start == wide + HOUR


@pytest.mark.parametrize("market", [Market.RTM, Market.DAM])
def test_corrections_of_a_day_are_looked_for_hourly_and_those_of_a_week_daily_but_never_first(market: Market) -> None:
    def begin(back: timedelta, now: datetime) -> datetime:
        return midnight(trade_day(now - back)) if REPORTS[market].is_daily else now - back

    one = track(market)
    starts = []
    for hour in range(27):
        now = MORNING + hour * HOUR
        asked = question(one, PACE, now)
        starts.append((asked.start, now))
        one = answered(one, asked, prices(asked.start, 3 * 288, REPORTS[market].interval), PACE, now)

    backs = [PACE.far_back if hour in {1, 25} else PACE.wide_back for hour in range(27)]
    assert [start for start, _ in starts] == [begin(back, now) for back, (_, now) in zip(backs, starts, strict=True)]


@given(
    st.sampled_from(list(Market)),
    st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.none() | st.timedeltas(timedelta(days=-400), timedelta(days=3)),
)
def test_a_window_is_never_empty_nor_too_long_and_falls_on_whole_minutes(
    market: Market, now: datetime, until: timedelta | None
) -> None:
    asked = question(track(market, None if until is None else now + until), PACE, now)

    assert timedelta() < asked.end - asked.start <= timedelta(days=30)
    assert asked.start <= now < asked.end
    assert asked.start.second == asked.start.microsecond == asked.end.second == 0


def test_an_answer_without_prices_moves_no_cursor() -> None:
    one = track(Market.RTM, MORNING, MORNING)

    assert answered(one, question(one, PACE, NOON), NOTHING, PACE, NOON).until == MORNING


def test_a_cursor_never_goes_back() -> None:
    one = track(Market.RTM, NOON, MORNING)
    older = prices(MORNING, 1, timedelta(minutes=5))

    assert answered(one, question(one, PACE, NOON), older, PACE, NOON).until == NOON


def test_what_a_node_missed_is_asked_for_until_it_is_there_though_others_are_further() -> None:
    five, oldest = timedelta(minutes=5), NOON - PACE.lookback
    one = replace(track(Market.RTM, until=NOON, asked_at=NOON), nodes=("N1", "N2"), catches_up=True)
    asked = question(one, PACE, NOON)
    whole = prices(oldest, 48 * 12, five, "N1", "N2")
    lacking = prices(oldest, 48 * 12, five, "N1", "N2", holes={oldest + 2 * five: frozenset({"N2"})})

    after = answered(one, asked, lacking, PACE, NOON)
    later = answered(after, question(after, PACE, NOON + HOUR), whole, PACE, NOON + HOUR)

    assert asked.start == oldest
    assert after.until == oldest + 2 * five
    assert question(after, PACE, NOON + HOUR).start <= oldest + HOUR
    assert (later.until, later.gaps) == (NOON, (Span(oldest + 2 * five, oldest + HOUR),)), "what left the lookback is told"
    assert answered(one, asked, whole, PACE, NOON).until == NOON


@pytest.mark.parametrize("market", [Market.RTM, Market.DAM])
def test_a_track_begins_with_the_first_interval_that_has_a_price_also_when_a_node_lacks_it(market: Market) -> None:
    interval, asked = REPORTS[market].interval, question(track(market), PACE, NOON)
    lacking = prices(asked.start, 20, interval, "N1", "N2", holes={asked.start: frozenset({"N2"})})

    assert answered(track(market), asked, lacking, PACE, NOON).until == asked.start


def test_a_track_is_complete_up_to_the_first_interval_that_lacks_a_price_or_has_a_hole() -> None:
    five = timedelta(minutes=5)
    whole = prices(MORNING, 6, five, "N1", "N2")
    holes = prices(MORNING, 6, five, "N1", "N2", holes={MORNING + 2 * five: frozenset({"N2"})})

    assert complete_run(MORNING, whole) == MORNING + 6 * five
    assert complete_run(MORNING, holes) == MORNING + 2 * five
    assert complete_run(MORNING, prices(MORNING, 6, five, without=4)) == MORNING + 4 * five
    assert complete_run(MORNING, prices(MORNING + five, 6, five)) is None
    assert complete_run(MORNING, NOTHING) is None


def test_a_market_s_cursor_is_its_slowest_track_s() -> None:
    tracks = [track(Market.RTM, NOON), track(Market.RTM, MORNING), track(Market.RTM), track(Market.DAM, MORNING - HOUR)]

    assert cursor(tracks, Market.RTM) == MORNING
    assert cursor(tracks, Market.HASP) is None


def test_a_market_is_heard_as_of_its_longest_silent_track_and_one_that_fails_doubts_no_other() -> None:
    early, late = (replace(track(Market.RTM), heard_at=at) for at in (MORNING, NOON))
    never = track(Market.RTM)
    failing = failed(late, "why", NOON, NOON)

    assert heard_at([early, late, track(Market.DAM)], Market.RTM) == MORNING
    assert heard_at([early, never], Market.RTM) is None
    assert heard_at([early, failing], Market.RTM) == MORNING
    assert heard_at([failing], Market.RTM) is None
