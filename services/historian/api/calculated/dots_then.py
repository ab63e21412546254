"""DOTs then: those that are known while time goes on, and the few of them that matter next (pure).

A gateway makes the timeline of all that it holds, once for each state. Who asks of a day in which thousands of revisions were
told makes as many: each of the DOTs about its moment alone, which are found by their times.
"""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from operator import itemgetter
from typing import Final

from dotbus.contracts.messages import DotInterval
from dotbus.contracts.schedules import precedence, rank
from dotbus.setpoints.schedules import is_beside
from dotbus.setpoints.timeline import Timeline

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_START, _END = itemgetter(0), itemgetter(1)
_FEW: Final = 4
"""So many spans ahead decide most of the time."""
_Span = tuple[datetime, datetime]


class DotsThen:
    """The DOTs of one schedule that are known at a moment, which only goes on."""

    def __init__(self) -> None:
        self._now = _LONG_AGO
        self._of_span: defaultdict[_Span, list[DotInterval]] = defaultdict(list)  # by precedence, the last counts
        self._of_rank: defaultdict[tuple[datetime, int], list[DotInterval]] = defaultdict(list)
        self._ended: list[_Span] = []  # all spans, whether they ended or not, each with its end first
        self._current: list[_Span] = []
        self._ahead: list[_Span] = []

    def add(self, dot: DotInterval) -> None:
        """One more is known."""
        start, end = span = dot.interval_start, dot.interval_end
        if span not in self._of_span:
            insort(self._ended, (end, start))
            if start > self._now:
                insort(self._ahead, span)
            elif end > self._now:
                self._current.append(span)
        insort(self._of_span[span], dot, key=precedence)
        self._of_rank[rank(dot)].append(dot)

    def remove(self, dot: DotInterval) -> None:
        """It was replaced or withdrawn."""
        start, end = span = dot.interval_start, dot.interval_end
        self._of_rank[rank(dot)].remove(dot)
        self._of_span[span].remove(dot)
        if self._of_span[span]:
            return
        del self._of_span[span], self._ended[bisect_left(self._ended, (end, start))]
        if start > self._now:
            del self._ahead[bisect_left(self._ahead, span)]
        elif end > self._now:
            self._current.remove(span)

    def go_on(self, now: datetime) -> None:
        """It is later."""
        self._now = now
        begun = bisect_right(self._ahead, now, key=_START)
        self._current = [span for span in (*self._current, *self._ahead[:begun]) if span[1] > now]
        del self._ahead[:begun]

    def last(self) -> DotInterval | None:
        """The last one that is past: at it the ramp begins."""
        past = bisect_right(self._ended, self._now, key=_START)
        if past == 0:
            return None
        first = bisect_left(self._ended, self._ended[past - 1][0], key=_START)
        return max((self._of_span[start, end][-1] for end, start in self._ended[first:past]), key=precedence)

    def timeline(self, until: datetime, last: Sequence[DotInterval]) -> Timeline:
        """The DOTs that decide what is asked between now and a time until which none ends, and maybe others.

        It is what `DotSchedule.pruned` leaves, without what cannot matter: what is hidden below another one of its span, and
        contradicts none of those that count; and what begins after the place from that time on to which the ramp runs.

        Args:
            until: the time.
            last: of each schedule the last that is past.
        """
        count = _FEW
        while True:
            timeline = Timeline(self._about([*self._current, *self._ahead[:count]], last))
            if count >= len(self._ahead) or _leads_to(timeline, until, self._ahead[count][0]):
                return timeline
            count *= 2

    def _about(self, spans: Sequence[_Span], last: Sequence[DotInterval]) -> Iterable[DotInterval]:
        """The DOTs of some spans that count there, all that may contradict them, and the last ones."""
        beside = (one for each in last for one in self._of_rank.get(rank(each), ()) if is_beside(one, each))
        past = [one for one in beside if one.interval_end <= self._now]
        over = max(map(_END, spans), default=self._now)
        ranks = dict.fromkeys(rank(one) for span in spans for one in self._highest(span))
        equals = (one for each in ranks for one in self._of_rank[each])
        return dict.fromkeys([*past, *(one for one in equals if one.interval_end > self._now and one.interval_start < over)])

    def _highest(self, span: _Span) -> Iterator[DotInterval]:
        """Of one span those that nothing of it goes before: more than one when they contradict each other."""
        held = self._of_span[span]
        return takewhile(lambda one: rank(one) == rank(held[-1]), reversed(held))


def _leads_to(timeline: Timeline, begin: datetime, end: datetime) -> bool:
    """Whether the ramp leads through a place between two times."""
    place = bisect_left(timeline.anchors, begin, key=itemgetter(0))
    return place < len(timeline.anchors) and timeline.anchors[place][0] < end
