"""What to ask. Pure: the time and what is known in, a question out; `turns` says whose turn it is.

A question's window begins a little before the newest price, and never after now. Every so often it begins long before that,
because CAISO corrects prices without saying so, and where the first price is missing, which bridges an outage.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from caiso.oasis import REPORTS, Market, Question, floor, midnight, trade_day, window_end
from lmp_ingest.known.price_block import PriceBlock, complete_run
from lmp_ingest.planning.gaps import Span, joined
from lmp_ingest.planning.missing import aged_out, without_gaps
from lmp_ingest.planning.track import PUBLISHED_EVERY, Pace, Track

OVERLAP = timedelta(minutes=30)
"""How far a real-time window begins before what was last heard."""
SOONER = timedelta(seconds=6)
"""CAISO does not publish to the second: a price is looked for so long before it can be expected by the last one."""
GROUP_SOONER = timedelta(seconds=30)
"""The same of a whole group of nodes, and how often that is asked for while its next price is due: each reply is large."""


def oldest_start(market: Market, pace: Pace, now: datetime) -> datetime:
    """Where the longest lookback begins."""
    back = now - pace.lookback
    return midnight(trade_day(back)) if REPORTS[market].is_daily else floor(back, REPORTS[market].interval)


def question(track: Track, pace: Pace, now: datetime) -> Question:
    """What to ask for a track now. The end lies in the future: CAISO answers with what it has."""
    is_daily = REPORTS[track.market].is_daily
    oldest = oldest_start(track.market, pace, now)
    starts = [oldest if track.catches_up else max(_usual_start(track, pace, now), oldest)]
    if is_far(track, pace, now):
        back = now - pace.far_back
        starts.append(midnight(trade_day(back)) if is_daily else floor(back, REPORTS[track.market].interval))
    return Question(track.market, track.nodes, min(starts), window_end(track.market, now))


def _usual_start(track: Track, pace: Pace, now: datetime) -> datetime:
    """A little before the newest price, day-ahead with its day; where it is time for that, further back."""
    is_daily = REPORTS[track.market].is_daily
    newest = min((track.until if is_daily else track.newest or track.until) or now, now)
    starts = [newest if is_daily else newest - OVERLAP]
    if is_wide(track, pace, now):
        starts += [now - pace.wide_back, (track.until or now) - OVERLAP]
    return midnight(trade_day(min(starts))) if is_daily else floor(min(starts), REPORTS[track.market].interval)


def is_wide(track: Track, pace: Pace, now: datetime) -> bool:
    """Whether it is time to look far back, for corrections and for what is missing."""
    return track.wide_at is None or track.until is None or now - track.wide_at >= pace.wide_every


def is_far(track: Track, pace: Pace, now: datetime) -> bool:
    """Whether it is time to look as far back as CAISO corrects; never first, because the newest price is wanted sooner."""
    return (
        track.until is not None
        and track.heard_at is not None
        and (track.far_at is None or now - track.far_at >= pace.far_every)
    )


def answered(
    track: Track,
    asked: Question,
    block: PriceBlock,
    pace: Pace,
    asked_at: datetime,
    denied: frozenset[str] = frozenset(),
    known: frozenset[str] = frozenset(),
) -> Track:
    """The track after an answer to a question that was asked at a time.

    Args:
        track: before.
        asked: the question.
        block: the answer.
        pace: how often it is asked.
        asked_at: when it was.
        denied: nodes of which the answer lacks what CAISO gave before.
        known: nodes besides the named ones that CAISO has given prices of.
    """
    unpriced = known.union(track.names) - block.priced_nodes if block.priced else track.unpriced
    wide = is_wide(track, pace, asked_at)
    after = moved(track, asked, block, oldest_start(track.market, pace, asked_at))
    after = without_gaps(after, [aged_out(asked_at)])
    return replace(
        _with_newest(after, block.newest_end, asked_at),
        asked_at=asked_at,
        heard_at=asked_at,
        wide_at=asked_at if wide else track.wide_at,
        far_at=asked_at if is_far(track, pace, asked_at) else track.far_at,
        not_before=None,
        failures=0,
        complaint="",
        unpriced=unpriced,
        denied=denied - unpriced,
        bad_rows=block.bad_rows if block.bad_rows or wide else track.bad_rows,
        catches_up=bool(track.unpriced & block.priced_nodes),
    )


def _with_newest(track: Track, newest: datetime | None, asked_at: datetime) -> Track:
    """The track when an answer has prices up to a time. What is new in it came since the track was asked before."""
    if newest is None or (track.newest and newest <= track.newest):
        return track
    published_every = PUBLISHED_EVERY.get(track.market)
    if published_every is None or track.newest is None or track.asked_at is None:
        return replace(track, newest=newest, found_at=asked_at, next_at=None)
    # A group is asked so rarely that only when it came tells: a little sooner each time, until it is asked once in vain.
    came = asked_at - GROUP_SOONER if track.is_group else track.asked_at - SOONER
    return replace(track, newest=newest, found_at=asked_at, next_at=came + published_every)


def moved(track: Track, asked: Question, block: PriceBlock, oldest: datetime) -> Track:
    """How far a track is complete with an answer, and what of it was too long ago to be asked for once more.

    It begins with the first price that came, day-ahead with a whole day; not yet while a bad row may have been an earlier one.
    """
    begun, gaps = track.until, track.gaps
    if begun and begun < oldest:
        gaps, begun = joined([*gaps, Span(begun, oldest)]), oldest
    first = min(block.priced, default=None)
    if first and begun is None:
        is_first = not block.bad_rows or first <= min(block.lacking, default=first)
        begun = asked.start if REPORTS[asked.market].is_daily else first if is_first else None
    elif first and begun and track.catches_up:  # what a node missed may be missing still, though the others are further
        begun = min(begun, first)
    run = complete_run(begun, block) if begun else None
    return replace(track, until=run or begun, gaps=gaps)
