"""The check's own arithmetic, against numbers worked out by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from dotbus.contracts.schedules import Schedule
from launcher.look.comparison import (
    Line,
    assembled,
    dop_batches,
    dot_in_force,
    dot_points,
    holds_mw,
    is_enough,
    latest_dop,
    moments_around,
    range_on_lines,
)
from launcher.look.sent import Sent, SentBatch, SentDop, SentInstruction, SentTrajectory

T0 = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def batch(start_s: float, dot_mw: float, **changes) -> SentBatch:
    instruction = SentInstruction(instruction_uid=f"I{start_s}", resource_id="R", dot_mw=dot_mw, target_at=at(start_s + 150))
    facts = {"batch_uid": f"B{start_s}", "revision_no": 1, "batch_status": 1, "batch_type": 0, "interval_s": 300.0}
    return SentBatch(
        **(facts | {"start_at": at(start_s), "received_at": at(start_s - 150), "instructions": (instruction,)} | changes)
    )


def trajectory(received_s: float, *points: tuple[float, int, float]) -> SentTrajectory:
    dops = tuple(
        SentDop(dop_uid=f"D{received_s}-{i}", resource_id="R", target_at=at(when_s), sequence_number=number, dop_mw=power_mw)
        for i, (when_s, number, power_mw) in enumerate(points)
    )
    return SentTrajectory(batch_uid=f"T{received_s}", received_at=at(received_s), dops=dops)


SENT = Sent(
    batches=(batch(0, 10.0), batch(300, 40.0), batch(600, 99.0, batch_status=4), batch(600, 7.0, batch_type=2)),
    trajectories=(
        trajectory(-150, (0, 1, 8.0), (150, 1, 10.0), (300, 1, 20.0)),
        trajectory(150, (300, 1, 25.0), (300, 2, 30.0), (450, 1, 40.0)),
    ),
)


def test_the_dot_of_an_interval_is_the_five_minute_one_that_was_not_cancelled():
    assert dot_in_force(SENT, "R", Schedule.FIVE_MINUTE, at(300), [at(301)]).dot_mw == 40.0
    assert dot_in_force(SENT, "R", Schedule.FIVE_MINUTE, at(600), [at(601)]) is None
    assert dot_in_force(SENT, "other", Schedule.FIVE_MINUTE, at(300), [at(301)]) is None
    assert dot_in_force(SENT, "R", Schedule.FIVE_MINUTE, None, [at(301)]) is None


@pytest.mark.parametrize(("now_s", "dot_mw"), [(298, None), (299, 40.0), (599.9, 40.0), (601, 40.0), (602, None), (7200, None)])
def test_a_register_that_shows_an_interval_that_is_over_shows_nothing_that_was_sent(now_s: float, dot_mw: float | None):
    found = dot_in_force(SENT, "R", Schedule.FIVE_MINUTE, at(300), moments_around(at(now_s), 1.5))
    assert (found.dot_mw if found else None) == dot_mw


def test_the_ramp_runs_straight_between_target_times_and_is_held_after_the_last():
    points = dot_points(SENT, "R", Schedule.FIVE_MINUTE)
    assert points == [(at(150), 10.0), (at(450), 40.0)]
    assert range_on_lines(points, [at(300)]) == (25.0, 25.0)
    assert range_on_lines(points, [at(150), at(180)]) == (10.0, 13.0)
    assert range_on_lines(points, [at(9999)]) == (40.0, 40.0)
    assert range_on_lines(points, [at(0)]) is None
    assert range_on_lines([], [at(0)]) is None


def test_an_hourly_dot_received_later_is_not_of_the_five_minute_schedule():
    sent = Sent(batches=(batch(0, 10.0), batch(0, 70.0, batch_type=1, interval_s=3600.0, received_at=at(0))), trajectories=())
    five_minute, hourly = Schedule.FIVE_MINUTE, Schedule.HOURLY
    assert dot_in_force(sent, "R", five_minute, at(0), [at(1)]).dot_mw == 10.0
    assert dot_in_force(sent, "R", hourly, at(0), [at(1)]).dot_mw == 70.0
    assert dot_points(sent, "R", five_minute) == [(at(150), 10.0)]


def test_an_hourly_dot_that_names_its_beginning_is_reached_in_the_middle_of_its_hour():
    named = SentInstruction(instruction_uid="I", resource_id="R", dot_mw=70.0, target_at=at(0))
    hour = batch(0, 0.0, batch_type=1, interval_s=3600.0, instructions=(named,))
    assert dot_points(Sent(batches=(hour,), trajectories=()), "R", Schedule.HOURLY) == [(at(1800), 70.0)]


def test_an_exceptional_dot_is_of_both_schedules_and_counts_when_it_was_received_last():
    sent = Sent(batches=(batch(0, 20.0, batch_type=4, received_at=at(-20)), batch(0, 10.0)), trajectories=())
    for schedule in Schedule:
        assert dot_in_force(sent, "R", schedule, at(0), [at(1)]).dot_mw == 20.0
        assert dot_points(sent, "R", schedule) == [(at(150), 20.0)]


def test_a_constraint_is_no_dot():
    limit = SentInstruction(instruction_uid="I", resource_id="R", instruction_type=2, dot_mw=70.0, target_at=at(0))
    sent = Sent(
        batches=(batch(0, 10.0), batch(0, 0.0, batch_type=4, received_at=at(1), instructions=(limit,))), trajectories=()
    )
    assert dot_in_force(sent, "R", Schedule.FIVE_MINUTE, at(0), [at(1)]).dot_mw == 10.0
    assert dot_points(sent, "R", Schedule.FIVE_MINUTE) == [(at(150), 10.0)]


@pytest.mark.parametrize(
    ("status", "accepted_mw", "holds"), [("ACCEPT", 70.0, 70.0), ("PARTIAL", 15.0, 15.0), ("DECLINE", 0.0, None)]
)
def test_an_answered_dot_holds_with_what_was_accepted(status: str, accepted_mw: float, holds: float | None):
    answered = SentInstruction(
        instruction_uid="I", resource_id="R", dot_mw=70.0, accept_status=status, accept_dot_mw=accepted_mw, target_at=at(0)
    )
    sent = Sent(batches=(batch(0, 0.0, batch_type=1, interval_s=3600.0, instructions=(answered,)),), trajectories=())
    found = dot_in_force(sent, "R", Schedule.HOURLY, at(0), [at(1)])
    assert (holds_mw(found) if found else None) == holds
    assert [mw for _, mw in dot_points(sent, "R", Schedule.HOURLY)] == ([] if holds is None else [holds])


def test_a_newer_trajectory_replaces_what_it_covers_and_may_step():
    curve = assembled(dop_batches(SENT, "R"))
    assert curve == [(at(0), 8.0), (at(150), 10.0), (at(300), 25.0), (at(300), 30.0), (at(450), 40.0)]
    assert range_on_lines(curve, [at(225)]) == (17.5, 17.5)
    assert range_on_lines(curve, [at(300)]) == (30.0, 30.0)
    assert range_on_lines(curve, [at(375)]) == (35.0, 35.0)


def test_the_latest_dop_is_the_last_of_the_newest_batch():
    assert latest_dop(SENT, "R").dop_mw == 40.0
    assert latest_dop(SENT, "other") is None


def test_moments_lie_around_the_time_of_reading():
    moments = moments_around(T0, 1.5)
    assert (moments[0], moments[len(moments) // 2], moments[-1]) == (at(-1.5), T0, at(1.5))


def line(**changes) -> Line:
    facts = {
        "plant": "p",
        "resource_id": "R",
        "what": "DOT",
        "sent": (12.34, 12.34),
        "register": 12.34000015,
        "database": 12.34,
    }
    return Line(**(facts | {"good": True} | changes))


def test_places_agree_within_what_a_float32_can_carry():
    assert line().agrees


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"register": 12.35}, "the register shows 12.35"),
        ({"register": None}, "the register shows None"),
        ({"database": None}, "the database holds None"),
        ({"database": 12.0}, "the database holds 12.0"),
        ({"good": False}, "quality is not good"),
        ({"sent": None}, "the simulator sent nothing"),
    ],
)
def test_a_difference_anywhere_is_told(changes: dict, told: str):
    assert not line(**changes).agrees
    assert told in line(**changes).difference


def test_enough_means_every_line_of_enough_resources_of_enough_plants():
    lines = [line(plant="p", resource_id="A"), line(plant="p", resource_id="B"), line(plant="q", resource_id="C")]
    assert is_enough(lines, 3, 2)
    assert not is_enough(lines[:2], 3, 2)
    assert not is_enough([*lines[:2], line(plant="p", resource_id="C")], 3, 2)
    assert not is_enough([*lines, line(register=0.0)], 3, 2)
    assert not is_enough([], 0, 1)
