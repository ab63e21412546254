"""When the next request may begin."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caiso.oasis import CutShort, ErrorReply, HttpRefused, Malformed, OasisFailure, Throttled, TimedOut, Unreachable
from lmp_ingest.planning.patience import GIVEN_UP_PAUSE_S, MOST_PAUSE_S, Patience

NOW = datetime(2025, 9, 1, 18, tzinfo=UTC)
SPACING = timedelta(seconds=6)


def seconds_until(at: datetime) -> float:
    return (at - NOW).total_seconds()


def test_a_process_begins_as_if_a_request_had_just_been_made() -> None:
    assert Patience(SPACING, lambda: 0.0, NOW).not_before == NOW + SPACING


def test_spacing_is_from_start_to_start() -> None:
    patience = Patience(SPACING, lambda: 0.0, NOW)
    patience.asked(NOW + timedelta(seconds=10))

    assert patience.not_before == NOW + timedelta(seconds=16)


@pytest.mark.parametrize("failure", [Throttled("x"), Unreachable("x"), TimedOut("x"), HttpRefused(503)])
def test_everything_pauses_and_longer_each_time_when_caiso_as_a_whole_does_not_answer(failure: OasisFailure) -> None:
    patience = Patience(SPACING, lambda: 0.0, NOW)

    pauses_s = [seconds_until(patience.pause_after(failure, 1, NOW)) for _ in range(7)]

    assert pauses_s == [12, 24, 48, 96, 192, MOST_PAUSE_S, MOST_PAUSE_S]
    assert seconds_until(patience.not_before) == MOST_PAUSE_S


def test_an_answer_ends_the_growth_of_pauses() -> None:
    patience = Patience(SPACING, lambda: 0.0, NOW)
    patience.pause_after(Throttled("x"), 1, NOW)
    patience.answered()

    assert seconds_until(patience.pause_after(Throttled("x"), 1, NOW)) == 12


@pytest.mark.parametrize(
    ("failure", "failures", "pause_s"),
    [
        (Malformed("x"), 1, 12),
        (Malformed("x"), 3, 48),
        (CutShort("x"), 2, 24),
        (ErrorReply("1010", "system"), 1, 12),
        (ErrorReply("1020", "version"), 1, GIVEN_UP_PAUSE_S),
        (ErrorReply("1000", "no data"), 1, GIVEN_UP_PAUSE_S),
        (HttpRefused(404), 1, GIVEN_UP_PAUSE_S),
    ],
)
def test_a_question_that_failed_waits_while_the_others_go_on(failure: OasisFailure, failures: int, pause_s: float) -> None:
    patience = Patience(SPACING, lambda: 0.0, NOW)
    patience.asked(NOW)

    assert seconds_until(patience.pause_after(failure, failures, NOW)) == pause_s
    assert patience.not_before == NOW + SPACING


@given(st.floats(0, 1), st.sampled_from([Throttled("x"), Malformed("x")]), st.floats(0, 300))
def test_no_pause_is_shorter_than_the_spacing(jitter: float, failure: OasisFailure, spacing_s: float) -> None:
    patience = Patience(timedelta(seconds=spacing_s), lambda: jitter, NOW)

    assert seconds_until(patience.pause_after(failure, 1, NOW)) >= min(spacing_s, MOST_PAUSE_S / 2) - 1e-6
