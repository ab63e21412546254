"""Since when a state counts: as long as CAISO said that the batches in it hold, and a ramp needs the one before them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from ads_bench import MINUTE, RECHECK, T0, Bench, batch, faulted
from ads_fake import Trouble

from caiso.ads.errors import HttpRefused, TimedOut
from caiso.ads.records import Question
from dotbus.contracts.messages import Dot

POLL, STALE_AFTER = timedelta(seconds=10), timedelta(seconds=90)
END = T0 + 5 * MINUTE


def refused(question: Question) -> Trouble:
    return HttpRefused(question, "status 503")


def quick(_bench: Bench) -> Callable[[Question], Trouble]:
    return refused


def slow(bench: Bench) -> Callable[[Question], Trouble]:
    def trouble(question: Question) -> Trouble:
        bench.later(timedelta(seconds=30))
        return TimedOut(question, "no reply within 30 s")

    return trouble


def past_reasons(bench: Bench, resource: str = "R1") -> dict[str, tuple[str, ...]]:
    return {one.batch_uid: one.reasons for one in bench.dot(resource).intervals if one.interval_end <= bench.now}


def cancel(bench: Bench, n: int) -> None:
    bench.ads.batches[n].revision_no, bench.ads.batches[n].status = bench.ads.batches[n].revision_no + 1, 4


def test_a_state_is_no_younger_than_caiso_s_last_word_on_any_batch_in_it(bench: Bench) -> None:
    bench.ads.batches = [batch(1, R1=1.0)]
    bench.round()
    bench.ads.batches.append(batch(2, at=END, R1=2.0, R2=3.0))
    bench.round(2 * POLL)
    assert bench.dot().heard_at == T0, "for all that is known the first is cancelled since"
    assert bench.dot("R2").heard_at == bench.now, "which says nothing of others"
    bench.round(POLL)
    bench.round(2 * POLL)
    assert bench.dot().heard_at == T0 + RECHECK
    assert bench.dot().valid_until == T0 + RECHECK + STALE_AFTER


def test_batches_that_are_confirmed_one_after_the_other_do_not_make_a_state_be_said_more_often(bench: Bench) -> None:
    for n in range(1, 4):
        bench.ads.batches.append(batch(n, at=T0 + 60 * MINUTE))
        bench.round(POLL)
    said = []
    for _ in range(30):
        bench.round(POLL)
        said.append(bench.dot().time)
        assert bench.now - bench.dot().heard_at <= timedelta(seconds=60)
    assert len(set(said)) <= 11


@pytest.mark.parametrize("trouble", [quick, slow])
@pytest.mark.parametrize("begins_in", [0 * MINUTE, 60 * MINUTE], ids=["in force", "to come"])
def test_a_batch_that_is_not_confirmed_makes_its_own_dots_incomplete_before_they_are_stale_and_no_other(
    bench: Bench, trouble: Callable[[Bench], Callable[[Question], Trouble]], begins_in: timedelta
) -> None:
    bench.ads.batches = [batch(1, at=T0 + begins_in, R1=1.0), batch(2, at=T0 + begins_in, R2=2.0)]
    bench.round()
    bench.ads.troubles["getBatchHeader", "B1"] = trouble(bench)
    for _ in range(20):
        bench.round(POLL)
        for resource in ("R1", "R2"):
            assert bench.now - bench.dot(resource).heard_at < STALE_AFTER
        assert doubts(bench.dot("R2")) == {()}
    assert doubts(bench.dot("R1")) == {("incomplete",)}


def doubts(dot: Dot) -> set[tuple[str, ...]]:
    """The reasons of each DOT of a state, its own and the state's."""
    return {dot.reasons or one.reasons for one in dot.intervals}


def test_what_is_in_doubt_is_told_before_a_question_that_failed_is_asked_again(bench: Bench) -> None:
    bench.ads.batches = [batch(1, at=T0 + 60 * MINUTE)]
    bench.round()
    bench.ads.troubles["getBatchHeader", "B1"] = refused
    bench.round(RECHECK)
    seen = []

    def looking(question: Question) -> Trouble:
        seen.append(doubts(bench.dot()))
        return refused(question)

    bench.ads.troubles["getBatchHeader", "B1"] = looking
    bench.round(timedelta(seconds=31))
    assert seen == [{("incomplete",)}]


def test_a_time_out_does_not_take_back_that_caiso_does_not_know_a_batch_any_more(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.troubles["getBatchHeader", "B1"] = bench.ads.troubles["getDispatchBatch", "B1"] = faulted
    bench.round(RECHECK)
    bench.ads.troubles["getBatchHeader", "B1"] = refused
    bench.round(POLL)
    assert bench.reasons() == ("incomplete",)


def test_a_cancel_in_the_list_counts_before_any_document_is_asked_for(bench: Bench) -> None:
    bench.ads.batches = [batch(9, at=T0 + 60 * MINUTE, R2=9.0), batch(1, R1=1.0)]
    bench.ads.troubles["getDispatchBatch", "B9"] = refused
    bench.round()
    cancel(bench, 1)
    bench.ads.batches.insert(1, batch(2, R2=2.0))
    seen = []

    def looking(question: Question) -> Trouble:
        seen.append(bench.dots("R1"))
        return refused(question)

    bench.ads.troubles["getDispatchBatch", "B2"] = looking
    bench.round(timedelta(seconds=1))
    assert seen == [[]]


def test_a_batch_that_is_over_is_asked_for_until_caiso_confirmed_it_once_and_never_again(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.troubles["getBatchHeader", "B1"] = refused
    bench.round(END - T0)
    assert bench.ads.operations().count("getBatchHeader") == 1
    bench.ads.troubles.clear()
    for _ in range(5):
        bench.round(RECHECK)
    assert bench.ads.operations().count("getBatchHeader") == 2


def test_confirmed_at_the_end_of_its_interval_is_not_confirmed_after_it_by_every_clock(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.round(END - T0 + timedelta(seconds=1))
    bench.round(RECHECK)
    assert bench.ads.operations().count("getBatchHeader") == 2


def test_a_dot_that_was_cancelled_at_the_end_of_its_interval_leaves_the_state_when_that_is_heard(bench: Bench) -> None:
    """A ramp would begin at it."""
    bench.ads.batches = [batch(1), batch(2, at=END)]
    bench.round()
    cancel(bench, 0)
    bench.round(6 * MINUTE)
    assert bench.dots() == [("B2", 2.0)]


def test_a_past_dot_that_caiso_has_not_confirmed_is_in_doubt_by_itself_until_it_does(bench: Bench) -> None:
    bench.ads.batches = [batch(1), batch(2, at=END)]
    bench.round()
    bench.ads.troubles["getBatchHeader", "B1"] = refused
    for _ in range(6):
        bench.round(MINUTE)
    assert (bench.reasons(), past_reasons(bench)) == ((), {"B1": ("incomplete",)})
    assert bench.dot().intervals[-1].reasons == ()
    bench.restart()
    bench.round(POLL)
    assert (bench.reasons(), past_reasons(bench)) == ((), {"B1": ("incomplete",)}), "a restart makes it no better"
    bench.ads.troubles.clear()
    bench.round(POLL)
    assert past_reasons(bench) == {"B1": ()}


def test_a_past_dot_that_caiso_never_decided_stays_in_doubt(bench: Bench) -> None:
    bench.ads.batches = [batch(1, R1=1.0), batch(2, at=END)]
    bench.ads.batches[0].status = 5
    bench.round()
    assert bench.reasons() == ("incomplete",)
    bench.round(6 * MINUTE)
    assert (bench.reasons(), past_reasons(bench)) == ((), {"B1": ("incomplete",)})


def test_a_batch_that_is_over_keeps_none_waiting_that_is_not(bench: Bench) -> None:
    bench.ads.batches = [batch(1), batch(2, at=END)]
    bench.round()
    bench.round(6 * MINUTE)
    headers = [question.batch_uid for question in bench.ads.asked if question.operation == "getBatchHeader"]
    assert headers == ["B2", "B1"]


def test_an_ingest_that_knows_nothing_says_no_state_before_it_has_asked_for_all_that_caiso_lists(bench: Bench) -> None:
    """Made of the first batch alone it would pass for all that holds, and end what a gateway knows of the second."""
    said: list[int] = []

    def fails(question: Question) -> Trouble:
        said.append(len(bench.outbox.states()))
        return refused(question)

    bench.ads.batches = [batch(1, R1=40.0), batch(2, R1=5.0)]
    bench.ads.troubles["getDispatchBatch", "B2"] = fails
    bench.round()
    assert said == [0]
    assert (bench.dots(), bench.reasons()) == ([("B1", 40.0)], ("incomplete",)), "what could not be had may replace the other"
    del bench.ads.troubles["getDispatchBatch", "B2"]
    bench.round(POLL)
    assert (bench.dots(), bench.reasons()) == ([("B1", 40.0), ("B2", 5.0)], ())


def test_when_looking_through_takes_long_the_states_say_meanwhile_that_they_are_incomplete(bench: Bench) -> None:
    said: list[list[tuple[str, ...]]] = []

    def late(question: Question) -> Trouble:
        said.append([bench.reasons()] if bench.outbox.states() else [])
        bench.later(timedelta(seconds=6))
        return refused(question)

    bench.ads.batches = [batch(1, R1=40.0), batch(2, R1=5.0), batch(3, R1=7.0), batch(4, R1=8.0)]
    bench.ads.troubles |= {("getDispatchBatch", uid): late for uid in ("B2", "B4")}
    bench.round()
    assert said[:2] == [[], [("incomplete",)]]


def test_a_restart_while_an_ingest_looks_through_what_caiso_lists_begins_it_anew(bench: Bench) -> None:
    def dies(_question: Question) -> Trouble:
        raise KeyboardInterrupt

    bench.ads.batches = [batch(1, R1=40.0), batch(2, R1=5.0)]
    bench.ads.troubles["getDispatchBatch", "B2"] = dies
    with pytest.raises(KeyboardInterrupt):
        bench.round()
    bench.ads.troubles.clear()
    bench.restart()
    bench.round()
    assert bench.dots() == [("B1", 40.0), ("B2", 5.0)]
    assert len(bench.dispatches()) == 2, "each event once"
