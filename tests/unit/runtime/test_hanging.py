"""What may hang for ever keeps nobody waiting for longer than it may."""

import threading
from collections.abc import Iterator

import pytest
from waiting import eventually

from dotbus.runtime.hanging import HANG_MOST, Hangs, aside, hanging, in_time

CALLED = "hangs in a test"
IN_TIME_S = 10.0


@pytest.fixture
def answers() -> Iterator[threading.Event]:
    """What hangs does so until this is set."""
    event = threading.Event()
    yield event
    event.set()
    eventually(lambda: not hanging(CALLED))


def test_what_an_act_returns_or_raises_in_time_is_given():
    assert in_time(lambda: 7, CALLED, IN_TIME_S) == 7
    with pytest.raises(ZeroDivisionError):
        in_time(lambda: 1 // 0, CALLED, IN_TIME_S)


def test_a_time_out_of_the_act_itself_is_not_taken_for_one_that_hangs():
    def late() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        in_time(late, CALLED, IN_TIME_S)


def test_an_act_that_hangs_is_left_alone_and_told(answers: threading.Event):
    with pytest.raises(Hangs, match=r"nothing came within 0\.01 s"):
        in_time(answers.wait, CALLED, 0.01)
    assert hanging(CALLED) == 1


def test_only_so_many_hang_at_once(answers: threading.Event):
    begun = [aside(lambda: answers.wait() and None, CALLED) for _ in range(HANG_MOST + 1)]
    assert begun == [*[True] * HANG_MOST, False]
    with pytest.raises(Hangs, match="attempts before hang still"):
        in_time(answers.wait, CALLED, IN_TIME_S)
