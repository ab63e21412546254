"""Back-off grows, ends at its limit, and never becomes a tight loop; and clocks do what is said of them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotbus.runtime.schedule import backoff_s, lasting_s


def test_no_failure_needs_no_pause():
    assert backoff_s(0, 1.0, 60.0, 0.0) == 0.0


def test_the_pause_doubles_up_to_the_limit():
    assert [backoff_s(n, 1.0, 10.0, 0.0) for n in range(1, 7)] == [1, 2, 4, 8, 10, 10]


@given(st.integers(1, 10**6), st.floats(0.1, 10), st.floats(10, 1000), st.floats(0, 1))
def test_after_any_failure_the_pause_is_between_half_the_first_and_the_most(failures, first_s, most_s, jitter):
    assert first_s / 2 <= backoff_s(failures, first_s, most_s, jitter) <= most_s


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux alone has two such clocks, of which one stands still")
def test_the_clock_that_lasts_goes_on_while_the_machine_sleeps():
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    now_s = lasting_s()
    assert before <= now_s <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_the_clock_that_lasts_never_goes_back():
    seen = [lasting_s() for _ in range(100)]
    assert seen == sorted(seen)
