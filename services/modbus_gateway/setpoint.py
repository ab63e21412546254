"""Set-point: what CAISO asks of a resource at one moment, from its DOTs and its trajectory. Pure; design section 6.

- A DOT is *in force* while its interval covers now (the end does not belong to it). Where several cover now, the one of the
  batch received last counts, then the higher revision: an exceptional dispatch replaces the five-minute DOT below it.
- An hourly pre-dispatch and five-minute DOTs are two schedules. Previous, next and ramp stay with the one that the DOT in force
  belongs to: a resource on five-minute DOTs does not ramp towards an hourly one.
- The *ramp* is linear through the target times (the middles) of the DOTs, of those that are in force at their own target.
  Before the first target and after the last one the nearest DOT is held: nothing says where the ramp comes from or goes to.
  While no DOT is in force there is no set-point.
- The *trajectory* is linear between DOPs ordered by target time, batch received, sequence number. Two points at one time are
  a step: from that time on the later one counts. After the last point its value is held; before the first there is none.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dotbus.contracts.messages import DotInterval, TrajectoryPoint

HOURLY = 1
"""batchType of an hourly pre-dispatch."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class RampPoint:
    """The ramp at one moment. `slope_mw_per_min` is 0 where it is held."""

    set_point_mw: float
    slope_mw_per_min: float


def in_force(intervals: Sequence[DotInterval], at: datetime) -> DotInterval | None:
    """The DOT whose interval covers a time, None when there is none."""
    covering = [interval for interval in intervals if interval.interval_start <= at < interval.interval_end]
    return max(covering, key=_precedence, default=None)


def previous_dot(intervals: Sequence[DotInterval], now: datetime) -> DotInterval | None:
    """The DOT whose interval ended last, None when none has ended."""
    past = [interval for interval in _same_schedule(intervals, now) if interval.interval_end <= now]
    return max(past, key=lambda interval: (interval.interval_end, _precedence(interval)), default=None)


def next_dot(intervals: Sequence[DotInterval], now: datetime) -> DotInterval | None:
    """The DOT whose interval begins next, None when none is ahead."""
    ahead = [interval for interval in _same_schedule(intervals, now) if interval.interval_start > now]
    first = min((interval.interval_start for interval in ahead), default=None)
    return max((i for i in ahead if i.interval_start == first), key=_precedence, default=None)


def ramp_now(intervals: Sequence[DotInterval], now: datetime) -> RampPoint | None:
    """The instantaneous set-point, None while no DOT is in force."""
    dot = in_force(intervals, now)
    if dot is None:
        return None
    schedule = _same_schedule(intervals, now)
    targets = {i.target_at: i.dot_mw for i in schedule if in_force(schedule, i.target_at) is i}
    times = sorted(targets)
    if not times:  # every target lies outside its own interval: there is no line to follow
        return RampPoint(dot.dot_mw, 0.0)
    after = bisect_right(times, now)
    if after in (0, len(times)):
        return RampPoint(targets[times[max(after - 1, 0)]], 0.0)
    begin, end = times[after - 1], times[after]
    value_mw = _between(begin, targets[begin], end, targets[end], now)
    return RampPoint(value_mw, (targets[end] - targets[begin]) * 60 / (end - begin).total_seconds())


def trajectory_now(points: Sequence[TrajectoryPoint], now: datetime) -> float | None:
    """The trajectory's megawatts, None before its first point."""
    curve = sorted(points, key=_curve_order)
    after = bisect_right(curve, now, key=lambda point: point.target_at)
    if after == 0:
        return None
    before = curve[after - 1]
    if after == len(curve):
        return before.dop_mw
    return _between(before.target_at, before.dop_mw, curve[after].target_at, curve[after].dop_mw, now)


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


def _same_schedule(intervals: Sequence[DotInterval], now: datetime) -> Sequence[DotInterval]:
    """The DOTs of the schedule, hourly or not, that the DOT in force belongs to; all while none is in force."""
    dot = in_force(intervals, now)
    if dot is None:
        return intervals
    return [interval for interval in intervals if (interval.batch_type == HOURLY) == (dot.batch_type == HOURLY)]


def _precedence(interval: DotInterval) -> tuple[datetime, int]:
    revision = interval.revision_no
    return interval.batch_received_at or _LONG_AGO, -1 if revision is None else revision


def _curve_order(point: TrajectoryPoint) -> tuple[datetime, datetime, int]:
    number = point.sequence_number
    return point.target_at, point.batch_received_at or _LONG_AGO, -1 if number is None else number


def _between(begin: datetime, begin_mw: float, end: datetime, end_mw: float, now: datetime) -> float:
    share = (now - begin) / (end - begin)
    value_mw = begin_mw * (1 - share) + end_mw * share
    return min(max(value_mw, min(begin_mw, end_mw)), max(begin_mw, end_mw))  # rounding must not leave the segment
