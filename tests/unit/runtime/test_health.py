"""An upstream's health remembers what matters and says when there is something new to log."""

from datetime import timedelta

from dotbus.runtime.health import UpstreamHealth
from dotbus.testing.samples import AT


def test_nothing_heard_yet_is_not_ok_and_has_no_times():
    upstream = UpstreamHealth("ads").snapshot()
    assert (upstream.ok, upstream.last_ok_at, upstream.last_error, upstream.failures_in_a_row) == (False, None, None, 0)


def test_a_cause_is_news_once_until_it_changes():
    health = UpstreamHealth("ads")
    assert health.failed(AT, "time-out")
    assert not health.failed(AT, "time-out")
    assert health.failed(AT, "fault")
    assert health.failures_in_a_row == 3


def test_a_recovery_is_news_once_and_makes_the_next_failure_news_again():
    health = UpstreamHealth("ads")
    health.failed(AT, "time-out")
    assert health.succeeded(AT)
    assert not health.succeeded(AT)
    assert health.failed(AT, "time-out")


def test_the_last_success_and_the_last_error_are_both_kept():
    health = UpstreamHealth("ads", lambda: 0.4)
    health.succeeded(AT)
    health.failed(AT + timedelta(seconds=5), "time-out")
    upstream = health.snapshot()
    assert (upstream.ok, upstream.last_ok_at, upstream.last_error, upstream.clock_offset_s) == (False, AT, "time-out", 0.4)


def test_the_clock_offset_is_that_of_the_moment_also_when_our_clock_was_set_since_the_last_answer():
    offset_s = 0.0
    health = UpstreamHealth("ads", lambda: offset_s)
    health.succeeded(AT)
    offset_s = -40.0
    assert health.snapshot().clock_offset_s == -40.0


def test_what_cannot_be_had_from_an_upstream_that_is_well_is_told_beside_it() -> None:
    health = UpstreamHealth("ads")
    health.succeeded(AT, complaints=["one batch"])
    told = health.snapshot()
    assert (told.ok, told.complaints, told.last_error, told.failures_in_a_row) == (True, ("one batch",), None, 0)
    health.succeeded(AT + timedelta(seconds=10))
    assert health.snapshot().complaints == ()
