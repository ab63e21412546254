"""What is new does not wait for what else is new and does not come."""

from dataclasses import replace
from datetime import timedelta

import pytest
from ads_bench import MINUTE, T0, Bench, batch

from ads_ingest.caiso import WITHIN_S
from ads_ingest.dispatch import TAKEN_FOR
from caiso.ads.errors import TimedOut
from caiso.ads.records import Question

TIMEOUT_S = 30.0


def test_new_batches_wait_a_few_seconds_for_one_whose_document_does_not_come_and_that_is_asked_again_with_more_then_all_of_it(
    bench: Bench,
) -> None:
    bench.ads.batches = [batch(1, R1=1.0)]
    bench.round()
    waited_s = {"B2": [], "B3": []}

    def slow(question: Question) -> TimedOut:
        within_s = min(question.within_s, TIMEOUT_S)
        waited_s[question.batch_uid].append(within_s)
        bench.later(timedelta(seconds=within_s))
        return TimedOut(question, f"no reply within {within_s:g} s")

    for uid in waited_s:
        bench.ads.troubles["getDispatchBatch", uid] = slow
    bench.ads.batches += [batch(number, at=T0 + 5 * MINUTE, R1=float(number)) for number in (2, 3, 4)]
    listed_at = bench.now
    bench.dispatch.round()
    had_at = next(event.time for event in bench.dispatches() if event.batch.batch_uid == "B4")
    assert had_at - listed_at == timedelta(seconds=4)
    for _ in range(8):
        bench.round(timedelta(seconds=10))
    more_s = [2.0, 3.0, 5.0, 15.0, TIMEOUT_S]
    assert {uid: each[:5] for uid, each in waited_s.items()} == dict.fromkeys(waited_s, more_s)


def test_a_long_list_of_what_does_not_come_keeps_neither_the_next_list_nor_trajectories_waiting(bench: Bench) -> None:
    def slow(question: Question) -> TimedOut:
        bench.later(timedelta(seconds=min(question.within_s, TIMEOUT_S)))
        return TimedOut(question, "no reply")

    bench.ads.batches = [batch(0)]
    bench.round()
    bench.ads.batches += [batch(number, at=T0 + 60 * MINUTE) for number in range(1, 101)]
    bench.ads.troubles["getDispatchBatch", None] = slow
    found = bench.dispatch.round()
    assert TAKEN_FOR.total_seconds() <= bench.monotonic_s <= TAKEN_FOR.total_seconds() + 2 * TIMEOUT_S
    assert found.again_at is not None
    assert found.again_at <= bench.now
    assert bench.reasons("R1") == ("incomplete",)
    del bench.ads.troubles["getDispatchBatch", None]
    for _ in range(4):
        bench.round(MINUTE)
    assert len({event.batch.batch_uid for event in bench.dispatches()}) == 101


def test_a_validation_has_little_time_at_first_because_what_is_new_waits_behind_it(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.ads.troubles["validateDispatchBatch", None] = lambda question: TimedOut(question, "no reply")
    for _ in range(40):
        bench.round(MINUTE)
    asked = [question.within_s for question in bench.ads.asked if question.operation == "validateDispatchBatch"]
    assert asked[: len(WITHIN_S)] == list(WITHIN_S)


@pytest.mark.parametrize(("silent_for", "is_heard"), [(30 * MINUTE, False), (timedelta(seconds=10), True)])
def test_after_a_silence_nothing_counts_as_heard_before_all_is_had_that_caiso_lists(
    bench: Bench, silent_for: timedelta, *, is_heard: bool
) -> None:
    bench.ads.batches = [batch(1, R1=1.0)]
    bench.round()
    begin, meanwhile = T0 + silent_for, []

    def look(question: Question) -> None:
        if (question.operation, question.batch_uid) == ("getDispatchBatch", "B3"):
            meanwhile.append(bench.dot())

    exceptional = replace(batch(3, at=begin, R1=50.0), batch_type=4)
    bench.ads.batches += [batch(2, at=begin, R1=2.0), exceptional]
    bench.ads.on_question = look
    bench.round(silent_for)
    (dot,) = meanwhile
    assert dot.intervals[-1].batch_uid == "B2"
    assert (dot.valid_until > bench.now) is is_heard, "it does not know of the exceptional dispatch"
    assert bench.dots()[-1] == ("B3", 50.0)
    assert bench.dot().valid_until > bench.now
