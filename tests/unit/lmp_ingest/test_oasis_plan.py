"""What is asked, when, and for which window."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caiso.oasis import REPORTS, Market, Question, midnight
from dotbus.contracts.messages import NodePrice
from lmp_ingest.condition import cursor, heard_at
from lmp_ingest.gaps import Span
from lmp_ingest.plan import (
    Pace,
    Track,
    answered,
    complete_run,
    day_ahead_is_due,
    due_at,
    failed,
    most_overdue,
    next_due,
    question,
    tracks_of,
)
from lmp_ingest.translate import Assembled

PACE = Pace(
    every={
        Market.RTM: timedelta(seconds=30),
        Market.RTPD: timedelta(seconds=60),
        Market.HASP: timedelta(seconds=120),
        Market.DAM: timedelta(seconds=300),
        Market.RUC: timedelta(seconds=300),
    },
    day_ahead_idle=timedelta(seconds=600),
    wide_every=timedelta(hours=1),
    wide_back=timedelta(hours=24),
    lookback=timedelta(hours=48),
)
NOON = datetime(2025, 9, 1, 19, tzinfo=UTC)  # 12:00 in California
MORNING = NOON - timedelta(hours=3)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def track(market: Market, until: datetime | None = None, asked_at: datetime | None = None) -> Track:
    return Track(market, ("N1",), until=until, asked_at=asked_at, wide_at=asked_at)


def prices(start: datetime, count: int, interval: timedelta, *nodes: str, without: int | None = None) -> Assembled:
    starts = [start + number * interval for number in range(count) if number != without]
    return Assembled(
        {
            at: {
                node: NodePrice(interval_start=at, interval_end=at + interval, fetched_at=at, lmp_usd_per_mwh=1.0)
                for node in nodes or ("N1",)
            }
            for at in starts
        }
    )


NOTHING = Assembled({})


def test_a_track_has_at_most_ten_nodes_of_one_market() -> None:
    tracks = tracks_of([Market.DAM, Market.RTM], [f"N{number}" for number in range(23)], {})

    assert [(one.market, len(one.nodes)) for one in tracks] == [
        (market, size) for size in (10, 10, 3) for market in (Market.DAM, Market.RTM)
    ]
    assert {node for one in tracks for node in one.nodes} == {f"N{number}" for number in range(23)}


@pytest.mark.parametrize(("market", "period_s"), [(Market.RTM, 30), (Market.RTPD, 60), (Market.HASP, 120)])
def test_a_real_time_market_is_asked_at_its_pace(market: Market, period_s: int) -> None:
    one = track(market, MORNING, asked_at=MORNING)

    assert due_at(one, PACE, MORNING) == MORNING + timedelta(seconds=period_s)


def test_day_ahead_is_asked_at_its_pace_only_while_prices_are_due() -> None:
    tomorrow, after = midnight(date(2025, 9, 2)), midnight(date(2025, 9, 3))

    assert not day_ahead_is_due(tomorrow, MORNING)
    assert day_ahead_is_due(tomorrow - HOUR, MORNING), "an hour of today is missing"
    assert day_ahead_is_due(tomorrow, NOON), "tomorrow's are about to be published"
    assert not day_ahead_is_due(after, NOON)
    assert day_ahead_is_due(after - HOUR, NOON)
    assert due_at(track(Market.DAM, after, asked_at=NOON), PACE, NOON) == NOON + timedelta(seconds=600)
    assert due_at(track(Market.DAM, tomorrow, asked_at=NOON), PACE, NOON) == NOON + timedelta(seconds=300)


@pytest.mark.parametrize(("day", "hours"), [(date(2025, 3, 9), 23), (date(2025, 11, 2), 25), (date(2025, 9, 1), 24)])
def test_a_day_is_complete_when_it_has_as_many_prices_as_real_hours(day: date, hours: int) -> None:
    now = midnight(day) + 8 * HOUR
    asked = question(track(Market.DAM), PACE, now)

    whole = answered(track(Market.DAM), asked, prices(asked.start, hours, HOUR), PACE, now)
    short = answered(track(Market.DAM), asked, prices(asked.start, hours - 1, HOUR), PACE, now)

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

    assert first.start == wide
    assert question(one, PACE, asked_at + timedelta(minutes=59)).start > wide + HOUR
    assert question(one, PACE, asked_at + timedelta(minutes=60)).start == wide + HOUR


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


def test_nothing_is_asked_before_it_is_due() -> None:
    tracks = [track(Market.RTM, MORNING, MORNING), track(Market.RTPD, MORNING, MORNING)]

    assert most_overdue(tracks, PACE, MORNING + 29 * SECOND) is None
    assert next_due(tracks, PACE, MORNING) == MORNING + 30 * SECOND
    assert next_due([], PACE, MORNING) is None


def test_a_track_never_asked_comes_before_all_others() -> None:
    late = track(Market.RTM, MORNING, MORNING - HOUR)
    new = track(Market.DAM)

    assert most_overdue([late, new], PACE, MORNING) is new


def test_no_track_starves_when_there_are_more_than_the_rate_can_serve() -> None:
    """Fifty tracks, one request in six seconds: each is asked, the faster ones more often."""
    tracks = tracks_of(list(Market), [f"N{number}" for number in range(100)], {})
    asked = dict.fromkeys(range(len(tracks)), 0)
    now = MORNING

    for _ in range(1000):
        chosen = most_overdue(tracks, PACE, now)
        assert chosen is not None
        at = tracks.index(chosen)
        asked[at] += 1
        tracks[at] = answered(chosen, question(chosen, PACE, now), NOTHING, PACE, now)
        now += 6 * SECOND

    assert min(asked.values()) >= 3
    counts = {market: sum(asked[at] for at, one in enumerate(tracks) if one.market is market) for market in Market}
    assert counts[Market.RTM] > counts[Market.RTPD] > counts[Market.HASP] > counts[Market.DAM]


def test_a_failure_delays_its_own_track_and_no_other() -> None:
    bad = failed(track(Market.RTM, MORNING), "why", MORNING, MORNING + timedelta(minutes=15))
    good = track(Market.RTPD, MORNING, MORNING)

    assert due_at(bad, PACE, MORNING) == MORNING + timedelta(minutes=15)
    assert (bad.failures, bad.complaint) == (1, "why")
    assert most_overdue([bad, good], PACE, MORNING + timedelta(minutes=5)) is good


def test_a_success_ends_the_delay() -> None:
    bad = failed(track(Market.RTM, MORNING), "why", MORNING, MORNING + timedelta(minutes=15))
    later = MORNING + timedelta(minutes=20)
    well = answered(bad, question(bad, PACE, later), NOTHING, PACE, later)

    assert (well.failures, well.complaint, due_at(well, PACE, later)) == (0, "", later + 30 * SECOND)


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
    lacking = replace(whole, holes={oldest + 2 * five: frozenset({"N2"})})

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
    lacking = replace(prices(asked.start, 20, interval, "N1", "N2"), holes={asked.start: frozenset({"N2"})})

    assert answered(track(market), asked, lacking, PACE, NOON).until == asked.start


def test_a_track_is_complete_up_to_the_first_interval_that_lacks_a_price_or_has_a_hole() -> None:
    five = timedelta(minutes=5)
    whole = prices(MORNING, 6, five, "N1", "N2")
    holes = Assembled(whole.prices, holes={MORNING + 2 * five: frozenset({"N2"})})

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
