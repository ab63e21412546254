"""Faults on demand meet the requests that they were ordered for, as often as they were ordered."""

import pytest

from simulators.faults import Faults, Pending


def test_a_fault_happens_as_often_as_ordered() -> None:
    faults = Faults()
    faults.add(Pending("oasis", "cut", 2))
    assert [faults.take("oasis") for _ in range(3)] == ["cut", "cut", None]


def test_a_fault_of_one_service_leaves_the_other_alone() -> None:
    faults = Faults()
    faults.add(Pending("oasis", "cut", 1))
    assert faults.take("ads", "getDispatchBatch") is None
    assert faults.take("oasis") == "cut"


def test_a_fault_of_one_operation_waits_for_it() -> None:
    faults = Faults()
    faults.add(Pending("ads", "http_500", 1, "getTrajectoryData"))
    assert faults.take("ads", "getDispatchBatch") is None
    assert faults.take("ads", "getTrajectoryData") == "http_500"


@pytest.mark.parametrize(
    ("fault", "operation"),
    [("empty_trajectory", "getTrajectoryData"), ("wrong_gzip", "getDispatchBatch"), ("bomb", "getTrajectoryData")],
)
def test_a_fault_of_a_reply_waits_for_an_operation_that_has_such_a_reply(fault: str, operation: str) -> None:
    faults = Faults()
    faults.add(Pending("ads", fault, 1))
    assert faults.take("ads", "getBatchStatus") is None
    assert faults.take("ads", operation) == fault


def test_faults_come_in_the_order_of_their_orders() -> None:
    faults = Faults()
    faults.add(Pending("ads", "cut", 1))
    faults.add(Pending("ads", "malformed", 1))
    assert [faults.take("ads", "getBatchStatus") for _ in range(2)] == ["cut", "malformed"]


def test_zero_times_calls_a_fault_off() -> None:
    faults = Faults()
    faults.add(Pending("ads", "cut", 5))
    faults.add(Pending("ads", "cut", 0))
    assert faults.pending() == []


@pytest.mark.parametrize("order", [Pending("ads", "throttle", 1), Pending("modbus", "cut", 1), Pending("ads", "cut", -1)])
def test_an_order_that_makes_no_sense_is_refused(order: Pending) -> None:
    with pytest.raises(ValueError, match=r"no fault|times"):
        Faults().add(order)
