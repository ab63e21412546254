"""What CAISO listed and was not had is asked for by its name, whatever the list says afterwards and whoever was killed."""

from datetime import timedelta

import pytest
from ads_bench import MINUTE, Bench, batch, timed_out

QUESTION = ("getDispatchBatch", "B2")


@pytest.fixture
def unanswered(bench: Bench) -> Bench:
    """Of two batches the second cannot be had; the list begins behind the first, which is in force and has changed since."""
    bench.ads.batches = [batch(1), batch(2)]
    bench.ads.troubles[QUESTION] = timed_out
    assert len(bench.round()) == 1
    changed = bench.ads.batches.pop(0)
    changed.revision_no += 1
    bench.ads.batches.append(changed)
    return bench


def had(bench: Bench) -> set[str]:
    return {event.batch.batch_uid for event in bench.dispatches()}


def test_a_batch_that_the_list_names_no_more_is_had_after_a_restart(unanswered: Bench) -> None:
    unanswered.restart()
    del unanswered.ads.troubles[QUESTION]
    assert unanswered.round() == []
    assert had(unanswered) == {"B1", "B2"}


def test_it_is_had_after_its_interval_as_well(unanswered: Bench) -> None:
    unanswered.round(10 * MINUTE)
    unanswered.restart()
    del unanswered.ads.troubles[QUESTION]
    for _ in range(3):
        unanswered.round(MINUTE)
    assert had(unanswered) == {"B1", "B2"}
    assert unanswered.dispatch._publisher.missing == ()


def test_what_caiso_forgot_is_given_up_and_asked_for_no_more(unanswered: Bench) -> None:
    del unanswered.ads.troubles[QUESTION]
    unanswered.ads.batches = [each for each in unanswered.ads.batches if each.batch_uid != "B2"]
    for _ in range(30):
        unanswered.round(5 * MINUTE)
    assert unanswered.dispatch._publisher.missing == ()
    asked = len(unanswered.ads.asked)
    unanswered.round(timedelta(hours=1))
    assert "B2" not in {question.batch_uid for question in unanswered.ads.asked[asked:]}


def test_what_was_had_is_not_to_be_had(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.round(10 * MINUTE)
    assert bench.outbox.note("missing/dispatch") == "[]"
