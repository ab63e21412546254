"""CAISO continues from where a batch changed last, as the specification allows: what came before that is found all the same."""

import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from ads_bench import MINUTE, RECHECK, T0, Bench, batch, timed_out
from hypothesis import given, settings
from hypothesis import strategies as st

from ads_ingest.batches.passed_over import EVERY_RECHECKS
from caiso.ads.records import Question

POLL = timedelta(seconds=10)


def revised(bench: Bench, uid: str) -> None:
    """CAISO revises a batch, and has it behind all others from then on."""
    ads = bench.ads
    old = next(one for one in ads.batches if one.batch_uid == uid)
    ads.batches = [one for one in ads.batches if one is not old] + [replace(old, revision_no=(old.revision_no or 0) + 1)]


def asked(bench: Bench, operation: str) -> list[str]:
    return [question.batch_uid for question in bench.ads.asked if question.operation == operation]


def had(bench: Bench) -> set[str]:
    return {event.batch.batch_uid for event in bench.dispatches()}


def newest_had(bench: Bench) -> dict[str, int]:
    newest: dict[str, int] = {}
    for event in bench.dispatches():
        newest[event.batch.batch_uid] = max(newest.get(event.batch.batch_uid, 0), event.batch.revision_no or 0)
    return newest


def test_what_came_before_a_revision_of_our_last_batch_is_had_after_its_recheck(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches.append(batch(2, at=T0 + 5 * MINUTE))
    revised(bench, "B1")
    bench.round(RECHECK)
    bench.round(POLL)
    assert bench.dots() == [("B1", 1.0), ("B2", 2.0)]


def test_it_is_had_where_a_list_went_on_meanwhile_too(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches.append(batch(2, at=T0 + 5 * MINUTE))
    revised(bench, "B1")
    bench.ads.batches.append(batch(3, at=T0 + 10 * MINUTE))
    bench.round(POLL)
    assert bench.outbox.cursors()["dispatch"] == "B3"
    bench.round(RECHECK)
    bench.round(POLL)
    assert had(bench) == {"B1", "B2", "B3"}


def test_it_is_had_where_the_revision_came_between_the_list_and_the_document(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]

    def overtaken(question: Question) -> None:
        if question.operation == "getDispatchBatch" and len(bench.ads.batches) == 1:
            bench.ads.batches.append(batch(2, at=T0 + 5 * MINUTE))
            revised(bench, "B1")

    bench.ads.on_question = overtaken
    bench.round()
    bench.round(POLL)
    assert had(bench) == {"B1", "B2"}


def test_it_is_had_where_the_revision_came_while_the_process_was_down(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches.append(batch(2, at=T0 + 5 * MINUTE))
    revised(bench, "B1")
    bench.later(60 * MINUTE)  # nobody will ask for either of them again
    bench.restart()
    bench.round()
    assert had(bench) == {"B1", "B2"}


def test_a_revision_of_what_is_over_is_had_within_an_interval_where_a_later_one_hides_it(bench: Bench) -> None:
    bench.ads.batches = [batch(1), batch(2)]
    bench.round()
    for _ in range(20):
        bench.round(MINUTE)
    revised(bench, "B1")
    revised(bench, "B2")
    for _ in range(5):
        bench.round(MINUTE)
    assert newest_had(bench) == {"B1": 2, "B2": 2}


def test_after_a_restart_nothing_that_was_had_is_asked_for_again(bench: Bench) -> None:
    bench.ads.batches = [batch(n, at=T0 + (n - 100) * 5 * MINUTE) for n in range(100)]
    for _ in range(5):
        bench.round(POLL)
    bench.restart()
    bench.ads.asked.clear()
    bench.round()
    bench.round(POLL)
    assert asked(bench, "getDispatchBatchesSinceUID").count("-1") == 1
    assert set(asked(bench, "getDispatchBatch")) == {"B99"}, "whose interval lasts"


def test_all_is_asked_for_in_every_other_round_at_most_however_often_caiso_revises(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.asked.clear()
    for _ in range(30):
        revised(bench, "B1")
        bench.round(POLL)
    assert 1 <= asked(bench, "getDispatchBatchesSinceUID").count("-1") <= 15


def test_a_list_of_all_that_does_not_come_holds_nothing_new_up(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.troubles["getDispatchBatchesSinceUID", "-1"] = timed_out
    revised(bench, "B1")
    bench.round(RECHECK)
    bench.ads.batches.append(batch(2, at=T0 + 5 * MINUTE))
    bench.round(POLL)
    assert bench.dots() == [("B1", 1.0), ("B2", 2.0)]


STEP = st.sampled_from(["issue", "revise the last", "revise one before", "poll", "poll", "hour", "restart"])


@given(steps=st.lists(STEP, max_size=25))
@settings(max_examples=60, deadline=None)
def test_every_batch_is_had_whatever_changed_before_and_after_it(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        issued = 0
        for step in steps:
            match step:
                case "issue":
                    issued += 1
                    bench.ads.batches.append(batch(issued, at=bench.now))
                case "revise the last" if bench.ads.batches:
                    revised(bench, bench.ads.batches[-1].batch_uid)
                case "revise one before" if len(bench.ads.batches) > 1:
                    revised(bench, bench.ads.batches[-2].batch_uid)
                case "poll":
                    bench.round(POLL)
                case "hour":
                    bench.round(60 * MINUTE)
                case "restart":
                    bench.restart()
        for _ in range(12):
            bench.round(POLL)
        bench.round(EVERY_RECHECKS * RECHECK)
        bench.round(POLL)
        assert newest_had(bench) == {each.batch_uid: each.revision_no for each in bench.ads.batches}, steps
        bench.outbox.close()
