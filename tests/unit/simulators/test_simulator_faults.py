"""Faults on demand meet the requests that they were ordered for, as often as they were ordered."""

import pytest

from simulators.faults import Asked, Faults, Pending
from simulators.oasis.disturbances import CONTENTS, ERRORS, PAGES, ZIPS


def test_a_fault_happens_as_often_as_ordered() -> None:
    faults = Faults()
    faults.add(Pending("oasis", "cut", 2))
    assert [faults.take(Asked("oasis")) for _ in range(3)] == ["cut", "cut", None]


def test_a_fault_of_one_service_leaves_the_other_alone() -> None:
    faults = Faults()
    faults.add(Pending("oasis", "cut", 1))
    assert faults.take(Asked("ads", "getDispatchBatch")) is None
    assert faults.take(Asked("oasis")) == "cut"


def test_a_fault_of_one_operation_waits_for_it() -> None:
    faults = Faults()
    faults.add(Pending("ads", "http_500", 1, "getTrajectoryData"))
    assert faults.take(Asked("ads", "getDispatchBatch")) is None
    assert faults.take(Asked("ads", "getTrajectoryData")) == "http_500"


@pytest.mark.parametrize(
    ("fault", "operation"),
    [("empty_trajectory", "getTrajectoryData"), ("wrong_gzip", "getDispatchBatch"), ("bomb", "getTrajectoryData")],
)
def test_a_fault_of_a_reply_waits_for_an_operation_that_has_such_a_reply(fault: str, operation: str) -> None:
    faults = Faults()
    faults.add(Pending("ads", fault, 1))
    assert faults.take(Asked("ads", "getBatchStatus")) is None
    assert faults.take(Asked("ads", operation)) == fault


@pytest.mark.parametrize("fault", [*CONTENTS, *ERRORS, "old_prices"])
def test_a_fault_of_prices_waits_for_a_request_for_prices(fault: str) -> None:
    faults = Faults()
    faults.add(Pending("oasis", fault, 2))
    asked = [Asked("oasis", name) for name in ("ATL_PNODE", "PRC_INTVL_LMP", "", "RTM_LMP_GRP")]
    assert [faults.take(each) for each in asked] == [None, fault, None, fault]


@pytest.mark.parametrize("fault", [*PAGES, *ZIPS, "cut", "timeout", "oversized"])
def test_a_fault_of_any_reply_of_oasis_meets_the_next(fault: str) -> None:
    faults = Faults()
    faults.add(Pending("oasis", fault, 1))
    assert faults.take(Asked("oasis", "ATL_PNODE")) == fault


def test_a_fault_of_one_report_leaves_the_others_alone() -> None:
    faults = Faults()
    faults.add(Pending("oasis", "nan", 1, "PRC_LMP"))
    assert faults.take(Asked("oasis", "PRC_INTVL_LMP")) is None
    assert faults.take(Asked("oasis", "PRC_LMP")) == "nan"


def test_faults_come_in_the_order_of_their_orders() -> None:
    faults = Faults()
    faults.add(Pending("ads", "cut", 1))
    faults.add(Pending("ads", "malformed", 1))
    assert [faults.take(Asked("ads", "getBatchStatus")) for _ in range(2)] == ["cut", "malformed"]


def test_zero_times_calls_a_fault_off() -> None:
    faults = Faults()
    faults.add(Pending("ads", "cut", 5))
    faults.add(Pending("ads", "cut", 0))
    assert faults.pending() == []


def test_a_fault_of_one_batch_or_one_client_waits_for_it() -> None:
    faults = Faults()
    faults.add(Pending("ads", "http_503", 1, "getBatchHeader", batch_uid="U"))
    faults.add(Pending("ads", "busy", 1, client="one"))
    asked = [Asked("ads", "getBatchHeader", "V", "two"), Asked("ads", "getBatchStatus", "U", "two")]
    assert [faults.take(each) for each in asked] == [None, None]
    assert faults.take(Asked("ads", "getBatchHeader", "U", "two")) == "http_503"
    assert faults.take(Asked("ads", "getBatchHeader", "U", "one")) == "busy"


def test_a_share_of_the_requests_meets_a_fault_the_same_ones_with_the_same_seed() -> None:
    def met(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add(Pending("ads", "http_503", None, "getBatchHeader", share=0.15))
        asked = [Asked("ads", name) for _ in range(1000) for name in ("getBatchHeader", "getDispatchBatch")]
        return [faults.take(each) is not None for each in asked]

    assert met(1) == met(1) != met(2)
    assert 100 < sum(met(1)[::2]) < 200
    assert not any(met(1)[1::2])


def test_other_operations_do_not_change_which_requests_a_share_meets() -> None:
    def met(others: int) -> list[bool]:
        faults = Faults()
        faults.add(Pending("ads", "http_503", None, share=0.5))
        return [_met_among(faults, others) for _ in range(50)]

    def _met_among(faults: Faults, others: int) -> bool:
        for _ in range(others):
            faults.take(Asked("ads", "getDispatchBatch"))
        return faults.take(Asked("ads", "getBatchHeader")) is not None

    assert met(0) == met(3)


def test_another_share_for_the_same_requests_replaces_it_and_zero_times_calls_it_off() -> None:
    faults = Faults()
    faults.add(Pending("ads", "http_503", None, "getBatchHeader", share=0.1))
    faults.add(Pending("ads", "http_503", None, "getDispatchBatch", share=0.3))
    faults.add(Pending("ads", "http_503", None, "getBatchHeader", share=0.2))
    assert [(each.operation, each.share) for each in faults.pending()] == [("getDispatchBatch", 0.3), ("getBatchHeader", 0.2)]
    faults.add(Pending("ads", "http_503", 0, "getBatchHeader"))
    assert [each.operation for each in faults.pending()] == ["getDispatchBatch"]
    faults.add(Pending("ads", "http_503", 0))
    assert faults.pending() == []


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_lies_between_none_and_all(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Faults().add(Pending("ads", "busy", None, share=share))


@pytest.mark.parametrize("order", [Pending("ads", "throttle", 1), Pending("modbus", "cut", 1), Pending("ads", "cut", -1)])
def test_an_order_that_makes_no_sense_is_refused(order: Pending) -> None:
    with pytest.raises(ValueError, match=r"no fault|times"):
        Faults().add(order)
