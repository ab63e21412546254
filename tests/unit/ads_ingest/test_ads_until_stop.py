"""Told to stop, the ingest waits for the question that is being asked, and for no other."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from ads_bench import MINUTE, T0, Bench, batch, timed_out, trajectory
from ads_fake import Trouble

from ads_ingest.caiso import Stopping
from ads_ingest.quarantine import QuarantineLog
from ads_ingest.service import FollowedStream, Loop
from caiso.ads.records import Question

OPERATIONS = (
    "getDispatchBatchesSinceUID",
    "getDispatchBatch",
    "getBatchHeader",
    "validateDispatchBatch",
    "isNewTrajData",
    "getTrajectoryData",
)


def stream_of(bench: Bench, name: str = "dispatch") -> FollowedStream:
    return FollowedStream(name, getattr(bench, name), QuarantineLog(bench.quarantine), clock=lambda: bench.now)


def turn(bench: Bench) -> list[FollowedStream]:
    """One turn of an account's loop, a while later."""
    streams = [stream_of(bench, "dispatch"), stream_of(bench, "trajectory")]
    clocks = {"clock": lambda: bench.now, "monotonic_s": lambda: bench.monotonic_s}
    bench.later(MINUTE)
    Loop(streams, 10.0, chance=lambda: 0.0, **clocks).turn(bench.told_to_stop)  # type: ignore[arg-type]
    return streams


def with_all_kinds_of_questions(bench: Bench) -> None:
    """Several of each: open batches, new ones, some that could not be had, a backlog, and what was not validated."""
    bench.ads.batches = [batch(n, at=T0 + 60 * MINUTE) for n in range(1, 4)]
    bench.ads.troubles["validateDispatchBatch", None] = bench.ads.troubles["getDispatchBatch", "B3"] = timed_out
    bench.round()
    bench.ads.troubles.clear()
    bench.round(timedelta(0))  # the round that passes without validations
    bench.ads.batches += [batch(n, at=T0 + 60 * MINUTE) for n in range(4, 7)]
    bench.ads.batches += [batch(n, at=T0 - 60 * MINUTE) for n in range(7, 10)]
    bench.ads.trajectories = [trajectory("T1", 0, (5, 10.0))]
    bench.ads.asked.clear()


def stopping_at(bench: Bench, operation: str) -> Callable[[Question], None]:
    return lambda question: bench.told_to_stop.set() if question.operation == operation else None


@pytest.mark.parametrize("answer", ["comes", "does not come"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_after_stop_no_further_question_begins(bench: Bench, operation: str, answer: str) -> None:
    with_all_kinds_of_questions(bench)
    bench.ads.on_question = stopping_at(bench, operation)
    if answer == "does not come":
        bench.ads.troubles[operation, None] = timed_out
    turn(bench)
    assert bench.ads.operations()[-1] == operation
    assert bench.ads.operations().count(operation) == 1, "the turn ends with the question that was being asked"


def test_what_was_had_before_stop_is_kept_and_the_rest_is_asked_for_after_the_next_start(bench: Bench) -> None:
    bench.ads.batches = [batch(n, at=T0 + n * 5 * MINUTE) for n in range(1, 4)]
    bench.ads.on_question = stopping_at(bench, "getDispatchBatch")
    turn(bench)
    assert {event.batch.batch_uid for event in bench.dispatches()} == {"B1"}
    bench.told_to_stop.clear()
    bench.ads.on_question = lambda _question: None
    bench.restart()
    turn(bench)
    assert [uid for uid, _mw in bench.dots()] == ["B1", "B2", "B3"]


def test_to_be_told_to_stop_is_no_failure_of_the_upstream(bench: Bench) -> None:
    stream = stream_of(bench)
    assert stream.follow()
    bench.told_to_stop.set()
    assert stream.follow()
    assert stream.health.snapshot().last_error is None
    with pytest.raises(Stopping):
        bench.dispatch.round()


def test_a_question_that_times_out_is_answered_by_nothing_and_ends_the_turn(bench: Bench) -> None:
    bench.ads.batches = [batch(n, at=T0 + 60 * MINUTE) for n in range(1, 41)]

    def silent(question: Question) -> Trouble:
        bench.told_to_stop.set()
        bench.later(timedelta(seconds=min(question.within_s, 30.0)))
        return timed_out(question)

    bench.ads.troubles["getDispatchBatch", None] = silent
    turn(bench)
    assert bench.now - T0 - MINUTE <= timedelta(seconds=30)
