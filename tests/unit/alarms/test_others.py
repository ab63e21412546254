"""Of two services of alarms one keeps them, the other stands by or steps back; who takes over goes on with what was left."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from alarms_desk import DOWN, Desk
from alarms_world import START, TOPICS
from msgspec.structs import replace

from alarms.others import ALONE_AFTER_S, GONE_AFTER_S, LISTENS_S, STANDBY
from dotbus.contracts.alarms import AlarmState
from dotbus.contracts.messages import AlarmStatus, Environment
from dotbus.testing import samples

LATER = START + timedelta(hours=1)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """It started at START."""
    desk = Desk(tmp_path / "main")
    yield desk
    desk.close()


def other(desk: Desk, **more: object) -> None:
    """alarms/b, which started an hour before unless it is said otherwise."""
    desk.service_says("alarms/b", **more)


def raise_it(desk: Desk) -> None:
    desk.service_says("ads_ingest/a", online=False)
    desk.passes(1)


def test_it_begins_once_it_has_heard_that_nobody_else_is_there(desk):
    desk.connect()
    desk.passes(LISTENS_S / 2)
    assert (desk.begun, desk.outbox.states()) == (0, {})
    desk.passes(LISTENS_S / 2)
    assert desk.begun == 1
    assert desk.summary().plant == "sierra"


def test_without_a_broker_it_begins_alone_so_that_people_are_told_that_it_is_lost(desk):
    desk.passes(ALONE_AFTER_S)
    assert desk.begun == 1
    for _ in range(11):
        desk.passes(1)
    assert [one.rule for one in desk.events()] == ["broker-lost"]


def test_while_another_one_keeps_them_it_stands_by_and_says_so_and_begins_when_that_goes(desk):
    desk.connect()
    other(desk, retained=True)
    desk.passes(5)
    other(desk)
    desk.passes(ALONE_AFTER_S)
    assert (desk.begun, desk.outbox.states(), desk.others.stands_by(desk.now_s)) == (0, {}, True)
    assert "stands by" in desk.others.complaint(desk.now, desk.now_s)
    other(desk, online=False)
    desk.passes(1)
    assert (desk.begun, desk.others.complaint(desk.now, desk.now_s)) == (1, None)


def test_one_that_falls_silent_or_that_the_broker_alone_remembers_is_waited_for_two_heartbeats(desk):
    desk.connect()
    other(desk, retained=True)
    desk.passes(GONE_AFTER_S)
    assert desk.begun == 0
    desk.passes(1)
    assert desk.begun == 1


@pytest.mark.parametrize("more", [{"redundancy": STANDBY}, {"online": False}, {"environment": Environment.STAGE}])
def test_one_that_keeps_none_of_these_alarms_is_waited_for_by_nobody(desk, more):
    desk.connect()
    other(desk, **more)
    desk.passes(LISTENS_S)
    assert desk.begun == 1
    other(desk, **more)
    assert desk.stepped_back == 0


def test_of_two_that_have_begun_the_later_steps_back_and_does_nothing_more(desk):
    desk.begin()
    raise_it(desk)
    other(desk)
    assert desk.stepped_back == 1
    before = desk.outbox.states(), desk.events()
    desk.service_says("ads_ingest/a")
    assert desk.command() is None, "the other one answers"
    desk.passes(30)
    assert (desk.outbox.states(), desk.events()) == before
    assert desk.acknowledged[-1].endswith("/acknowledge")
    assert "alarms/b" in desk.others.complaint(desk.now, desk.now_s) or "too" in desk.others.complaint(desk.now, desk.now_s)
    other(desk, online=False)
    desk.passes(GONE_AFTER_S + 1)
    assert desk.stepped_back == 1
    assert (desk.outbox.states(), desk.events()) == before, "until it is restarted"


def test_the_earlier_one_goes_on_and_says_all_again_and_that_there_was_another(desk):
    desk.begin()
    raise_it(desk)
    other(desk, started_at=LATER)
    other(desk, started_at=LATER)
    assert (desk.stepped_back, desk.said_again) == (0, 1)
    assert "alarms/b" in desk.others.complaint(desk.now, desk.now_s)
    desk.passes(1)
    assert desk.command().outcome == "taken"
    desk.passes(GONE_AFTER_S + 1)
    assert desk.others.complaint(desk.now, desk.now_s) is None


def test_what_the_broker_kept_of_another_one_makes_nobody_step_back(desk):
    desk.begin()
    other(desk, retained=True)
    assert desk.stepped_back == 0


def test_of_two_of_one_name_the_later_steps_back_once_it_was_dropped(desk):
    desk.begin()
    desk.service_says("alarms/main", started_at=START)
    desk.service_says("alarms/main", started_at=START - timedelta(hours=1))
    assert desk.stepped_back == 0
    desk.service.on_namesake()
    desk.service.take()
    assert (desk.stepped_back, desk.others.is_taken_over) == (1, True)


def test_commands_that_come_before_it_begins_wait_until_then(desk):
    desk.connect()
    assert desk.command() is None
    assert desk.acknowledged == []
    desk.passes(LISTENS_S)
    assert [one.outcome for one in desk.replies] == ["refused"]
    assert len(desk.acknowledged) == 1


def left(desk: Desk, key: tuple[str, str, str] = DOWN, **more: object) -> AlarmStatus:
    """An alarm that another one left on the bus, and that is there when ours listens."""
    plant, about, rule = key
    fields = {
        "environment": Environment.SIMULATOR,
        "source": "alarms/b",
        "plant": plant,
        "about": about,
        "rule": rule,
        "code": 2,
    }
    status = replace(samples.alarm_status(), **{**fields, "state": AlarmState.ACKNOWLEDGED, "is_active": True, **more})
    desk.hears(TOPICS.alarm_state(*key), status, retained=True)
    return status


def test_who_takes_over_goes_on_with_what_was_left_and_raises_nothing_anew(desk):
    desk.connect()
    status = left(desk, acknowledged_by="M. Ortiz")
    desk.service_says("ads_ingest/a", online=False)
    desk.passes(LISTENS_S)
    desk.passes(1)
    assert desk.events() == []
    kept = desk.alarm()
    assert (kept.state, kept.acknowledged_by, kept.source) == (AlarmState.ACKNOWLEDGED, "M. Ortiz", "alarms/main")
    assert kept.changes == status.changes
    desk.service_says("ads_ingest/a")
    desk.passes(1)
    assert [one.what for one in desk.events()] == ["returned"]


def test_what_it_kept_itself_counts_where_it_is_newer(tmp_path):
    first = Desk(tmp_path)
    first.begin()
    raise_it(first)
    first.close()
    second = Desk(tmp_path)
    second.connect()
    left(second, changed_at=START - timedelta(days=1))
    second.passes(LISTENS_S)
    assert second.alarm().state is AlarmState.UNACKNOWLEDGED
    second.close()


def test_what_it_kept_and_was_over_before_another_one_left_comes_back_no_more(tmp_path):
    first = Desk(tmp_path)
    first.begin()
    raise_it(first)
    first.close()
    second = Desk(tmp_path)
    second.connect()
    left(second, ("installation", "lmp_ingest/a", "service-down"), changed_at=START + timedelta(days=1))
    second.passes(LISTENS_S)
    second.passes(1)
    assert TOPICS.alarm_state(*DOWN) not in second.outbox.states()
    second.close()


def test_what_was_left_of_a_plant_that_is_none_is_taken_back(desk):
    desk.connect()
    gone = ("gone", "G1", "dot-stale")
    left(desk, gone, code=11)
    desk.hears(TOPICS.alarm_summary("gone"), b"{}", retained=True)
    desk.passes(LISTENS_S)
    said = desk.outbox.state_payloads([TOPICS.alarm_state(*gone), TOPICS.alarm_summary("gone")])
    assert set(said.values()) == {b""}
    assert len(said) == 2


@pytest.mark.parametrize(
    "more",
    [{"environment": Environment.PRODUCTION}, {"rule": "of-later"}, {"plant": "sierra"}, {"code": 9}],
)
def test_what_cannot_be_gone_on_with_is_left_where_it_is(desk, more):
    desk.connect()
    left(desk, **more)
    desk.hears(TOPICS.alarm_state("sierra", "S1", "dot-stale"), b"not a message", retained=True)
    desk.passes(LISTENS_S)
    assert desk.alarms.statuses == {}
