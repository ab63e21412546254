"""Curves: the order of the points of a trajectory. The one place that says so."""

from datetime import UTC, datetime

from dotbus.contracts.messages import TrajectoryPoint

_LONG_AGO = datetime.min.replace(tzinfo=UTC)

PointOrder = tuple[datetime, datetime, int]


def point_order(point: TrajectoryPoint) -> PointOrder:
    """By target time, batch received, sequence number (specification, section 6); a point without a number comes before 0."""
    number = point.sequence_number
    return point.target_at, point.batch_received_at or _LONG_AGO, -1 if number is None else number
