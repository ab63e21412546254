"""Whoever waits for a session that stands still waits for a while, and no longer; others are left alone."""

from typing import Any

import pytest

from historian.api.pulse import Waits


class FakeTime:
    """Seconds that go on when a test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def cut() -> list[Any]:
    return []


@pytest.fixture
def waits(time: FakeTime, cut: list[Any]) -> Waits:
    return Waits(cut.append, time)


def test_a_wait_that_is_overdue_is_cut_and_one_that_is_not_goes_on(waits: Waits, time: FakeTime, cut: list[Any]):
    with waits.bounded("frozen", 5.0), waits.bounded("slow", 30.0):
        time.now_s += 6
        waits.end_overdue()

    assert cut == ["frozen"]


def test_a_wait_that_is_over_is_not_cut_for_whoever_has_the_connection_next(waits: Waits, time: FakeTime, cut: list[Any]):
    with waits.bounded("driver", 5.0):
        pass
    time.now_s += 6
    waits.end_overdue()

    assert cut == []


def test_a_wait_that_failed_is_over(waits: Waits, time: FakeTime, cut: list[Any]):
    with pytest.raises(OSError, match="gone"), waits.bounded("driver", 5.0):
        raise OSError("gone")
    time.now_s += 6
    waits.end_overdue()

    assert cut == []
