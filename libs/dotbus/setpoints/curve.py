"""Curve: what a trajectory says at one moment. Pure; design section 6.

It is linear between DOPs ordered by target time, batch received, sequence number. Two points at one time are a step: from that
time on the later one counts. After the last point its value is held; before the first there is none.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from dotbus.contracts.curves import point_order
from dotbus.contracts.messages import TrajectoryPoint
from dotbus.setpoints.ramp import Ramp

REMEMBERED: Final = 1536
"""Of how many curves the lines are kept: a gateway shows a thousand resources, and each has one curve most of the time."""
REMEMBERED_POINTS_MOST: Final = 128
"""Larger ones are rare, and would fill the memory: CAISO sends less than a hundred points."""


def trajectory_now(points: Sequence[TrajectoryPoint], now: datetime) -> float | None:
    """The trajectory's megawatts, None before its first point."""
    return line_of(points).at(now)


def around(points: Sequence[TrajectoryPoint], now: datetime) -> tuple[TrajectoryPoint | None, TrajectoryPoint | None]:
    """The points between which a moment is; None in place of the one before the first, and of the one after the last."""
    return line_of(points).around(now)


def is_contested(points: Sequence[TrajectoryPoint]) -> bool:
    """Whether two points of one place in the curve differ: nobody can say which counts."""
    return line_of(points).is_contested


def ends_at(points: Sequence[TrajectoryPoint]) -> datetime:
    """The last target time of a curve that has points: after it nothing was said."""
    return line_of(points).times[-1]


class Line:
    """The points of a curve in their order. Mostly the same curve is said again: so it is made once.

    Attributes:
        times: the target times in their order.
        is_contested: whether two points of one place in the curve differ.
    """

    def __init__(self, points: Sequence[TrajectoryPoint]) -> None:
        self._points = sorted(points, key=point_order)
        self.times = [point.target_at for point in self._points]
        said = {(point_order(point), point.dop_mw) for point in points}
        self.is_contested = len({order for order, _ in said}) < len(said)

    def around(self, now: datetime) -> tuple[TrajectoryPoint | None, TrajectoryPoint | None]:
        """The points between which a moment is, see `around`."""
        after = bisect_right(self.times, now)
        return self._points[after - 1] if after else None, self._points[after] if after < len(self._points) else None

    def at(self, now: datetime) -> float | None:
        """The megawatts at a moment, None before the first point."""
        before, after = self.around(now)
        if before is None or after is None:
            return before.dop_mw if before else None
        return Ramp(before.target_at, before.dop_mw, after.target_at, after.dop_mw).at(now)

    def next_turn(self, now: datetime) -> datetime | None:
        """When the next point comes after which it leads elsewhere."""
        past = bisect_right(self.times, now)
        return self.times[past] if past < len(self.times) else None


def line_of(points: Sequence[TrajectoryPoint]) -> Line:
    """The points in their order."""
    return _remembered(tuple(points)) if len(points) <= REMEMBERED_POINTS_MOST else Line(points)


_remembered = lru_cache(REMEMBERED)(Line)
