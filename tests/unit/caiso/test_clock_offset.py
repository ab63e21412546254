"""CAISO's clock is believed when its replies agree, and no reply is believed alone."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caiso.clock_offset import AGREE_WITHIN_S, FOR_LEAST_S, REPLIES_LEAST, ClockOffset

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIE_S = 40 * 3600.0
POLL_S = 5.0


@dataclass
class Caiso:
    """A server, our clock and an even one."""

    now: datetime = T0
    steady_s: float = 1000.0
    true_offset_s: float = 0.0
    offset: ClockOffset = field(init=False)

    def __post_init__(self) -> None:
        self.offset = ClockOffset(lambda: self.now, lambda: self.steady_s)

    def reply(self, lie_s: float = 0.0) -> float | None:
        """A reply after a while, whose Date may be wrong. Returns what is believed then."""
        self.now += timedelta(seconds=POLL_S)
        self.steady_s += POLL_S
        self.offset.note(self.true_offset_s + lie_s)
        return self.offset.seconds


@pytest.fixture
def caiso() -> Caiso:
    return Caiso()


def test_nothing_is_known_before_a_reply(caiso: Caiso) -> None:
    assert caiso.offset.seconds is None


@pytest.mark.parametrize("true_offset_s", [0.0, 90.0])
def test_one_lie_among_truths_is_not_believed(caiso: Caiso, true_offset_s: float) -> None:
    caiso.true_offset_s = true_offset_s
    caiso.reply()
    assert [caiso.reply(lie_s) for lie_s in (LIE_S, 0.0, -LIE_S, 0.0)] == pytest.approx([true_offset_s] * 4)


@given(st.lists(st.sampled_from([0.0, LIE_S, -LIE_S]), max_size=60))
def test_lies_that_do_not_last_are_not_believed_however_often_they_come(lies_s: list[float]) -> None:
    caiso = Caiso()
    caiso.reply()
    run, last_s = 0, 0.0
    for lie_s in lies_s:
        run = run + 1 if lie_s == last_s else 1
        last_s = lie_s
        believed_s = caiso.reply(lie_s)
        if lie_s and run >= REPLIES_LEAST:
            return  # several say the same for so long that it may be the truth
        assert believed_s == pytest.approx(0.0)


def test_what_several_replies_say_for_a_while_is_believed_and_the_truth_again_at_once(caiso: Caiso) -> None:
    caiso.reply()
    believed_s = [caiso.reply(LIE_S) for _ in range(4)]
    assert believed_s == pytest.approx([0.0, 0.0, LIE_S, LIE_S])
    assert FOR_LEAST_S == 2 * POLL_S
    assert caiso.reply() == pytest.approx(0.0), "it agrees with our clock"


def test_many_replies_in_a_moment_are_one_machine_s(caiso: Caiso) -> None:
    caiso.reply()
    for _ in range(100):
        caiso.offset.note(LIE_S)
    assert caiso.offset.seconds == pytest.approx(0.0)


def test_the_first_reply_is_believed_until_one_agrees_with_our_clock(caiso: Caiso) -> None:
    assert caiso.reply(LIE_S) == pytest.approx(LIE_S)
    assert caiso.reply() == pytest.approx(0.0)


@given(st.floats(-1e6, 1e6))
def test_when_our_clock_is_set_the_offset_follows_without_a_reply(step_s: float) -> None:
    caiso = Caiso()
    caiso.reply()
    caiso.now += timedelta(seconds=step_s)
    assert caiso.offset.seconds == pytest.approx(-step_s, abs=0.001)


@given(st.lists(st.floats(-0.9, 0.9), min_size=1, max_size=50), st.floats(-1000, 1000))
def test_what_a_date_leaves_open_changes_nothing(errors_s: list[float], true_offset_s: float) -> None:
    caiso = Caiso(true_offset_s=true_offset_s)
    caiso.reply()
    for error_s in errors_s:
        assert caiso.reply(error_s) == pytest.approx(true_offset_s, abs=AGREE_WITHIN_S)
