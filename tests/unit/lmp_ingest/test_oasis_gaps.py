"""What is missing: spans of time, how they are kept, and when OASIS is asked for them again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oasis_blocks import block
from oasis_tracks import HOUR, PACE

from caiso.oasis import RETENTION, Market, midnight, trade_day
from dotbus.contracts.messages import NodePrice
from lmp_ingest.known.price_block import PriceBlock, nothing
from lmp_ingest.planning.condition import complaints, gaps
from lmp_ingest.planning.gaps import MOST_GAPS, Span, common, joined, read, without, write
from lmp_ingest.planning.missing import GAP_GIVEN_UP_AFTER, GAP_IN_VAIN_FOR, GAP_PAUSE, gap_answered, gap_due, gap_question
from lmp_ingest.planning.plan import answered, question
from lmp_ingest.planning.track import Track

NOW = datetime(2025, 9, 10, 19, tzinfo=UTC)
BEGIN = datetime(2025, 9, 1, 7, tzinfo=UTC)
DAY = timedelta(days=1)
FIVE = timedelta(minutes=5)


def span(start_h: float, end_h: float) -> Span:
    return Span(BEGIN + start_h * HOUR, BEGIN + end_h * HOUR)


def priced(start: datetime, count: int, holes: dict[datetime, frozenset[str]] | None = None) -> PriceBlock:
    starts = [start + number * FIVE for number in range(count)]
    prices = [("N1", NodePrice(interval_start=at, interval_end=at + FIVE, fetched_at=at, lmp_usd_per_mwh=1.0)) for at in starts]
    return block(Market.RTM, prices, holes)


def missing(*spans: Span) -> Track:
    return Track(Market.RTM, ("N1",), until=NOW, gaps=spans)


spans = st.lists(
    st.tuples(st.integers(0, 200), st.integers(1, 20)).map(lambda ends: span(ends[0], ends[0] + ends[1])), max_size=12
)


def hours(of: tuple[Span, ...] | list[Span]) -> set[int]:
    return {hour for one in of for hour in range(int((one.start - BEGIN) / HOUR), int((one.end - BEGIN) / HOUR))}


@given(spans, spans)
def test_spans_are_joined_and_taken_away_as_sets_of_hours_are(some: list[Span], others: list[Span]) -> None:
    assert hours(joined(some)) == hours(some)
    assert hours(without(some, others)) == hours(some) - hours(others)
    assert hours(common(some, others)) == hours(some) & hours(others)
    assert all(before.end < after.start for before, after in zip(joined(some), joined(some)[1:], strict=False))


@given(spans)
def test_gaps_are_read_back_as_they_were_written(some: list[Span]) -> None:
    assert read(write(joined(some))) == joined(some)


@pytest.mark.parametrize("text", ["", "none", "yesterday", "a/b", "2025-09-01T00:00Z", "2025-09-02T00:00Z/2025-09-01T00:00Z"])
def test_what_names_no_gap_is_none(text: str) -> None:
    assert read(text) == ()


def test_many_gaps_become_few_that_hold_all_of_them() -> None:
    many = [span(number * 2, number * 2 + 1) for number in range(MOST_GAPS + 20)]

    few = joined(many)

    assert len(few) == MOST_GAPS
    assert hours(few) >= hours(many)


def test_what_lies_before_the_lookback_is_a_gap_once_caiso_answers() -> None:
    track = Track(Market.RTM, ("N1",), until=BEGIN)
    asked = question(track, PACE, NOW)

    after = answered(track, asked, priced(asked.start, 3), PACE, NOW)

    assert asked.start == NOW - PACE.lookback
    assert after.gaps == (Span(BEGIN, asked.start),)
    assert after.until == asked.start + 3 * FIVE


def test_a_gap_is_asked_for_a_pacific_day_at_a_time_each_part_in_its_turn() -> None:
    track, asked = missing(Span(BEGIN, BEGIN + 2 * DAY + HOUR)), []
    for _ in range(4):
        asked.append(gap_question(track, NOW))
        track = gap_answered(track, asked[-1], None, NOW)

    assert [(one.start, one.end) for one in asked] == [
        (BEGIN, BEGIN + DAY),
        (BEGIN + DAY, BEGIN + 2 * DAY),
        (BEGIN + 2 * DAY, BEGIN + 2 * DAY + HOUR),
        (BEGIN, BEGIN + DAY),
    ]
    assert all(one.end <= midnight(trade_day(one.start) + DAY) for one in asked)


def test_what_oasis_fills_is_no_gap_any_more_and_the_next_part_may_follow_at_once() -> None:
    track = missing(span(0, 3))
    asked = gap_question(track, NOW)

    half = gap_answered(track, asked, priced(BEGIN, 12), NOW)
    whole = gap_answered(half, gap_question(half, NOW), priced(BEGIN + HOUR, 24), NOW)

    assert half.gaps == (span(1, 3),)
    assert gap_due([half], NOW) is None, "a part of what was asked for did not come"
    assert gap_due([half], NOW + GAP_PAUSE) is half
    assert (whole.gaps, gap_due([whole], NOW + DAY)) == ((), None)


def test_an_interval_with_a_hole_stays_a_gap() -> None:
    track = missing(span(0, 1))
    holes = priced(BEGIN, 12, {BEGIN + FIVE: frozenset({"N2"})})

    after = gap_answered(track, gap_question(track, NOW), holes, NOW)

    assert after.gaps == (Span(BEGIN + FIVE, BEGIN + 2 * FIVE),)


NOTHING = nothing(Market.RTM, NOW)
LATER = NOW + 60 * DAY


def in_vain(track: Track, now: datetime, answer: PriceBlock | None = NOTHING) -> Track:
    return gap_answered(track, gap_question(track, now), answer, now)


def test_what_oasis_keeps_no_longer_is_given_up_with_the_next_answer_and_not_asked_for() -> None:
    now = BEGIN + RETENTION + 2 * DAY
    track = Track(Market.RTM, ("N1",), until=now, gaps=(span(0, 72),))
    asked = question(track, PACE, now)

    after = answered(track, asked, priced(asked.start, 3), PACE, now)

    assert after.given_up == (span(0, 48),)
    assert after.gaps == (span(48, 72),), "what OASIS may still have"
    assert gap_question(track, now).start == BEGIN + 2 * DAY
    assert gap_due([track], now + 4 * DAY) is None
    assert answered(after, asked, priced(asked.start, 3), PACE, now).given_up == (), "told once"


def test_what_is_older_than_caiso_corrects_is_given_up_once_oasis_has_had_none_for_long() -> None:
    once = in_vain(missing(span(0, 1)), LATER)
    soon = in_vain(once, LATER + GAP_IN_VAIN_FOR - FIVE)
    long = in_vain(soon, LATER + GAP_IN_VAIN_FOR)

    assert (once.gaps, once.given_up) == ((span(0, 1),), ())
    assert (soon.gaps, soon.given_up) == ((span(0, 1),), ())
    assert (long.gaps, long.given_up, long.in_vain) == ((), (span(0, 1),), ())
    assert gap_due([long], LATER + DAY) is None


def test_what_caiso_may_still_correct_is_never_given_up() -> None:
    track = missing(span(0, 1))
    end = BEGIN + HOUR + GAP_GIVEN_UP_AFTER
    for hour in range(9 * 24):
        track = in_vain(track, NOW + hour * HOUR)

    assert track.gaps == (span(0, 1),)
    assert in_vain(in_vain(track, end - FIVE), end - FIVE + DAY).gaps == (span(0, 1),), "it counts from when it is old"


def test_a_question_that_brought_no_answer_gives_nothing_up() -> None:
    track = in_vain(missing(span(0, 1)), LATER)
    for hour in range(48):
        track = in_vain(track, LATER + hour * HOUR, None)

    assert track.gaps == (span(0, 1),)


def test_of_a_gap_that_oasis_fills_in_part_the_rest_alone_is_given_up() -> None:
    track = in_vain(missing(span(0, 3)), LATER)
    track = in_vain(track, LATER + HOUR, priced(BEGIN + HOUR, 12))
    while gap_due([track], LATER + DAY):
        track = in_vain(track, LATER + DAY)

    assert track.gaps == ()
    assert track.given_up == (span(2, 3),)


def test_a_market_misses_what_any_of_its_tracks_misses_and_names_the_latest() -> None:
    tracks = [missing(span(0, 1), span(5, 6)), missing(span(1, 2)), Track(Market.DAM, ("N1",), gaps=(span(9, 10),))]

    assert gaps(tracks, Market.RTM) == (span(0, 2), span(5, 6))
    many = missing(*(span(number * 2, number * 2 + 1) for number in range(14)))
    (told,) = complaints([many], Market.RTM, NOW)
    assert told.startswith(f"missing: {span(26, 27)}, ")
    assert told.endswith(" and 4 more")


def test_what_is_wrong_with_many_nodes_is_told_in_few_lines() -> None:
    tracks = [
        Track(Market.RTM, tuple(f"N{group}{node}" for node in range(10)), until=NOW - group * HOUR, failures=1, complaint="why")
        for group in range(2, 50)
    ]

    told = complaints([*tracks, Track(Market.RTM, ("GOOD",), until=NOW)], Market.RTM, NOW)

    assert len(told) == 2
    assert told[0].startswith("nothing is heard of N20, N21")
    assert told[0].endswith("and 470 more: why")
    assert told[1].startswith(f"not complete since {NOW - 49 * HOUR:%Y-%m-%dT%H:%MZ}: ")
