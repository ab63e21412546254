"""Whose turn it is: which track is asked next, and when."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from oasis_tracks import HOUR, MORNING, NOON, NOTHING, PACE, SECOND, prices, track

from caiso.oasis import Market, midnight
from lmp_ingest.planning.plan import answered, question
from lmp_ingest.planning.track import Track, failed, tracks_of
from lmp_ingest.planning.turns import AWAITED_FOR, day_ahead_is_due, due_at, most_overdue, next_due, vouched_for

FIVE = timedelta(minutes=5)


@pytest.mark.parametrize(("market", "period_s"), [(Market.RTM, 30), (Market.RTPD, 60), (Market.HASP, 120)])
def test_a_real_time_market_is_asked_at_its_pace(market: Market, period_s: int) -> None:
    one = track(market, MORNING, asked_at=MORNING)

    assert due_at(one, [one], PACE, MORNING) == MORNING + timedelta(seconds=period_s)


def test_day_ahead_is_asked_at_its_pace_only_while_prices_are_due() -> None:
    tomorrow, after = midnight(date(2025, 9, 2)), midnight(date(2025, 9, 3))

    assert not day_ahead_is_due(tomorrow, MORNING)
    assert day_ahead_is_due(tomorrow - HOUR, MORNING), "an hour of today is missing"
    assert day_ahead_is_due(tomorrow, NOON), "tomorrow's are about to be published"
    assert not day_ahead_is_due(after, NOON)
    assert day_ahead_is_due(after - HOUR, NOON)
    for until, period_s in ((after, 600), (tomorrow, 300)):
        one = track(Market.DAM, until, asked_at=NOON)
        assert due_at(one, [one], PACE, NOON) == NOON + timedelta(seconds=period_s)


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

    assert due_at(bad, [bad], PACE, MORNING) == MORNING + timedelta(minutes=15)
    assert (bad.failures, bad.complaint) == (1, "why")
    assert most_overdue([bad, good], PACE, MORNING + timedelta(minutes=5)) is good


def test_a_success_ends_the_delay() -> None:
    bad = failed(track(Market.RTM, MORNING), "why", MORNING, MORNING + timedelta(minutes=15))
    later = MORNING + timedelta(minutes=20)
    well = answered(bad, question(bad, PACE, later), NOTHING, PACE, later)

    assert (well.failures, well.complaint, due_at(well, [well], PACE, later)) == (0, "", later + 30 * SECOND)


def test_a_state_holds_for_three_of_the_longest_periods_after_which_it_is_said_again() -> None:
    tracks = [Track(market, (f"N{number}",)) for number in range(10) for market in (Market.RTM, Market.DAM)]
    refresh, spacing = timedelta(seconds=45), timedelta(seconds=6)

    few = vouched_for(tracks[:2], PACE, spacing, refresh)
    many = vouched_for(tracks, PACE, spacing, refresh)

    assert few == {Market.RTM: timedelta(seconds=3 * (30 + 45)), Market.DAM: timedelta(seconds=3 * (600 + 45))}
    load = 10 * (6 / 30 + 6 / 600)
    assert many[Market.RTM] / timedelta(seconds=1) == pytest.approx(3 * (30 * load + 45))


def found(at: datetime, newest: datetime, *, asked_before: datetime | None = None, number: int = 1) -> Track:
    """A track that has prices up to `newest`, and had none so new when it was asked before."""
    one = replace(track(Market.RTM, newest - FIVE, asked_before), nodes=(f"N{number}",), newest=newest - FIVE)
    return answered(one, question(one, PACE, at), prices(newest - FIVE, 1, FIVE, f"N{number}"), PACE, at)


def test_after_a_start_the_market_whose_prices_are_soonest_over_is_asked_first() -> None:
    tracks, order = tracks_of(list(Market), ["N1"], {}), []
    while left := [one for one in tracks if one.asked_at is None]:
        chosen = most_overdue(tracks, PACE, MORNING)
        order.append(chosen.market)
        tracks[tracks.index(chosen)] = replace(chosen, asked_at=MORNING)
        assert len(left) <= len(Market)

    assert order == [Market.RTM, Market.RTPD, Market.HASP, Market.DAM, Market.RUC]


def test_a_price_is_looked_for_often_from_just_before_it_can_be_expected_until_it_is_there_or_late() -> None:
    one = found(MORNING, MORNING + FIVE, asked_before=MORNING - 6 * SECOND)
    expected = MORNING - 6 * SECOND + FIVE - 6 * SECOND
    asked = replace(one, asked_at=expected)
    late = expected + AWAITED_FOR

    assert due_at(one, [one], PACE, MORNING) == MORNING + PACE.every[Market.RTM]
    assert one.next_at == expected
    looking = replace(one, asked_at=expected - SECOND)
    assert due_at(looking, [looking], PACE, expected - SECOND) == expected
    assert due_at(asked, [asked], PACE, expected) == expected + PACE.awaited_every
    gone = replace(one, asked_at=late)
    assert due_at(gone, [gone], PACE, late) == late + PACE.every[Market.RTM], "it is later than it can be hurried"


def test_one_track_of_a_market_looks_for_its_next_price_and_the_others_are_asked_once_it_is_there() -> None:
    first, second = (found(MORNING, MORNING + FIVE, asked_before=MORNING - 6 * SECOND, number=number) for number in (1, 2))
    now = first.next_at + SECOND
    waiting = [replace(one, asked_at=first.next_at - SECOND) for one in (first, second)]
    assert most_overdue(waiting, PACE, now) is waiting[0]
    assert due_at(waiting[1], waiting, PACE, now) == waiting[1].asked_at + PACE.every[Market.RTM]

    there = [replace(waiting[0], newest=MORNING + 2 * FIVE, found_at=now, asked_at=now), waiting[1]]
    assert due_at(there[1], there, PACE, now) == now
    asked_in_vain = [there[0], replace(there[1], asked_at=now + SECOND)]
    assert due_at(asked_in_vain[1], asked_in_vain, PACE, now) > now + SECOND, "its nodes may have no price"


def test_a_track_that_fails_leaves_the_looking_to_another() -> None:
    first, second = (found(MORNING, MORNING + FIVE, asked_before=MORNING - 6 * SECOND, number=number) for number in (1, 2))
    failing = failed(replace(first, asked_at=first.next_at), "why", first.next_at, first.next_at + HOUR)
    looking = replace(second, asked_at=second.next_at - SECOND)

    assert most_overdue([failing, looking], PACE, second.next_at) is looking


def test_nothing_is_expected_by_what_an_outage_brought_back() -> None:
    one = found(MORNING, MORNING + FIVE, asked_before=MORNING - HOUR)

    assert one.next_at < MORNING - AWAITED_FOR
    assert due_at(one, [one], PACE, MORNING) == MORNING + PACE.every[Market.RTM]
