"""A CAISO that says nothing and answers: what it has is found, and a silence that lasts is told."""

from datetime import timedelta

import pytest
from ads_bench import MINUTE, T0, Bench, batch, timed_out, trajectory
from ads_replies import envelope, escaped, packed

from caiso.ads.records import Question


def forgetful(bench: Bench) -> None:
    """CAISO does not know our UID any more, and says that there is nothing new instead."""
    nothing = envelope("getDispatchBatchesSinceUID", escaped(b"<APIDispatchResponse/>"))
    whole = bench.ads._getDispatchBatchesSinceUID
    bench.ads.troubles["getDispatchBatchesSinceUID", None] = lambda question: (
        whole("-1") if question.batch_uid == "-1" else nothing
    )
    bench.ads.troubles["isNewTrajData", None] = lambda _question: envelope("isNewTrajData", "false")


def asked_for_all(bench: Bench) -> int:
    return bench.ads.asked.count(Question("getDispatchBatchesSinceUID", "-1"))


def test_batches_that_an_empty_list_leaves_out_are_found_within_an_interval(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    forgetful(bench)
    bench.ads.batches = [batch(2, at=T0 + 10 * MINUTE), batch(3, at=T0 + 15 * MINUTE)]
    bench.round(4 * MINUTE)
    assert len(bench.dispatches()) == 2
    bench.round(MINUTE)
    assert [event.batch.batch_uid for event in bench.dispatches()][2:] == ["B2", "B2", "B3", "B3"]


def test_trajectories_are_found_sooner_when_batches_say_that_there_must_be_some(bench: Bench) -> None:
    bench.ads.batches, bench.ads.trajectories = [batch(1)], [trajectory("T1", 0, (5, 1.0))]
    bench.round()
    bench.trajectory.round()
    forgetful(bench)
    bench.ads.batches = [batch(2, at=T0 + 5 * MINUTE)]
    bench.round(5 * MINUTE)
    bench.ads.trajectories = [trajectory("T2", 5, (10, 2.0))]
    bench.trajectory.round()
    assert bench.outbox.cursors()["trajectory"] == "T1", "not yet: they may come late"
    bench.later(MINUTE)
    bench.trajectory.round()
    assert bench.outbox.cursors()["trajectory"] == "T2"


def test_a_list_that_knows_our_last_uid_gives_nothing_twice(bench: Bench) -> None:
    bench.ads.batches = [batch(n, at=T0 + n * 5 * MINUTE) for n in range(-20, 1)]
    bench.round()
    before = bench.ads.operations().count("getDispatchBatch")
    bench.round(3 * MINUTE)
    bench.round(10 * MINUTE)
    assert asked_for_all(bench) == 2
    assert bench.ads.operations().count("getDispatchBatch") == before


def test_while_there_is_nothing_all_is_asked_for_each_five_minutes(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    for _ in range(6 * 60):
        bench.round(MINUTE)
    assert asked_for_all(bench) == 6 * 12


def test_a_look_that_fails_is_a_failure_and_no_silence_of_caiso(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.later(10 * MINUTE)
    bench.ads.troubles["getDispatchBatchesSinceUID", "-1"] = timed_out
    assert [failure.kind for failure in bench.dispatch.round().failures] == ["timed out"]
    assert bench.dot().heard_at == bench.now


def test_trajectories_that_caiso_denies_are_found_after_two_intervals(bench: Bench) -> None:
    bench.ads.trajectories = [trajectory("T1", 0, (5, 1.0))]
    bench.trajectory.round()
    forgetful(bench)
    bench.ads.trajectories = [trajectory("T2", 5, (10, 2.0))]
    bench.later(10 * MINUTE)
    bench.trajectory.round()
    assert bench.curve().latest is not None
    assert bench.curve().latest.batch_uid == "T2"
    assert bench.outbox.cursors()["trajectory"] == "T2"


def test_trajectories_that_caiso_says_it_has_and_does_not_name_are_found_after_two_intervals(bench: Bench) -> None:
    bench.ads.trajectories = [trajectory("T1", 0, (5, 10.0))]
    bench.trajectory.round()
    nothing = envelope("getTrajectoryData", packed(b"<APITrajectoryResponse><trajectoryBatchList/></APITrajectoryResponse>"))
    bench.ads.troubles["isNewTrajData", None] = lambda _question: envelope("isNewTrajData", "true")
    bench.ads.troubles["getTrajectoryData", "T1"] = lambda _question: nothing
    bench.ads.trajectories = [trajectory("T2", 5, (10, 20.0))]
    for _ in range(11):
        bench.later(MINUTE)
        bench.trajectory.round()
    assert {point.batch_uid for point in bench.curve().points} >= {"T2"}


@pytest.mark.parametrize(("minutes", "alarms"), [(19, ()), (20, ("no dispatch batch for 20 min, though CAISO answers",))])
def test_no_batch_for_long_although_caiso_answers_is_an_alarm(bench: Bench, minutes: int, alarms: tuple[str, ...]) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.later(timedelta(minutes=minutes))
    assert bench.dispatch.round().alarms == alarms
    bench.ads.batches.append(batch(2))
    assert bench.dispatch.round().alarms == ()
