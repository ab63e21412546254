"""Curve: the trajectory between its points, and in which order they stand."""

import pytest
from gateway_story import at, point
from hypothesis import given
from hypothesis import strategies as st

from dotbus.setpoints.curve import trajectory_now


def test_the_trajectory_is_linear_and_held_after_its_last_point():
    curve = [point(0, 16), point(100, 12)]
    assert [trajectory_now(curve, at(s)) for s in (0, 50, 100, 5000)] == pytest.approx([16, 14, 12, 12])
    assert trajectory_now(curve, at(-1)) is None
    assert trajectory_now([], at(0)) is None


def test_two_points_at_one_time_are_a_step():
    curve = [point(0, 10), point(100, 20, number=1), point(100, 50, number=2), point(200, 60)]
    assert trajectory_now(curve, at(99.999)) == pytest.approx(20, abs=0.01)
    assert trajectory_now(curve, at(100)) == 50
    assert trajectory_now(curve, at(150)) == pytest.approx(55)


@given(st.permutations([point(0, 1), point(9, 2, batch_s=1), point(9, 3, batch_s=2), point(9, 4, batch_s=2, number=1)]))
def test_points_are_ordered_by_target_then_batch_then_number(curve):
    assert trajectory_now(curve, at(9)) == 4
