"""Known: the DOTs of one resource as they were known, stretch of time by stretch, folded from what CAISO told (pure)."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, pairwise
from typing import Final

from dotbus.contracts.instruction_times import times_of
from dotbus.contracts.messages import Dispatch, DotInterval
from dotbus.contracts.schedules import Schedule, of_schedule, schedules_of
from dotbus.setpoints.intervals import dot_intervals, is_undecided
from dotbus.setpoints.schedules import DotSchedule
from dotbus.setpoints.timeline import Timeline, timelines_of
from historian.api.asked.times import Range

PART: Final = timedelta(hours=4)
"""What is known now is put together for so long at a time: a timeline takes the square of the DOTs in it."""
BESIDE: Final = timedelta(hours=2)


@dataclass(frozen=True)
class Known:
    """What was known of a schedule during a stretch of time.

    Attributes:
        during: the stretch.
        timeline: its DOTs.
        undecided: batches of which CAISO has not decided what stands.
        is_undecided: whether one of them is for this stretch.
    """

    during: Range
    timeline: Timeline
    undecided: frozenset[str]
    is_undecided: bool


def known_then(events: Sequence[Dispatch], schedule: Schedule, times: Range) -> Iterator[Known]:
    """As a gateway knew it at each moment: what its source had told by then, and of what was over the last alone.

    Args:
        events: every revision, in the order in which they were told.
        schedule: which one.
        times: the range.
    """
    told = _Told(schedule)
    waiting = deque(events)
    ends = (each.interval_end for event in events for each in dot_intervals(event))
    cuts = chain((event.time for event in events), ends, _edges(events))
    for begin, end in _stretches(times, cuts):
        while waiting and waiting[0].time <= begin:
            told.add(waiting.popleft())
        yield told.known(DotSchedule(tuple(told.intervals())).pruned(begin).intervals, Range(begin, end))


def known_now(events: Iterable[Dispatch], schedule: Schedule, times: Range) -> Iterator[Known]:
    """As everybody knows it today: all that CAISO has told, whenever it did."""
    told, kept = _Told(schedule), list(events)
    for event in kept:
        told.add(event)
    intervals = list(told.intervals())
    for begin, end in _stretches(times, chain(_edges(kept), _every(PART, times))):
        yield told.known(_near(intervals, Range(begin, end)), Range(begin, end))


@dataclass
class _Told:
    """What was told so far: the DOTs that follow from it, and of each batch its newest revision."""

    schedule: Schedule
    entries: dict[str, DotSchedule] = field(default_factory=dict)
    newest: dict[str, Dispatch] = field(default_factory=dict)

    def add(self, event: Dispatch) -> None:
        """One revision more."""
        uid = event.batch.batch_uid  # each by itself: a batch takes nothing from another one here
        self.entries[uid] = self.entries.get(uid, DotSchedule()).with_dispatch(event)
        known = self.newest.get(uid)
        if known is None or (event.batch.revision_no or 0) >= (known.batch.revision_no or 0):
            self.newest[uid] = event

    def intervals(self) -> Iterator[DotInterval]:
        """The DOTs of every batch."""
        return chain.from_iterable(entry.intervals for entry in self.entries.values())

    def known(self, intervals: tuple[DotInterval, ...], during: Range) -> Known:
        """What that comes to during a stretch of time."""
        doubts = [event for event in self.newest.values() if self._is_doubt(event)]
        covers = any(span.start <= during.start < span.end for event in doubts for span in _spans(event))
        names = frozenset(event.batch.batch_uid for event in doubts)
        return Known(during, timelines_of(intervals)[self.schedule], names, covers)

    def _is_doubt(self, event: Dispatch) -> bool:
        return self.schedule in schedules_of(event.batch.batch_type) and is_undecided(event)


def _near(intervals: Sequence[DotInterval], during: Range) -> tuple[DotInterval, ...]:
    """The DOTs that can matter in a part of a range: those about it, and the next ones of each schedule before and after."""
    begin, end = during.start - BESIDE, during.end + BESIDE
    near = [one for one in intervals if one.interval_end > begin and one.interval_start < end]
    for schedule in Schedule:
        followed = of_schedule(intervals, schedule)
        before = max((one for one in followed if one.interval_end <= begin), key=lambda one: one.interval_end, default=None)
        after = min((one for one in followed if one.interval_start >= end), key=lambda one: one.interval_start, default=None)
        near += [one for one in (before, after) if one and one not in near]
    return tuple(near)


def _every(length: timedelta, times: Range) -> Iterator[datetime]:
    for number in range(1, -(-times.length // length)):
        yield times.start + number * length


def _spans(event: Dispatch) -> Iterator[Range]:
    for instruction in event.instructions:
        if times := times_of(event.batch, instruction):
            yield Range(times.interval_start, times.interval_end)


def _edges(events: Iterable[Dispatch]) -> Iterator[datetime]:
    for event in events:
        if is_undecided(event):
            for span in _spans(event):
                yield from (span.start, span.end)


def _stretches(times: Range, cuts: Iterable[datetime]) -> Iterator[tuple[datetime, datetime]]:
    return pairwise(sorted({times.start, times.end, *(at for at in cuts if times.start < at < times.end)}))
