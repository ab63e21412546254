"""An account that waits for an answer speaks against what the others say meanwhile, as far as it knows that there is more."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from ads_bench import RECHECK, timed_out, trajectory
from ads_two_accounts import Two

from caiso.ads.errors import TimedOut
from caiso.ads.records import Question
from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Trajectory

IN_DOUBT = ("incomplete",)
POLL = timedelta(seconds=10)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    made = Two(tmp_path)
    yield made
    made.outbox.close()


def held(two: Two, heard: Callable[[], None]) -> Callable[[Question], Exception]:
    """An answer that takes half a minute, while the other account asks on."""

    def hold(question: Question) -> Exception:
        for _ in range(3):
            two.round(POLL, ("west",))
            heard()
        return TimedOut(question, "no reply within 30 s")

    return hold


@pytest.mark.parametrize(("number", "revision"), [(1, 2), (2, 1)], ids=["a revision", "a new batch"])
def test_what_one_account_lists_and_waits_for_is_told_by_the_others_before_its_answer(two: Two, number: int, revision: int):
    for ads in two.ads.values():
        ads.batches = [two.batch(1, R1=10.0)]
    two.round()
    newer = two.batch(number, revision, R1=30.0)
    two.ads["east"].batches = [newer] if number == 1 else [*two.ads["east"].batches, newer]
    said = []
    hold = held(two, lambda: said.append(two.dot("R1").reasons))
    two.ads["east"].troubles["getDispatchBatch", newer.batch_uid] = hold
    two.round(RECHECK, ("east",))
    assert said == [IN_DOUBT] * 3


def test_a_new_batch_that_could_not_be_had_is_told_before_the_next_is_asked_for(two: Two) -> None:
    for ads in two.ads.values():
        ads.batches = [two.batch(1, R1=10.0)]
    two.round()
    east, said = two.ads["east"], []
    east.batches += [two.batch(2, R1=20.0), two.batch(3, R1=30.0)]
    east.troubles["getDispatchBatch", "B2"] = timed_out

    def looking(question: Question) -> Exception:
        said.append(two.dot("R1").reasons)
        return timed_out(question)  # type: ignore[return-value]

    east.troubles["getDispatchBatch", "B3"] = looking
    two.round(RECHECK, ("east",))
    assert said == [IN_DOUBT]


def test_trajectories_that_one_account_knows_of_and_waits_for_are_told_by_the_others(two: Two) -> None:
    for ads in two.ads.values():
        ads.trajectories = [trajectory("T1", 0, (60, 1.0))]
    two.round()
    two.ads["east"].trajectories.append(trajectory("T2", 1, (60, 2.0)))
    said = []

    def reasons() -> tuple[str, ...]:
        return decode_as(two.outbox.states()[two.topic("R1").replace("/dot", "/trajectory")], Trajectory).reasons

    two.ads["east"].troubles["getTrajectoryData", None] = held(two, lambda: said.append(reasons()))
    two.round(POLL, ("east",))
    assert said == [IN_DOUBT] * 3
    two.ads["east"].troubles.clear()
    two.round(POLL)
    assert reasons() == ()


def test_a_revision_that_was_known_before_a_restart_is_told_at_once_after_it(two: Two) -> None:
    for ads in two.ads.values():
        ads.batches = [two.batch(1, R1=10.0)]
    two.round()
    two.ads["east"].batches = [two.batch(1, 2, R1=30.0)]
    two.ads["east"].troubles["getDispatchBatch", "B1"] = timed_out
    two.round(RECHECK, ("east",))
    two.restart()
    for operation in ("getDispatchBatchesSinceUID", "getDispatchBatch", "getBatchHeader", "isNewTrajData"):
        two.ads["east"].troubles[operation, None] = timed_out
    for _ in range(3):
        two.round(timedelta(seconds=2), ("east", "west"))
        assert two.dot("R1").reasons == IN_DOUBT
