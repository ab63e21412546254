"""A batch that CAISO took away before anybody could read it: what it may have replaced is in doubt as long as it may last."""

from datetime import timedelta

import pytest
from ads_bench import MINUTE, RECHECK, T0, Bench, batch, damaged, timed_out
from ads_fake import Trouble

QUESTION = ("getDispatchBatch", "B2")


def take_away(bench: Bench, batch_uid: str) -> None:
    """CAISO neither lists it nor answers for it any more."""
    bench.ads.batches = [each for each in bench.ads.batches if each.batch_uid != batch_uid]
    bench.ads.troubles.pop(("getDispatchBatch", batch_uid), None)


def unread(bench: Bench, trouble: Trouble, rounds: int) -> None:
    """B1 holds, and B2, which came later and may have replaced it, cannot be read."""
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches.append(batch(2, R1=99.0))
    bench.ads.troubles[QUESTION] = trouble
    for _ in range(rounds):
        bench.round(timedelta(seconds=10))
    assert bench.reasons() == ("incomplete",)


@pytest.mark.parametrize("trouble", [damaged, timed_out])
@pytest.mark.parametrize("rounds", [1, 6])
@pytest.mark.parametrize("restarts", [0, 1, 2])
def test_a_dot_behind_a_batch_that_caiso_forgot_unread_is_in_doubt_as_long_as_that_may_last(
    bench: Bench, trouble: Trouble, rounds: int, restarts: int
) -> None:
    unread(bench, trouble, rounds)
    take_away(bench, "B2")
    for _ in range(restarts):
        bench.restart()
        bench.round(timedelta(seconds=6))
    for _ in range(6):
        bench.round(timedelta(seconds=10))
        assert (bench.dots(), bench.reasons()) == ([("B1", 1.0)], ("incomplete",))
    bench.round(T0 + 5 * MINUTE - bench.now)
    assert bench.reasons() == (), "the time of both is over"


def test_a_dot_behind_a_batch_that_caiso_cancelled_unread_holds_again(bench: Bench) -> None:
    """A cancel takes all of a batch away, whatever it said: nothing of it is unknown any more."""
    unread(bench, damaged, 2)
    bench.ads.batches[1].status = 4
    bench.round(RECHECK)
    assert (bench.dots(), bench.reasons()) == ([("B1", 1.0)], ())
    assert [one.batch_uid for one in bench.dot().withdrawn] == ["B2"]


def test_a_dot_behind_a_batch_that_caiso_cancelled_and_revived_unread_is_in_doubt_again(bench: Bench) -> None:
    unread(bench, damaged, 2)
    bench.ads.batches[1].status = 4
    bench.round(RECHECK)
    bench.ads.batches[1].status, bench.ads.batches[1].revision_no = 1, 9
    for _ in range(2):
        bench.round(RECHECK)
        assert bench.reasons() == ("incomplete",)


@pytest.mark.parametrize("restarts", [0, 1])
def test_an_unread_revision_may_name_a_resource_that_the_one_before_did_not(bench: Bench, restarts: int) -> None:
    bench.ads.batches = [batch(1), batch(2, R1=2.0)]
    bench.round()
    assert (bench.dots("R2"), bench.reasons("R2")) == ([("B1", -1.0)], ())
    bench.ads.batches[1].revision_no = 2
    bench.ads.troubles[QUESTION] = damaged
    for _ in range(restarts):
        bench.round(RECHECK)
        bench.restart()
    for _ in range(2):
        bench.round(RECHECK)
        assert bench.reasons("R2") == ("incomplete",)
    bench.ads.troubles.clear()
    bench.round(RECHECK)
    assert (bench.dots("R2"), bench.reasons("R2")) == ([("B1", -1.0)], ())


def test_another_status_of_the_revision_that_was_read_names_nobody_else(bench: Bench) -> None:
    bench.ads.batches = [batch(1), batch(2, R1=2.0)]
    bench.round()
    bench.ads.batches[1].status = 5
    bench.ads.troubles[QUESTION] = damaged
    bench.round(RECHECK)
    assert (bench.reasons("R1"), bench.reasons("R2")) == (("incomplete",), ())
