"""Set-point: what CAISO asks of a resource at one moment, from its DOTs. Pure; design section 6.

- A resource follows one *schedule*, five-minute DOTs or hourly ones, as its configuration says; the other one never stands in
  for it. An exceptional dispatch is of both.
- A DOT is *in force* while its interval covers now (the end does not belong to it). Where several cover now, the one of the
  batch received last counts, then the higher revision: an exceptional dispatch replaces the five-minute DOT below it.
- The *ramp* is linear through the target times (the middles) of the DOTs. Where others cut into an interval, so that its DOT is
  in force for a while without its target, that DOT is held for that while: the DOT in force always is one of the two between
  which the line runs. Before the first target and after the last one the nearest DOT is held: nothing says where the ramp
  comes from or goes to. While no DOT is in force there is no set-point. Where a DOT is missing between two targets the line is
  a guess.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from dotbus.contracts.messages import DotInterval
from dotbus.contracts.schedules import in_force, precedence
from modbus_gateway.values.motion import Ramp


@dataclass(frozen=True)
class RampPoint:
    """The ramp at one moment.

    Attributes:
        slope_mw_per_min: 0 where it is held.
        ramp: the line that it is on, None where it is held.
        through: the DOTs that it was made of, the one in force among them.
        is_whole: False where a DOT is missing between two of them.
    """

    set_point_mw: float
    slope_mw_per_min: float
    through: tuple[DotInterval, ...]
    is_whole: bool = True
    ramp: Ramp | None = None


def previous_dot(intervals: Sequence[DotInterval], now: datetime) -> DotInterval | None:
    """The DOT whose interval ended last, None when none has ended."""
    past = [interval for interval in intervals if interval.interval_end <= now]
    return max(past, key=lambda interval: (interval.interval_end, precedence(interval)), default=None)


def next_dot(intervals: Sequence[DotInterval], now: datetime) -> DotInterval | None:
    """The DOT whose interval begins next, None when none is ahead."""
    ahead = [interval for interval in intervals if interval.interval_start > now]
    first = min((interval.interval_start for interval in ahead), default=None)
    return max((i for i in ahead if i.interval_start == first), key=precedence, default=None)


def ramp_now(intervals: Sequence[DotInterval], now: datetime) -> RampPoint | None:
    """The instantaneous set-point, None while no DOT is in force."""
    dot = in_force(intervals, now)
    if dot is None:
        return None
    anchors = _anchors(intervals)
    after = bisect_right(anchors, now, key=lambda anchor: anchor[0])
    if after in (0, len(anchors)):
        return RampPoint(dot.dot_mw, 0.0, (dot,))
    (begin_at, begin), (end_at, end) = anchors[after - 1], anchors[after]
    length_min = (end_at - begin_at).total_seconds() / 60
    ramp = Ramp(begin_at, begin.dot_mw, end_at, end.dot_mw)
    return RampPoint(
        ramp.at(now),
        (end.dot_mw - begin.dot_mw) / length_min,
        (dot, begin, end),
        is_whole=_is_covered(intervals, begin_at, end_at),
        ramp=ramp,
    )


def _anchors(intervals: Sequence[DotInterval]) -> list[tuple[datetime, DotInterval]]:
    """What the ramp leads through: of each stretch of time its DOT at its target, or at both ends when that lies outside."""
    anchors = []
    for begin, end, dot in _stretches(intervals):
        times = (dot.target_at,) if begin <= dot.target_at < end else (begin, end)
        anchors += [(at, dot) for at in times]
    return anchors


def _stretches(intervals: Sequence[DotInterval]) -> list[tuple[datetime, datetime, DotInterval]]:
    """Begin, end and DOT of every time for which one DOT is in force without a break, in their order."""
    cuts = sorted({at for interval in intervals for at in (interval.interval_start, interval.interval_end)})
    stretches: list[tuple[datetime, datetime, DotInterval]] = []
    for begin, end in pairwise(cuts):
        dot = in_force(intervals, begin)
        if dot and stretches and stretches[-1][1:] == (begin, dot):
            stretches[-1] = (stretches[-1][0], end, dot)
        elif dot:
            stretches.append((begin, end, dot))
    return stretches


def turns_of(intervals: Iterable[DotInterval]) -> Iterator[datetime]:
    """When the passing of time alone changes which DOT is in force and between which two the ramp runs."""
    for interval in intervals:
        yield from (interval.interval_start, interval.target_at, interval.interval_end)


def must_follow(interval: DotInterval, *, variable: bool) -> bool | None:
    """Whether the resource has to produce its DOT; None when it is variable and CAISO does not say.

    A wind or solar plant may produce what its fuel gives except while CAISO instructs it. All others always follow.
    """
    return interval.must_follow if variable else True


def within(value_mw: float, pmin_mw: float | None, pmax_mw: float | None) -> bool:
    """Whether a value keeps the limits that are given."""
    return (pmin_mw is None or value_mw >= pmin_mw) and (pmax_mw is None or value_mw <= pmax_mw)


def clipped(value_mw: float, pmin_mw: float | None, pmax_mw: float | None) -> float:
    """The nearest value within the limits that are given."""
    if pmin_mw is not None and value_mw < pmin_mw:
        return pmin_mw
    return pmax_mw if pmax_mw is not None and value_mw > pmax_mw else value_mw


def _is_covered(intervals: Sequence[DotInterval], begin: datetime, end: datetime) -> bool:
    """Whether a DOT is in force at every moment between two times."""
    until = begin
    for interval in sorted(intervals, key=lambda interval: interval.interval_start):
        if interval.interval_start > until:
            break
        until = max(until, interval.interval_end)
    return until >= end
