"""Curve: what a trajectory says at one moment. Pure; design section 6.

It is linear between DOPs ordered by target time, batch received, sequence number. Two points at one time are a step: from that
time on the later one counts. After the last point its value is held; before the first there is none.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime

from dotbus.contracts.curves import PointOrder, point_order
from dotbus.contracts.messages import TrajectoryPoint


def trajectory_now(points: Sequence[TrajectoryPoint], now: datetime) -> float | None:
    """The trajectory's megawatts, None before its first point."""
    before, after = around(points, now)
    if before is None or after is None:
        return before.dop_mw if before else None
    return between_mw(before.target_at, before.dop_mw, after.target_at, after.dop_mw, now)


def around(points: Sequence[TrajectoryPoint], now: datetime) -> tuple[TrajectoryPoint | None, TrajectoryPoint | None]:
    """The points between which a moment is; None in place of the one before the first, and of the one after the last."""
    curve = sorted(points, key=point_order)
    after = bisect_right(curve, now, key=lambda point: point.target_at)
    return curve[after - 1] if after else None, curve[after] if after < len(curve) else None


def is_contested(points: Sequence[TrajectoryPoint]) -> bool:
    """Whether two points of one place in the curve differ: nobody can say which counts."""
    if len({point_order(point) for point in points}) == len(points):
        return False
    found: dict[PointOrder, float] = {}
    return any(found.setdefault(point_order(point), point.dop_mw) != point.dop_mw for point in points)


def ends_at(points: Sequence[TrajectoryPoint]) -> datetime:
    """The last target time of a curve that has points: after it nothing was said."""
    return max(point.target_at for point in points)


def between_mw(begin: datetime, begin_mw: float, end: datetime, end_mw: float, now: datetime) -> float:
    """The megawatts at a moment on the straight line between two."""
    share = (now - begin) / (end - begin)
    value_mw = begin_mw * (1 - share) + end_mw * share
    return min(max(value_mw, min(begin_mw, end_mw)), max(begin_mw, end_mw))  # rounding must not leave the segment
