"""Timeline: what of some DOTs is in force when, and what the ramp leads through. Pure.

It depends on what was said alone, and mostly that is said again and again: so it is made once, and each moment is looked up.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from heapq import heappop, heappush
from itertools import pairwise, zip_longest
from typing import Final

from dotbus.contracts.messages import DotInterval
from dotbus.contracts.schedules import Schedule, of_schedule, precedence, rank

REMEMBERED: Final = 2048
"""Of how many sets of DOTs the timelines are kept: of a thousand resources each has one set most of the time."""
REMEMBERED_DOTS_MOST: Final = 64
"""Larger sets are rare, and would fill the memory."""

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_Stretch = tuple[datetime, datetime, DotInterval]


class Timeline:
    """DOTs of one schedule in the order of time.

    Attributes:
        intervals: the DOTs as they were given.
        contested: those that nobody can say of whether they hold.
        anchors: what the ramp leads through: of each stretch of time its DOT at its target, or at both ends when that lies
            outside.
    """

    def __init__(self, intervals: Iterable[DotInterval]) -> None:
        self.intervals = tuple(intervals)
        self.contested = contested(self.intervals)
        self._cuts = sorted({at for each in self.intervals for at in (each.interval_start, each.interval_end)})
        self._stretches = _stretches(self.intervals, self._cuts)
        self.anchors = _anchors(self._stretches)
        last_first = self.intervals[::-1]  # of equals the first counts, so it comes last
        self._by_end = sorted(last_first, key=lambda interval: (interval.interval_end, precedence(interval)))
        self._by_start = _first_of_each_start(self.intervals)
        times = {at for each in self.intervals for at in (each.interval_start, each.target_at, each.interval_end)}
        self._turns = sorted(times)

    def in_force(self, at: datetime) -> DotInterval | None:
        """The DOT whose interval covers a time (its end does not belong to it), None when there is none."""
        number = bisect_right(self._stretches, at, key=lambda stretch: stretch[0]) - 1
        return self._stretches[number][2] if number >= 0 and at < self._stretches[number][1] else None

    def previous(self, now: datetime) -> DotInterval | None:
        """The DOT whose interval ended last, None when none has ended."""
        ended = bisect_right(self._by_end, now, key=lambda interval: interval.interval_end)
        return self._by_end[ended - 1] if ended else None

    def next(self, now: datetime) -> DotInterval | None:
        """The DOT whose interval begins next, None when none is ahead."""
        begun = bisect_right(self._by_start, now, key=lambda interval: interval.interval_start)
        return self._by_start[begun] if begun < len(self._by_start) else None

    def next_turn(self, now: datetime) -> datetime | None:
        """When the passing of time alone next changes which DOT is in force and between which two the ramp runs."""
        past = bisect_right(self._turns, now)
        return self._turns[past] if past < len(self._turns) else None

    def cuts_after(self, now: datetime) -> Sequence[datetime]:
        """The starts and ends of intervals that are still to come, in their order."""
        return self._cuts[bisect_right(self._cuts, now) :]

    def held(self, begin: datetime, end: datetime) -> Iterator[tuple[tuple[datetime, datetime], DotInterval]]:
        """From when until when within a range each DOT is in force, in their order."""
        first = bisect_right(self._stretches, begin, key=lambda stretch: stretch[1])
        after = bisect_left(self._stretches, end, key=lambda stretch: stretch[0])
        for stretch_begin, stretch_end, dot in self._stretches[first:after]:
            yield (max(stretch_begin, begin), min(stretch_end, end)), dot

    def is_covered(self, begin: datetime, end: datetime) -> bool:
        """Whether a DOT is in force at every moment between two times."""
        until = begin
        first = max(bisect_right(self._stretches, begin, key=lambda stretch: stretch[0]) - 1, 0)
        while first < len(self._stretches) and self._stretches[first][0] <= until < end:
            until = max(until, self._stretches[first][1])
            first += 1
        return until >= end


def timelines_of(intervals: tuple[DotInterval, ...]) -> dict[Schedule, Timeline]:
    """The timeline of each schedule."""
    return _remembered(intervals) if len(intervals) <= REMEMBERED_DOTS_MOST else _made(intervals)


def _made(intervals: tuple[DotInterval, ...]) -> dict[Schedule, Timeline]:
    return {schedule: Timeline(of_schedule(intervals, schedule)) for schedule in Schedule}


_remembered = lru_cache(REMEMBERED)(_made)


def _first_of_each_start(intervals: Sequence[DotInterval]) -> list[DotInterval]:
    """In the order of their starts, of those with one start the one that goes before the others."""
    found: dict[datetime, DotInterval] = {}
    for interval in intervals:
        other = found.get(interval.interval_start)
        if other is None or precedence(interval) > precedence(other):
            found[interval.interval_start] = interval
    return [found[start] for start in sorted(found)]


def _stretches(intervals: Sequence[DotInterval], cuts: Sequence[datetime]) -> list[_Stretch]:
    """Begin, end and DOT of every time for which one DOT is in force without a break, in their order."""
    stretches: list[_Stretch] = []
    for (begin, end), dot in zip(pairwise(cuts), _in_force(intervals, cuts), strict=False):
        if dot and stretches and stretches[-1][1:] == (begin, dot):
            stretches[-1] = (stretches[-1][0], end, dot)
        elif dot:
            stretches.append((begin, end, dot))
    return stretches


def _in_force(intervals: Sequence[DotInterval], moments: Iterable[datetime]) -> Iterator[DotInterval | None]:
    """The DOT in force at each of some moments, which are in their order: what `contracts.schedules.in_force` says of each."""
    best_first = sorted(intervals, key=precedence, reverse=True)
    coming = deque(sorted(enumerate(best_first), key=lambda place: place[1].interval_start))
    begun: list[tuple[int, DotInterval]] = []
    for at in moments:
        while coming and coming[0][1].interval_start <= at:
            heappush(begun, coming.popleft())
        while begun and begun[0][1].interval_end <= at:
            heappop(begun)
        yield begun[0][1] if begun else None


def _anchors(stretches: Sequence[_Stretch]) -> list[tuple[datetime, DotInterval]]:
    anchors = []
    for begin, end, dot in stretches:
        times = (dot.target_at,) if begin <= dot.target_at < end else (begin, end)
        anchors += [(at, dot) for at in times]
    return anchors


def contested(intervals: Iterable[DotInterval]) -> frozenset[DotInterval]:
    """DOTs that ask different things at one time and of which none goes before the other: nobody can say which holds."""
    by_rank: defaultdict[tuple[datetime, int], defaultdict[_Asked, list[DotInterval]]]
    by_rank = defaultdict(lambda: defaultdict(list))
    for each in intervals:
        asked = each.interval_start, each.interval_end, each.dot_mw, each.target_at, each.supp_mw, each.must_follow
        by_rank[rank(each)][asked].append(each)
    return frozenset(one for equals in by_rank.values() for asked in _overlapping(equals) for one in equals[asked])


_Asked = tuple[datetime, datetime, float, datetime, float | None, bool | None]
"""What a DOT asks, first from when until when."""


def _overlapping(asked: Iterable[_Asked]) -> Iterator[_Asked]:
    """What is asked for a time for which something else is asked, too."""
    in_order = sorted(asked, key=lambda one: one[:2])
    before_end = _LONG_AGO
    for one, after in zip_longest(in_order, in_order[1:]):
        begin, end, *_ = one
        if before_end > begin or (after is not None and after[0] < end):
            yield one
        before_end = max(before_end, end)
