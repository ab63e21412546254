"""Pieces: what is asked of a whole group of nodes. Pure.

A request for a group is answered with one hour, day-ahead with one trade day, whatever its end says (`caiso.oasis.Report`).
The *live* piece is that of the newest interval that is due; it is asked for at the market's pace. What is to be read besides,
for corrections and for what is missing, lies *behind*: it is asked for a piece at a time, the oldest first, while nothing else
is due.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from caiso.oasis import PACIFIC, REPORTS, Market, Question, midnight, trade_day
from lmp_ingest.known.price_block import PriceBlock, complete_run
from lmp_ingest.planning import plan
from lmp_ingest.planning.gaps import Span, joined, piece_of, without
from lmp_ingest.planning.track import Pace, Track
from lmp_ingest.planning.turns import DAY_AHEAD_DUE_FROM

MISSING_EVERY = timedelta(minutes=5)
"""How often what is missing is read again before the next window that looks far back."""


def question(track: Track, pace: Pace, now: datetime) -> Question:
    """What to ask for a track now: of a group the live piece."""
    if not track.is_group:
        return plan.question(track, pace, now)
    return Question(track.market, track.asked_as, *_live_piece(track, now))


def _live_piece(track: Track, now: datetime) -> Span:
    """The piece in which the newest price is, or the one after it.

    While that is not the newest piece that is due, the two are asked for in turn: what is missing may never come.
    """
    due = _newest_due(track.market, now)
    first = piece_of(track.market, track.newest or now)
    if REPORTS[track.market].is_daily:
        first = min(max(first, piece_of(track.market, now)), due)
    if first >= due:
        return first
    is_far = first.end < due.start  # an outage: what lies behind is read besides
    return due if is_far or track.live_at == first.start else first


def _newest_due(market: Market, now: datetime) -> Span:
    """The piece of the newest interval that CAISO may be expected to have published."""
    if not REPORTS[market].is_daily:
        return piece_of(market, now - REPORTS[market].interval)
    is_noon = now.astimezone(PACIFIC).time() >= DAY_AHEAD_DUE_FROM
    return piece_of(market, midnight(trade_day(now) + timedelta(days=is_noon)))


def queued(before: Track, after: Track, asked: Question, pace: Pace, now: datetime) -> Track:
    """A track after the answer of its live piece, with what is to be read besides."""
    if not after.is_group:
        return after
    after = replace(after, live_at=asked.start)
    oldest, until = plan.oldest_start(after.market, pace, now), (before.until and after.until) or now
    is_wide = before.wide_at is None or now - before.wide_at >= pace.wide_every
    is_missing = until < asked.start and not after.behind and (not after.behind_at or now - after.behind_at >= MISSING_EVERY)
    if before.catches_up or after.catches_up:
        start = oldest
    elif is_wide:
        start = max(min(now - pace.wide_back, until), oldest)
    elif is_missing:
        start = max(until, oldest)
    else:
        return after
    wanted = Span(piece_of(after.market, start).start, asked.start)
    after = replace(after, behind=joined([*after.behind, wanted]), behind_at=now, catches_up=False)
    return after if before.until else replace(after, until=wanted.start, begins=True)


def behind_due(tracks: Sequence[Track]) -> Track | None:
    """The track of which to read a piece besides, when nothing else is to be asked; None while there is none."""
    return min((track for track in tracks if track.behind), key=lambda track: track.behind[0], default=None)


def behind_question(track: Track) -> Question:
    """The oldest piece of what is to be read besides."""
    return Question(track.market, track.asked_as, *piece_of(track.market, track.behind[0].start))


def behind_answered(track: Track, asked: Question, block: PriceBlock | None, _now: datetime) -> Track:
    """The track after such a question, and its answer if there was one. What failed is asked for with the next of them."""
    after = replace(track, behind=without(track.behind, [Span(asked.start, asked.end)]), given_up=())
    if block is None:
        return after
    until = _begun(track, asked, block)
    run = complete_run(until, block) if until else None
    begins, bad_rows = track.begins and not block.priced, block.bad_rows or track.bad_rows
    return replace(after, until=run or until, begins=begins, bad_rows=bad_rows)


def _begun(track: Track, asked: Question, block: PriceBlock) -> datetime | None:
    """How far a track is complete before an answer is looked at: while it begins, up to the first price that CAISO has."""
    is_first = track.begins and track.until == asked.start and not block.bad_rows
    if not is_first:
        return track.until
    return asked.start if block.priced and REPORTS[asked.market].is_daily else min(block.priced, default=asked.end)
