"""Missing: what left the lookback without a price, and when OASIS is asked for it, until it is there or given up. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from caiso.oasis import RETENTION, Group, Nodes, Question, midnight, trade_day
from lmp_ingest.known.price_block import PriceBlock, complete_run
from lmp_ingest.planning.gaps import Span, common, joined, piece_of, without
from lmp_ingest.planning.track import Track, holds

GAP_PAUSE = timedelta(hours=1)
"""Until a gap is asked for again that OASIS did not fill."""
GAP_GIVEN_UP_AFTER = timedelta(days=30)
"""So long after an interval OASIS may still fill it: CAISO corrects and completes prices within days."""
GAP_IN_VAIN_FOR = timedelta(hours=12)
"""What is as old is given up once OASIS has answered without it for so long, because a single answer may be wrong."""
_DAY = timedelta(days=1)


def gap_due(tracks: Sequence[Track], now: datetime) -> Track | None:
    """The track to ask for a gap now, when nothing else is to be asked; None while there is none, or none that OASIS keeps."""
    waiting = (track for track in tracks if track.gap_not_before is None or track.gap_not_before <= now)
    due = [track for track in waiting if _kept_gaps(track, now)]
    return min(due, key=lambda track: track.gap_not_before or now - RETENTION, default=None)


def gap_question(track: Track, now: datetime) -> Question:
    """A day at most of a track's gaps, of a group's one piece: the one whose turn it is."""
    gaps = _kept_gaps(track, now)
    after = [gap for gap in gaps if track.gap_at is None or gap.end > track.gap_at]
    gap = (after or gaps)[0]
    start = max(gap.start, track.gap_at) if after and track.gap_at else gap.start
    if track.is_group:
        return Question(track.market, track.asked_as, *piece_of(track.market, start))
    return Question(track.market, track.nodes, start, min(gap.end, midnight(trade_day(start) + _DAY)))


def gap_answered(track: Track, asked: Question, block: PriceBlock | None, now: datetime) -> Track:
    """The track after a question for a gap, and its answer if there was one; one without prices says that OASIS has none.

    What is older than CAISO corrects, and was answered without for long, is given up.
    """
    left = replace(track, gaps=without(track.gaps, _whole(block) if block else ()), gap_at=asked.end, given_up=())
    window = [Span(asked.start, asked.end)]
    if block and asked.end <= now - GAP_GIVEN_UP_AFTER:
        left = _asked_in_vain(left, common(left.gaps, window), now)
    return replace(left, gap_not_before=now + GAP_PAUSE if common(left.gaps, window) else now)


def filled_by(tracks: Sequence[Track], asked: Question, block: PriceBlock) -> list[Track]:
    """The tracks after prices of the past came that somebody asked for: what was missing of them may be there now."""
    of = [track.market is asked.market and _covers(asked.nodes, track) for track in tracks]
    return [_filled(track, block) if is_of else track for track, is_of in zip(tracks, of, strict=True)]


def _covers(nodes: Nodes, track: Track) -> bool:
    if isinstance(nodes, Group):
        return nodes is track.nodes or (not isinstance(track.nodes, Group) and all(holds(nodes, node) for node in track.nodes))
    return not isinstance(track.nodes, Group) and set(track.nodes) <= set(nodes)


def _filled(track: Track, block: PriceBlock) -> Track:
    """Where it waits there may be a price now, and then it looks on from there soon."""
    run = complete_run(track.until, block) if track.until else None
    left = replace(track, gaps=without(track.gaps, _whole(block)))
    return replace(left, until=run, wide_at=None) if run else left


def _whole(block: PriceBlock) -> tuple[Span, ...]:
    """The times of which an answer has every price."""
    return joined(Span(start, start + block.interval) for start in block.whole)


def _asked_in_vain(track: Track, lacking: Sequence[Span], now: datetime) -> Track:
    """The track after OASIS answered without something old: given up is what it has been so with for long."""
    long = [span for span, since in track.in_vain if since <= now - GAP_IN_VAIN_FOR]
    new = ((span, now) for span in without(lacking, [span for span, _ in track.in_vain]))
    after = without_gaps(track, common(lacking, long))
    return replace(after, in_vain=tuple(vain for vain in (*track.in_vain, *new) if common([vain[0]], after.gaps)))


def _kept_gaps(track: Track, now: datetime) -> tuple[Span, ...]:
    return without(track.gaps, [aged_out(now)])


def aged_out(now: datetime) -> Span:
    """What OASIS keeps no longer, by whole days: it is not told of anew with every minute."""
    return Span(datetime.min.replace(tzinfo=now.tzinfo), midnight(trade_day(now - RETENTION)))


def without_gaps(track: Track, gone: Sequence[Span]) -> Track:
    """The track when there is no hope any more for some of its gaps."""
    return replace(track, gaps=without(track.gaps, gone), given_up=common(track.gaps, gone))
