"""Rounds of the trajectory stream."""

import re
from datetime import timedelta

import pytest
from ads_bench import MINUTE, T0, Bench, damaged, faulted, timed_out, trajectory

from ads_ingest.caiso import Unanswered
from ads_ingest.files.latest import TRAJECTORY_FILE
from caiso.ads.errors import AdsFailure
from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import TrajectoryBatch
from dotbus.setpoints.schedules import TrajectoryCurve


def test_trajectories_become_events_a_curve_and_a_cursor_of_their_own(bench: Bench) -> None:
    bench.ads.trajectories = [trajectory("T1", 0, (0, 10), (5, 20)), trajectory("T2", 1, (5, 25))]
    assert bench.trajectory.round() == Unanswered()
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
    assert bench.trajectory.round() == Unanswered()
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
    bench.later(timedelta(hours=1))
    bench.trajectory.round()
    bench.set_clock(-timedelta(hours=1))
    bench.trajectory.round()
    assert [question.batch_uid for question in bench.ads.asked[asked:]] == ["-1", "-1", "-1"]


def test_a_batch_that_this_software_cannot_pass_on_ends_neither_the_others_nor_the_stream(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    fold = TrajectoryCurve.with_batch

    def failing(entry: TrajectoryCurve, event: TrajectoryBatch) -> TrajectoryCurve:
        if event.batch.batch_uid == "T2":
            raise ZeroDivisionError
        return fold(entry, event)

    monkeypatch.setattr(TrajectoryCurve, "with_batch", failing)
    bench.ads.trajectories = [trajectory("T1", 0, (0, 10)), trajectory("T2", 1, (10, 20))]
    assert [failure.kind for failure in bench.trajectory.round().failures] == ["unforeseen"]
    assert [point.batch_uid for point in bench.curve().points] == ["T1"]
    assert (bench.curve().reasons, bench.curve("R2").reasons) == (("incomplete",), ())
    assert bench.outbox.cursors() == {"trajectory": "T2"}
    bench.later(MINUTE)
    assert len(bench.trajectory.round().missing) == 1
    bench.restart()
    bench.trajectory.round()
    assert bench.curve().reasons == ("incomplete",), "a restart makes it no better"
    bench.ads.trajectories.append(trajectory("T3", 2, (10, 30)))
    bench.trajectory.round()
    assert bench.curve().reasons == ("incomplete",), "until its first target time the older points count"
    bench.later(9 * MINUTE)
    assert bench.trajectory.round() == Unanswered()
    assert bench.curve().reasons == ()


def test_a_trajectory_state_says_until_when_it_counts_and_is_said_again_before(bench: Bench) -> None:
    bench.trajectory.round()
    for _ in range(20):
        bench.later(timedelta(seconds=10))
        bench.trajectory.round()
        state = bench.curve()
        assert state.valid_until == state.heard_at + timedelta(seconds=90)
        assert state.valid_until > bench.now + MINUTE


@pytest.mark.parametrize(("tag", "text"), [("dop", "1,5"), ("targetTime", "2026-03-01T12:05:00"), ("sequenceNumber", "one")])
def test_a_point_that_nobody_can_read_speaks_against_its_curve_until_a_newer_batch(bench: Bench, tag: str, text: str) -> None:
    uid, xml = trajectory("T1", 0, (5, 1.5), (10, 2.0))
    bench.ads.trajectories = [(uid, re.sub(f"<{tag}>[^<]*<", f"<{tag}>{text}<", xml, count=1))]
    unanswered = bench.trajectory.round()
    assert [failure.kind for failure in unanswered.failures] == ["unreadable"]
    assert f"T1-1: {tag} is '{text}'" in str(unanswered.missing[0])
    assert bench.curve().reasons == ("incomplete",)
    bench.ads.trajectories.append(trajectory("T2", 1, (5, 1.5)))
    bench.later(MINUTE)
    assert bench.trajectory.round().failures == ()
    is_anywhere = tag == "targetTime"
    assert bench.curve().reasons == (("incomplete",) if is_anywhere else ())
    bench.later(4 * MINUTE)
    bench.trajectory.round()
    assert bench.curve().reasons == (), "from its first target time on, nothing older is left"


NOTHING_NEWER = {
    "advisory": lambda xml: xml.replace("<dopList>", "<bindingFlag>N</bindingFlag><dopList>"),
    "older": lambda xml: re.sub("<batchReceived>[^<]*<", "<batchReceived>2026-03-01T11:00:00Z<", xml),
    "compliance only": lambda xml: re.sub(
        "<dopList>.*</dopList>",
        "<complianceList><trajectoryCompliance complianceUID='C'><resourceId>R1</resourceId>"
        "</trajectoryCompliance></complianceList>",
        xml,
        flags=re.DOTALL,
    ),
}


@pytest.mark.parametrize("what", NOTHING_NEWER)
def test_what_replaces_no_point_ends_no_doubt(bench: Bench, what: str) -> None:
    """A curve whose newest points nobody can read was good again as soon as CAISO said anything of its resource."""
    bench.ads.trajectories = [trajectory("T0", 0, (0, 100), (30, 100))]
    bench.trajectory.round()
    assert bench.curve().reasons == ()
    uid, xml = trajectory("T1", 1, (5, 200), (10, 300))
    bench.ads.trajectories.append((uid, re.sub("(<targetTime>[^<]*)(?:Z|[+-][0-9:]*)<", r"\1<", xml)))
    bench.trajectory.round()
    uid, xml = trajectory("T2", 2, (1, 400))
    changed = NOTHING_NEWER[what](xml)
    assert changed != xml
    bench.ads.trajectories.append((uid, changed))
    bench.later(2 * MINUTE)
    bench.trajectory.round()
    assert bench.curve().reasons == ("incomplete",)


def test_a_curve_that_an_unreadable_batch_replaced_does_not_come_back_after_its_last_target(bench: Bench) -> None:
    bench.ads.trajectories = [trajectory("T0", 0, (0, 100), (60, 100))]
    bench.trajectory.round()
    uid, xml = trajectory("T1", 1, (2, 300))
    bench.ads.trajectories.append((uid, xml.replace("<dop>300</dop>", "<dop>3OO</dop>")))
    for _ in range(30):
        bench.later(2 * MINUTE)
        bench.trajectory.round()
        assert bench.curve().reasons == ("incomplete",)


@pytest.mark.parametrize("lacking", ["<dop>1.5</dop>", "<targetTime>[^<]*</targetTime>", "(?<=<dop>)1.5"])
def test_a_point_that_lacks_what_every_point_has_speaks_against_its_curve(bench: Bench, lacking: str) -> None:
    uid, xml = trajectory("T1", 0, (5, 1.5), (10, 2.0))
    bench.ads.trajectories = [(uid, re.sub(lacking, "", xml, count=1))]
    assert "T1-1" in str(bench.trajectory.round().failures[0])
    assert bench.curve().reasons == ("incomplete",)


def test_a_batch_without_a_uid_speaks_against_the_curves_of_its_resources(bench: Bench) -> None:
    bench.ads.trajectories = [trajectory("T1", 0, (0, 1.5), (30, 2.0))]
    bench.trajectory.round()
    uid, xml = trajectory("T2", 1, (5, 99.0))
    bench.ads.trajectories.append((uid, xml.replace(" batchUID='T2'", "")))
    assert "without a UID" in str(bench.trajectory.round().failures[0])
    assert bench.curve().reasons == ("incomplete",)


def test_points_that_contradict_each_other_do_so_after_their_time_as_well(bench: Bench) -> None:
    uid, xml = trajectory("T1", 0, (1, 10.0), (1, 20.0), (30, 20.0))
    bench.ads.trajectories = [(uid, xml.replace("<sequenceNumber>2<", "<sequenceNumber>1<"))]
    for _ in range(3):
        bench.later(MINUTE)
        bench.trajectory.round()
        assert [point.dop_mw for point in bench.curve().points] == [10.0, 20.0, 20.0]


def test_a_point_without_a_uid_speaks_against_the_curve_of_its_resource(bench: Bench) -> None:
    uid, xml = trajectory("T1", 0, (5, 1.5), (10, 2.0))
    bench.ads.trajectories = [(uid, re.sub(" dopUID='[^']*'", "", xml, count=1))]
    assert "without a UID" in str(bench.trajectory.round().failures[0])
    assert bench.curve().reasons == ("incomplete",)


def test_what_was_answered_slowly_counts_as_of_when_it_was_asked_for(bench: Bench) -> None:
    bench.ads.on_question = lambda _question: bench.later(timedelta(seconds=25))
    bench.trajectory.round()
    assert bench.curve().heard_at == T0


def test_a_time_of_a_trajectory_batch_without_its_zone_speaks_against_its_curve_whose_age_it_tells(bench: Bench) -> None:
    uid, xml = trajectory("T1", 0, (5, 1.5), (10, 2.0))
    bench.ads.trajectories = [(uid, re.sub("<batchReceived>[^<]*<", "<batchReceived>2026-03-01T11:50:00<", xml))]
    assert [failure.kind for failure in bench.trajectory.round().failures] == ["unreadable"]
    assert bench.curve().reasons == ("incomplete",)


def test_a_cache_that_is_larger_than_the_bound_comes_in_parts_and_all_of_it_comes(bench: Bench) -> None:
    bench.max_reply_bytes = 4000
    bench.restart()
    bench.ads.trajectories = [trajectory(f"T{n}", n, *((n + k, float(k)) for k in range(5))) for n in range(20)]
    for _ in range(9):
        bench.round(MINUTE)
        assert bench.trajectory.round() == Unanswered()
    events = [decode_as(event.payload, TrajectoryBatch) for event in bench.outbox.between(1, 10**6, 10**6)]
    assert [event.batch.batch_uid for event in events] == [f"T{n}" for n in range(20)]
    assert bench.outbox.cursors()["trajectory"] == "T19"
