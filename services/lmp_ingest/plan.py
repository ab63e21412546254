"""What to ask. Pure: the time and what is known in, a question out; `turns` says whose turn it is.

A *track* is one market and at most ten nodes, the most that one request can ask for; or a whole group of them, or so many that
they are asked for as the group that holds them (see `pieces` for what is asked then).

A question's window begins a little before the newest price, and never after now. Every so often it begins long before that,
because CAISO corrects prices without saying so, and where the first price is missing, which bridges an outage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from caiso.oasis import MAX_NODES, REPORTS, RETENTION, Group, Market, Nodes, Question, floor, midnight, trade_day, window_end
from lmp_ingest.gaps import Span, common, joined, piece_of, without
from lmp_ingest.price_block import PriceBlock

MOST_BY_NAME = 200
"""More named nodes are asked for as the whole network: at one request in six seconds these take two minutes in each market."""

OVERLAP = timedelta(minutes=30)
"""How far a real-time window begins before what was last heard."""

GAP_PAUSE = timedelta(hours=1)
"""Until a gap is asked for again that OASIS did not fill."""

GAP_GIVEN_UP_AFTER = timedelta(days=30)
"""So long after an interval OASIS may still fill it: CAISO corrects and completes prices within days."""

GAP_IN_VAIN_FOR = timedelta(hours=12)
"""What is as old is given up once OASIS has answered without it for so long, because a single answer may be wrong."""

SOONER = timedelta(seconds=6)
"""CAISO does not publish to the second: a price is looked for so long before it can be expected by the last one."""

GROUP_SOONER = timedelta(seconds=30)
"""The same of a whole group of nodes, and how often that is asked for while its next price is due: each reply is large."""

_DAY = timedelta(days=1)
PUBLISHED_EVERY = {
    Market.RTM: REPORTS[Market.RTM].interval,
    Market.RTPD: REPORTS[Market.RTPD].interval,
    Market.HASP: timedelta(hours=1),
}
"""How often there is a new price of a real-time market; of the hour-ahead one the four quarters of an hour come together."""


@dataclass(frozen=True)
class Pace:
    """How often each market is asked, and how far back.

    Args:
        every: between questions of one track.
        day_ahead_idle: the same for the day-ahead market while none of its prices is due.
        awaited_every: the same of a market whose next price may have been published.
        wide_every: how often a window begins `wide_back` ago, for corrections.
        far_every: how often it begins `far_back` ago, for late ones.
        lookback: the most that a window begins in the past, after an outage.
    """

    every: Mapping[Market, timedelta]
    day_ahead_idle: timedelta
    awaited_every: timedelta
    wide_every: timedelta
    wide_back: timedelta
    far_every: timedelta
    far_back: timedelta
    lookback: timedelta

    @property
    def of_group(self) -> "Pace":
        """The same where a whole group of nodes is asked for: what was told of so many is not remembered for long."""
        return replace(self, far_back=min(self.far_back, self.lookback))

    @property
    def longest_back(self) -> timedelta:
        """The most that any window begins in the past."""
        return max(self.lookback, self.far_back)


@dataclass(frozen=True)
class Track:
    """One market, some nodes, and how far we are with them.

    Attributes:
        until: the end of the intervals that are complete without a hole since it began. It never passes a hole, until that
            leaves the lookback and becomes a gap.
        newest: the end of the newest interval with any price, since this process began; `found_at` is when that was asked for
            which brought it, and `next_at` when the one after it may be published at the earliest.
        asked_at: when it was last asked; `heard_at` when it was last answered.
        wide_at: when it was last asked for a wide window, and answered; `far_at` the same of one that begins still earlier.
        not_before: the end of the pause after a failure.
        complaint: the last failure's cause, empty after an answer.
        unpriced: the nodes without a price in the last answer, which had some of others. Once one of them has a price again,
            the track `catches_up`: the whole lookback is asked for, because nobody waited for what the node missed meanwhile.
        denied: the other nodes of which the last answer lacks a price that CAISO gave before and that still counts.
        bad_rows: what was wrong with rows of an answer, until a wide window is answered without any.
        gaps: what left the lookback without a price; `gap_at` is where the next one to ask for begins, `gap_not_before` when.
        in_vain: what of the gaps OASIS answered without though it is old, and since when.
        given_up: what the last answer made an end of in the gaps.
        behind: of a group, the times to read besides, for corrections and for what is missing; `behind_at` is when what is
            missing was last put there.
        live_at: of a group, the start of the piece that was last asked for.
        begins: of a group, whether no price has come yet of what lies behind, so that `until` is where it may begin at most.
    """

    market: Market
    nodes: Nodes
    until: datetime | None = None
    newest: datetime | None = None
    found_at: datetime | None = None
    next_at: datetime | None = None
    asked_at: datetime | None = None
    heard_at: datetime | None = None
    wide_at: datetime | None = None
    far_at: datetime | None = None
    not_before: datetime | None = None
    failures: int = 0
    complaint: str = ""
    unpriced: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    bad_rows: tuple[str, ...] = ()
    catches_up: bool = False
    gaps: tuple[Span, ...] = ()
    gap_at: datetime | None = None
    gap_not_before: datetime | None = None
    in_vain: tuple[tuple[Span, datetime], ...] = ()
    given_up: tuple[Span, ...] = ()
    behind: tuple[Span, ...] = ()
    behind_at: datetime | None = None
    live_at: datetime | None = None
    begins: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes whose states follow from its answers: those of a group have a track of their own where they are named."""
        return () if isinstance(self.nodes, Group) else self.nodes

    @property
    def asked_as(self) -> Nodes:
        """What a request asks for: more nodes than one may name are asked for as all that there are."""
        return self.nodes if isinstance(self.nodes, Group) or len(self.nodes) <= MAX_NODES else Group.ALL

    @property
    def is_group(self) -> bool:
        """Whether it is asked for as a whole group of nodes."""
        return isinstance(self.asked_as, Group)

    @property
    def told_as(self) -> tuple[str, ...]:
        """What is asked for, as messages name it."""
        return (self.nodes.value,) if isinstance(self.nodes, Group) else self.nodes


def tracks_of(
    markets: Sequence[Market],
    nodes: Sequence[str],
    cursors: Mapping[Market, datetime],
    gaps: Mapping[Market, tuple[Span, ...]] | None = None,
    group: Group | None = None,
    most_by_name: int = MOST_BY_NAME,
) -> list[Track]:
    """The tracks of an installation, each begun where the last process left its market.

    A node that is named is asked for by its name beside a group, too: a small reply may come often, one of the network not. But
    so many names that the rate of requests could not serve them are one track.
    """
    size = MAX_NODES if len(nodes) <= most_by_name else len(nodes)
    asked: list[Nodes] = [tuple(nodes[at : at + size]) for at in range(0, len(nodes), size)]
    missing = gaps or {}
    return [
        Track(market, each, cursors.get(market), gaps=missing.get(market, ()))
        for each in [*([group] if group else []), *asked]
        for market in markets
    ]


def holds(group: Group, node: str) -> bool:
    """Whether a group's reply has a node. Aggregated nodes are known by their names."""
    return group is Group.ALL or node.endswith("-APND")


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
    after = _without_gaps(after, [_aged_out(asked_at)])
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


def complete_run(begun: datetime, block: PriceBlock) -> datetime | None:
    """The end of the intervals that are complete without a hole from a time on; None when the first is not.

    In real time, so that a day of 23 or 25 hours is complete when it has 23 or 25 prices.
    """
    until = begun
    while until in block.whole:
        until += block.interval
    return until if until > begun else None


def failed(track: Track, complaint: str, asked_at: datetime, not_before: datetime) -> Track:
    """The track after a failure."""
    failures = track.failures + 1
    return replace(track, asked_at=asked_at, not_before=not_before, failures=failures, complaint=complaint)


def set_back(tracks: Sequence[Track], now: datetime) -> list[Track]:
    """The tracks after the clock was set back: as if none had been asked yet, and none complete in what is the future now."""
    forgotten: dict[str, Any] = {"newest": None, "found_at": None, "next_at": None, "gap_not_before": None, "in_vain": ()}
    return [believed(replace(track, **forgotten), now) for track in due_now(tracks)]


def due_now(tracks: Sequence[Track]) -> list[Track]:
    """The tracks as if none had been asked yet."""
    return [replace(track, asked_at=None, wide_at=None, far_at=None, not_before=None) for track in tracks]


def believed(track: Track, now: datetime) -> Track:
    """A track that does not claim to be complete up to a time that has no prices yet: it asks for all of its lookback."""
    possible = track.until is None or track.until <= window_end(track.market, now)
    return track if possible else replace(track, until=None, catches_up=True)


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


def _kept_gaps(track: Track, now: datetime) -> tuple[Span, ...]:
    return without(track.gaps, [_aged_out(now)])


def _aged_out(now: datetime) -> Span:
    """What OASIS keeps no longer, by whole days: it is not told of anew with every minute."""
    return Span(datetime.min.replace(tzinfo=now.tzinfo), midnight(trade_day(now - RETENTION)))


def _without_gaps(track: Track, gone: Sequence[Span]) -> Track:
    """The track when there is no hope any more for some of its gaps."""
    return replace(track, gaps=without(track.gaps, gone), given_up=common(track.gaps, gone))


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
    after = _without_gaps(track, common(lacking, long))
    return replace(after, in_vain=tuple(vain for vain in (*track.in_vain, *new) if common([vain[0]], after.gaps)))
