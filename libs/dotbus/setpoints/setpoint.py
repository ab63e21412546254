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
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dotbus.contracts.messages import DotInterval
from dotbus.contracts.quality import Reason
from dotbus.setpoints.ramp import Ramp
from dotbus.setpoints.timeline import Timeline

RAMP_TOLERANCE: Final = 1e-6


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


def ramp_now(timeline: Timeline, now: datetime) -> RampPoint | None:
    """The instantaneous set-point, None while no DOT is in force."""
    dot, anchors = timeline.in_force(now), timeline.anchors
    if dot is None:
        return None
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
        is_whole=timeline.is_covered(begin_at, end_at),
        ramp=ramp,
    )


def against_dots(timeline: Timeline, used: Sequence[DotInterval]) -> list[Reason]:
    """What speaks against a value that is made of some DOTs of a timeline, whoever says them."""
    doubt = [Reason.INCOMPLETE] if timeline.contested.intersection(used) else []
    impossible = [Reason.INVALID] if any(not _is_within(interval) for interval in used) else []
    return [*doubt, *impossible]


def _is_within(dot: DotInterval) -> bool:
    """Whether a DOT is to be reached within its own interval."""
    return dot.interval_start <= dot.target_at <= dot.interval_end


def against_ramp(point: RampPoint, pmin_mw: float | None, pmax_mw: float | None, ramp_mw_per_min: float | None) -> list[Reason]:
    """What speaks against a set-point by the limits that are given, and by what is missing between its DOTs."""
    outside = [] if within(point.set_point_mw, pmin_mw, pmax_mw) else [Reason.OUT_OF_LIMITS]
    too_steep = ramp_mw_per_min is not None and abs(point.slope_mw_per_min) > ramp_mw_per_min * (1 + RAMP_TOLERANCE)
    steep = [Reason.OUT_OF_LIMITS] if too_steep else []
    bridged = [] if point.is_whole else [Reason.INCOMPLETE]
    return [*outside, *steep, *bridged]


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
