from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caiso.clock_offset import AGREE_WITHIN_S
from caiso.http import _clock_offset_s

BEGAN_AT = datetime(2026, 10, 13, 12, 0, tzinfo=UTC)


def date_of(written_after_s: float, offset_s: float) -> str:
    """The Date of a server whose clock is so far from ours, written so long after we asked."""
    return format_datetime((BEGAN_AT + timedelta(seconds=written_after_s + offset_s)).replace(microsecond=0), usegmt=True)


@given(st.floats(-100, 100), st.floats(0, 1), st.floats(0, 1))
def test_a_prompt_reply_tells_the_difference_of_the_clocks_within_a_second(offset_s, took_s, share):
    measured_s = _clock_offset_s(date_of(took_s * share, offset_s), BEGAN_AT, took_s)
    assert measured_s == pytest.approx(offset_s, abs=1.0)


@given(st.floats(-100, 100), st.floats(1.01, 30), st.floats(0, 1))
def test_a_slow_reply_never_tells_more_than_the_difference_that_there_is(offset_s, took_s, share):
    measured_s = _clock_offset_s(date_of(took_s * share, offset_s), BEGAN_AT, took_s)
    assert measured_s is None or (abs(measured_s) <= abs(offset_s) + 1e-6 and measured_s * offset_s > 0)


@given(st.floats(-100, 100), st.floats(1.01, 30), st.floats(0, 1))
def test_a_slow_reply_never_shows_that_clocks_agree(offset_s, took_s, share):
    measured_s = _clock_offset_s(date_of(took_s * share, offset_s), BEGAN_AT, took_s)
    assert measured_s is None or abs(measured_s) > AGREE_WITHIN_S


@pytest.mark.parametrize("offset_s", [-60, 60])
def test_a_clock_that_is_a_minute_wrong_shows_in_a_slow_reply_too(offset_s):
    assert abs(_clock_offset_s(date_of(4, offset_s), BEGAN_AT, 8) or 0) > 50


@pytest.mark.parametrize(
    "date",
    [None, "", "soon", "Tue, 13 Oct 2026 12:00:00", "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -1200"],
)
def test_what_is_no_time_in_utc_tells_nothing(date):
    assert _clock_offset_s(date, BEGAN_AT, 0.1) is None


def test_a_clock_that_was_never_set_tells_how_wrong_it_is():
    assert _clock_offset_s("Thu, 01 Jan 1970 00:00:00 GMT", BEGAN_AT, 0.1) == pytest.approx(-BEGAN_AT.timestamp(), abs=1.0)
