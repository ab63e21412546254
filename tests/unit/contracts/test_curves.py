"""The order of the points of a curve."""

from datetime import UTC, datetime
from itertools import permutations

from dotbus.contracts.curves import point_order
from dotbus.contracts.messages import TrajectoryPoint

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_of_points_at_one_time_one_without_a_number_comes_before_that_with_0() -> None:
    numbered = [TrajectoryPoint(target_at=AT, dop_mw=0.0, sequence_number=number, batch_uid="T1") for number in (None, 0, 1)]
    for order in permutations(numbered):
        assert sorted(order, key=point_order) == numbered
