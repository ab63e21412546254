"""Rounds of the trajectory stream."""

from datetime import timedelta

import pytest
from ads_bench import T0, Bench, damaged, faulted, timed_out, trajectory

from ads_ingest.faults import AdsFailure
from ads_ingest.files import TRAJECTORY_FILE


def test_trajectories_become_events_a_curve_and_a_cursor_of_their_own(bench: Bench) -> None:
    bench.ads.trajectories = [trajectory("T1", 0, (0, 10), (5, 20)), trajectory("T2", 1, (5, 25))]
    assert bench.trajectory.round() == []
    curve = bench.curve()
    assert [(point.dop_mw, point.batch_uid) for point in curve.points] == [(10.0, "T1"), (25.0, "T2")]
    assert curve.latest
    assert curve.latest.dop_mw == 25.0
    assert bench.curve("R2").points == ()
    assert bench.outbox.cursors() == {"trajectory": "T2"}
    assert (bench.folder / "latest" / TRAJECTORY_FILE).exists()


def test_without_new_trajectories_none_are_fetched_and_it_is_said_that_caiso_was_heard(bench: Bench) -> None:
    bench.trajectory.round()
    assert bench.ads.operations() == ["isNewTrajData"]
    assert bench.curve().heard_at == T0
    assert bench.curve().received_at is None


def test_an_empty_trajectory_list_moves_no_cursor(bench: Bench) -> None:
    bench.ads.trajectories = [trajectory("T1", 0, (0, 10))]
    bench.trajectory.round()
    bench.ads.troubles["isNewTrajData", None] = lambda _q: (
        b"<E:Envelope xmlns:E='e'><E:Body><r><result>1</result></r></E:Body></E:Envelope>"
    )
    assert bench.trajectory.round() == []
    assert bench.outbox.cursors() == {"trajectory": "T1"}


def test_a_trajectory_cursor_that_caiso_forgot_is_replaced_and_doubles_nothing(bench: Bench) -> None:
    bench.ads.trajectories = [trajectory("T1", 0, (0, 10)), trajectory("T2", 1, (5, 20))]
    bench.trajectory.round()
    bench.outbox.commit(T0, cursors={"trajectory": "T0"})
    bench.restart()
    bench.trajectory.round()
    assert bench.outbox.cursors() == {"trajectory": "T2"}
    assert bench.outbox.span().last_seq == 2


@pytest.mark.parametrize("operation", ["isNewTrajData", "getTrajectoryData"])
@pytest.mark.parametrize("trouble", [timed_out, damaged, faulted])
def test_a_trajectory_that_cannot_be_had_says_nothing_and_is_asked_for_again(
    bench: Bench, operation: str, trouble: object
) -> None:
    bench.ads.trajectories = [trajectory("T1", 0, (0, 10))]
    bench.ads.troubles[operation, None] = trouble  # type: ignore[assignment]
    with pytest.raises(AdsFailure):
        bench.trajectory.round()
    assert bench.outbox.states() == {}
    bench.ads.troubles.clear()
    bench.trajectory.round()
    assert [point.dop_mw for point in bench.curve().points] == [10.0]


def test_a_restart_takes_up_the_curve(bench: Bench) -> None:
    bench.ads.trajectories = [trajectory("T1", 0, (0, 10), (5, 20))]
    bench.trajectory.round()
    bench.restart()
    bench.ads.trajectories.append(trajectory("T2", 1, (5, 25), (10, 30)))
    bench.trajectory.round()
    assert [point.dop_mw for point in bench.curve().points] == [10.0, 25.0, 30.0]


def test_a_trajectory_that_a_clock_ahead_took_for_past_comes_back(bench: Bench) -> None:
    asked = len(bench.ads.asked)
    bench.trajectory.round()
    bench.now += timedelta(hours=1)
    bench.trajectory.round()
    bench.now -= timedelta(hours=1)
    bench.trajectory.round()
    assert [question.batch_uid for question in bench.ads.asked[asked:]] == ["-1", "-1", "-1"]
