"""Known: the DOTs of one resource as they were known, stretch of time by stretch, folded from what CAISO told (pure)."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, pairwise
from typing import Final

from dotbus.contracts.instruction_times import times_of
from dotbus.contracts.messages import Dispatch, DotInterval
from dotbus.contracts.schedules import Schedule, of_schedule, schedules_of
from dotbus.setpoints.intervals import dot_intervals, is_undecided
from dotbus.setpoints.schedules import DotSchedule
from dotbus.setpoints.timeline import Timeline
from historian.api.calculated.dots_then import DotsThen
from historian.api.request.times import Range

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_FOR_EVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Known:
    """What was known of a schedule during a stretch of time.

    Attributes:
        during: the stretch.
        timeline: its DOTs: those that decide what is asked in the stretch, and maybe others.
        undecided: batches of them of which CAISO has not decided what stands.
        is_undecided: whether such a batch, with or without DOTs, is for this stretch.
    """

    during: Range
    timeline: Timeline
    undecided: frozenset[str]
    is_undecided: bool


def known_then(
    events: Sequence[Dispatch], schedule: Schedule, times: Range, go_on: Callable[[], None] = lambda: None
) -> Iterator[Known]:
    """As a gateway knew it at each moment: what its source had told by then, and of what was over the last alone.

    Args:
        events: every revision, in the order in which they were told.
        schedule: which one.
        times: the range.
        go_on: is called for each event and stretch; what it raises ends the work.
    """
    told, waiting = _Told(schedule), deque(events)
    doubts = _Doubts(_lives(events), schedule)
    ends = (each.interval_end for event in events for each in dot_intervals(event))
    for during in _stretches(times, chain((event.time for event in events), ends, _edges(events))):
        go_on()
        while waiting and waiting[0].time <= during.start:
            told.add(waiting.popleft())
            go_on()
        timeline = told.timeline(during)
        undecided = told.undecided.intersection(dot.batch_uid for dot in timeline.intervals)
        yield Known(during, timeline, frozenset(undecided), doubts.cover(during.start))


def known_now(
    events: Sequence[Dispatch], schedule: Schedule, times: Range, go_on: Callable[[], None] = lambda: None
) -> Iterator[Known]:
    """As everybody knows it today: all that CAISO has told, whenever it did."""
    entries: dict[str, DotSchedule] = {}
    for event in events:
        go_on()
        uid = event.batch.batch_uid
        entries[uid] = entries.get(uid, DotSchedule()).with_dispatch(event)
    timeline = Timeline(of_schedule(chain.from_iterable(entry.intervals for entry in entries.values()), schedule))
    last = [(event, _LONG_AGO, _FOR_EVER) for event, _, until in _lives(events) if until == _FOR_EVER]
    doubts = _Doubts(last, schedule)
    for during in _stretches(times, _edges(events)):
        go_on()
        yield Known(during, timeline, doubts.batches, doubts.cover(during.start))


class _Told:
    """What was told so far: the DOTs that follow from it, and the batches that are undecided."""

    def __init__(self, schedule: Schedule) -> None:
        self.undecided: set[str] = set()
        self._schedule = schedule
        self._entries: dict[str, DotSchedule] = {}
        self._newest: dict[str, int] = {}
        self._dots = {each: DotsThen() for each in Schedule}

    def add(self, event: Dispatch) -> None:
        """One revision more."""
        uid, revision = event.batch.batch_uid, event.batch.revision_no or 0
        before = self._entries.get(uid, DotSchedule())  # each by itself: a batch takes nothing from another one here
        self._entries[uid] = before.with_dispatch(event)
        self._replace(set(before.intervals), set(self._entries[uid].intervals))
        if revision >= self._newest.get(uid, revision):
            self._newest[uid] = revision
            (self.undecided.add if _is_doubt(event, self._schedule) else self.undecided.discard)(uid)

    def timeline(self, during: Range) -> Timeline:
        """The DOTs that decide what is asked in a stretch."""
        for dots in self._dots.values():
            dots.go_on(during.start)
        last = [dot for dots in self._dots.values() if (dot := dots.last())]
        return self._dots[self._schedule].timeline(during.end, last)

    def _replace(self, before: set[DotInterval], after: set[DotInterval]) -> None:
        for schedule, dots in self._dots.items():
            for dot in of_schedule(before - after, schedule):
                dots.remove(dot)
            for dot in of_schedule(after - before, schedule):
                dots.add(dot)


_Life = tuple[Dispatch, datetime, datetime]
"""An event, since when it was the newest of its batch, and until when."""


def _lives(events: Iterable[Dispatch]) -> Iterator[_Life]:
    newest: dict[str, Dispatch] = {}
    for event in events:
        known = newest.get(event.batch.batch_uid)
        if known is None or (event.batch.revision_no or 0) >= (known.batch.revision_no or 0):
            if known:
                yield known, known.time, event.time
            newest[event.batch.batch_uid] = event
    for event in newest.values():
        yield event, event.time, _FOR_EVER


class _Doubts:
    """When CAISO had left open what stands of a batch for that time."""

    def __init__(self, lives: Iterable[_Life], schedule: Schedule) -> None:
        doubtful = [life for life in lives if _is_doubt(life[0], schedule)]
        self.batches = frozenset(event.batch.batch_uid for event, _, _ in doubtful)
        self._begins: list[datetime] = []
        self._ends: list[datetime] = []
        for begin, end in sorted(self._times(doubtful)):
            if self._ends and begin <= self._ends[-1]:
                self._ends[-1] = max(end, self._ends[-1])
            else:
                self._begins.append(begin)
                self._ends.append(end)

    @staticmethod
    def _times(lives: Iterable[_Life]) -> Iterator[tuple[datetime, datetime]]:
        for event, since, until in lives:
            for span in _spans(event):
                begin, end = max(since, span.start), min(until, span.end)
                if begin < end:
                    yield begin, end

    def cover(self, moment: datetime) -> bool:
        """Whether one is for a moment."""
        begun = bisect_right(self._begins, moment)
        return begun > 0 and moment < self._ends[begun - 1]


def _is_doubt(event: Dispatch, schedule: Schedule) -> bool:
    return schedule in schedules_of(event.batch.batch_type) and is_undecided(event)


def _spans(event: Dispatch) -> Iterator[Range]:
    for instruction in event.instructions:
        if times := times_of(event.batch, instruction):
            yield Range(times.interval_start, times.interval_end)


def _edges(events: Iterable[Dispatch]) -> Iterator[datetime]:
    for event in events:
        if is_undecided(event):
            for span in _spans(event):
                yield from (span.start, span.end)


def _stretches(times: Range, cuts: Iterable[datetime]) -> Iterator[Range]:
    ends = sorted({times.start, times.end, *(at for at in cuts if times.start < at < times.end)})
    return (Range(begin, end) for begin, end in pairwise(ends))
