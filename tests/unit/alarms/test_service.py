"""The service of alarms: each command has one true reply, whatever the disk, the clock and whoever asks do."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from alarms_desk import DOWN, QUICK, Desk
from alarms_world import CONFIG, START, TOPICS
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from alarms.commands import COUNTS_FOR
from alarms.states.alarm import triggered
from alarms.states.transitions import Trigger
from dotbus.contracts.alarms import AlarmState
from dotbus.contracts.messages import Environment
from dotbus.testing import samples

FIRST_DAY, LAST_DAY = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
DELTA = CONFIG.replace("[modbus]", '[[plant]]\nname = "delta"\n[[plant.resource]]\nid = "D1"\npmax_mw = 5.0\n[modbus]')


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    desk.begin()
    yield desk
    desk.close()


def raise_it(desk: Desk) -> None:
    desk.service_says("ads_ingest/a", online=False)
    desk.passes(1)
    assert desk.alarm().state is AlarmState.UNACKNOWLEDGED


def is_over(desk: Desk) -> None:
    desk.service_says("ads_ingest/a")
    desk.passes(1)


def said(reply) -> tuple[str, str]:
    assert reply is not None
    return reply.outcome, reply.detail


def test_a_command_that_cannot_be_kept_is_answered_and_did_nothing(desk):
    raise_it(desk)
    desk.fill_disk()
    outcome, detail = said(desk.command(command_id="a"))
    assert outcome == "refused"
    assert "cannot be kept" in detail
    assert desk.acknowledged[-1].endswith("/command/acknowledge"), "it would come again when it is too late"
    assert desk.keeping.failing
    desk.free_disk()
    assert desk.alarm().state is AlarmState.UNACKNOWLEDGED
    assert said(desk.command(command_id="a")) == ("taken", "acknowledged")
    assert desk.keeping.failing is None


def test_a_disk_that_cannot_be_read_ends_nothing(desk):
    raise_it(desk)
    desk.outbox.close()
    assert said(desk.command())[0] == "refused"
    desk.passes(1)
    desk.passes(1)


def test_what_happens_while_nothing_can_be_kept_is_kept_as_soon_as_it_can(desk):
    desk.fill_disk()
    desk.service_says("ads_ingest/a", online=False)
    desk.passes(1)
    assert desk.events() == []
    desk.free_disk()
    desk.passes(1)
    assert [one.what for one in desk.events()] == ["raised"]


def test_an_id_that_was_used_answers_for_the_same_command_alone_and_while_it_is_so(desk):
    raise_it(desk)
    assert said(desk.command(command_id="42")) == ("taken", "acknowledged")
    assert said(desk.command(command_id="42")) == ("taken", "this was done before")
    outcome, detail = said(desk.command("shelve", command_id="42", comment="why", shelve_min=5))
    assert (outcome, "another id" in detail) == ("refused", True)
    is_over(desk)
    assert said(desk.command(command_id="42")) == ("taken", "this was done before"), "it was for that raising"
    raise_it(desk)
    outcome, detail = said(desk.command(command_id="42"))
    assert (outcome, "so no more" in detail) == ("refused", True)
    assert desk.alarm().state is AlarmState.UNACKNOWLEDGED


def test_a_shelving_that_is_over_is_not_taken_again_by_its_id(desk):
    raise_it(desk)
    shelving = {"command_id": "s", "comment": "why", "shelve_min": 1}
    assert said(desk.command("shelve", **shelving)) == ("taken", "shelved")
    assert said(desk.command("shelve", **shelving)) == ("taken", "this was done before")
    desk.passes(61)
    assert said(desk.command("shelve", **shelving))[0] == "refused"
    assert desk.alarm().state is AlarmState.UNACKNOWLEDGED


@pytest.mark.parametrize(
    "more",
    [
        {"time": LAST_DAY},
        {"time": FIRST_DAY},
        {"time": LAST_DAY, "expires_at": LAST_DAY},
        {"time": FIRST_DAY, "expires_at": FIRST_DAY},
        {"expires_at": FIRST_DAY},
        {"comment": "x" * 1001},
        {"comment": "x" * 1_000_000},
        {"requested_by": "x" * 201},
        {"command_id": ""},
        {"command_id": "x" * 201},
        {"raised_at": FIRST_DAY},
        {"action": "shelve"},
        {"environment": "production"},
        {"kind": "alarm"},
        {"version": 2},
    ],
)
def test_a_command_that_no_clock_or_no_contract_knows_is_refused_and_ends_nothing(desk, more):
    raise_it(desk)
    assert said(desk.command(**more))[0] == "refused"
    assert desk.alarm().state is AlarmState.UNACKNOWLEDGED
    assert said(desk.command()) == ("taken", "acknowledged")


def test_a_command_about_another_plants_alarm_finds_none(desk):
    raise_it(desk)
    for plant in ("sierra", "delta", "installation "):
        assert said(desk.command(alarm=(plant, *DOWN[1:])))[0] == "refused"
    assert desk.alarm().state is AlarmState.UNACKNOWLEDGED


TIMES = st.sampled_from([FIRST_DAY, LAST_DAY, START.isoformat(), "2026-10-13T14:00:02+14:00", "soon", None, 0])
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "time": TIMES,
        "expires_at": TIMES,
        "raised_at": TIMES,
        "comment": st.none() | st.text(max_size=5) | st.just("x" * 5000),
        "shelve_min": st.none() | st.floats() | st.integers() | st.just("1"),
        "command_id": st.text(max_size=3) | st.none(),
        "requested_by": st.text(max_size=3) | st.none(),
        "action": st.sampled_from(["acknowledge", "shelve", "unshelve", "", None]),
    },
)
WHOLE = {"kind": "alarm-command", "version": 1, "environment": "simulator", "source": "s", "time": START.isoformat()}
LEVELS = st.sampled_from(["installation", "ads_ingest%2Fa", "service-down", "sierra", "%", "%2", "%00", "a" * 300, " ", ""])


@settings(max_examples=60)
@given(st.data())
def test_whatever_comes_on_a_topic_of_commands_it_is_acknowledged_and_the_next_one_is_taken(tmp_path_factory, data):
    desk = Desk(tmp_path_factory.mktemp("desk"))
    desk.begin()
    raise_it(desk)
    for _ in range(data.draw(st.integers(1, 4))):
        payload = data.draw(st.binary(max_size=40) | FIELDS.map(lambda given: json.dumps({**WHOLE, **given}).encode()))
        action = data.draw(st.sampled_from(["acknowledge", "shelve", "unshelve", "%", "x" * 200]))
        topic = "/".join([f"{TOPICS.root}/alarm", *(data.draw(LEVELS) for _ in range(3)), "command", action])
        reply_to = data.draw(st.none() | st.sampled_from([f"{topic}/reply/me", "elsewhere", "#", ""]))
        before = len(desk.acknowledged)
        desk.hears(topic, payload, retained=data.draw(st.booleans()), reply_to=reply_to)
        assert len(desk.acknowledged) == before + 1
    desk.passes(1)
    assert desk.command(command_id="the last one") is not None
    desk.close()


def test_how_long_a_command_counts_is_by_its_own_word_or_a_minute(desk):
    raise_it(desk)
    old = (desk.now - COUNTS_FOR - timedelta(seconds=1)).isoformat()
    assert said(desk.command(time=old))[1] == "it came too late"
    assert said(desk.command(time=(desk.now + timedelta(seconds=61)).isoformat()))[1] == "it is dated more than a minute ahead"


@pytest.mark.parametrize("step_s", [3600.0, -3600.0])
def test_a_clock_that_is_set_moves_no_shelf_and_no_flood(desk, step_s):
    for number in range(11):
        desk.service_says(f"lmp_ingest/{number}", online=False)
    raise_it(desk)
    assert (desk.summary().raised_in_10_min, desk.summary().is_flood) == (12, True)
    desk.command("shelve", comment="why", shelve_min=30)
    until = desk.alarm().shelved_until
    desk.passes(1, wall_s=1 + step_s)
    assert desk.alarm().shelved_until == until + timedelta(seconds=step_s)
    assert desk.summary().time == desk.now, "what was said of before the step is said anew, by the new clock"
    assert (desk.summary().raised_in_10_min, desk.summary().is_flood) == (12, True)
    desk.passes(29 * 60)
    assert desk.alarm().state is AlarmState.SHELVED
    assert (desk.summary().raised_in_10_min, desk.summary().is_flood) == (0, False)
    desk.passes(61)
    assert desk.alarm().state is AlarmState.UNACKNOWLEDGED


@pytest.mark.parametrize("step_s", [3600.0, -3600.0])
def test_a_clock_that_is_set_has_no_service_silent_and_forgets_no_alarm(desk, step_s):
    raise_it(desk)
    desk.service_says("lmp_ingest/a")
    desk.passes(1, wall_s=1 + step_s)
    assert [one for one in desk.events() if one.about == "lmp_ingest/a"] == []
    assert desk.alarm().state is AlarmState.UNACKNOWLEDGED
    for _ in range(8):
        desk.passes(5)
        desk.service_says("lmp_ingest/a")
    assert [one for one in desk.events() if one.about == "lmp_ingest/a"] == []


def test_after_a_start_a_flood_is_counted_by_what_was_raised_and_not_by_what_is_yet_to_come(tmp_path):
    first = Desk(tmp_path, now=START + timedelta(hours=1))
    first.begin()
    raise_it(first)
    first.close()
    second = Desk(tmp_path, now=START)
    second.begin()
    assert second.summary().raised_in_10_min == 0
    second.close()


def test_a_plant_that_is_taken_out_of_the_file_leaves_no_alarm_and_no_summary(tmp_path):
    off = "[alarms.dot_out_of_limits]\non_delay_s = 0.0\n"
    first = Desk(tmp_path, QUICK + off, config=DELTA)
    first.begin()
    raise_it(first)
    of_delta = _delta_alarm(first)
    assert {TOPICS.alarm_state(*of_delta), TOPICS.alarm_summary("delta")} < first.outbox.states().keys()
    first.close()
    second = Desk(tmp_path, QUICK + off, now_s=100)
    second.begin()
    second.passes(1)
    assert not {TOPICS.alarm_state(*of_delta), TOPICS.alarm_summary("delta")} & second.outbox.states().keys()
    assert second.alarm().state is AlarmState.UNACKNOWLEDGED
    ends = [(one.what, one.state) for one in second.events() if one.plant == "delta"]
    assert ends[-1] == ("out-of-service", AlarmState.OUT_OF_SERVICE)
    second.close()
    third = Desk(tmp_path, QUICK + off, now_s=200)
    third.begin()
    assert len([one for one in third.events() if one.plant == "delta"]) == len(ends)
    third.close()


def test_a_gap_is_alarmed_for_as_long_as_it_would_have_been_had_nobody_been_killed(tmp_path):
    key = ("installation", "lmp_ingest/a", "upstream-gap")
    first = Desk(tmp_path)
    first.begin()
    gap = replace(samples.upstream_gap(), source="lmp_ingest/a", environment=Environment.SIMULATOR, time=first.now)
    first.hears(TOPICS.gap("lmp_ingest", "a"), gap)
    first.passes(1)
    assert said(first.command(alarm=key)) == ("taken", "acknowledged")
    first.close()
    second = Desk(tmp_path, now=first.now, now_s=100)
    second.begin()
    second.passes(20)
    second.passes(1)
    assert second.alarm(key).state is AlarmState.ACKNOWLEDGED
    second.passes(8 * 3600)
    second.passes(1)
    assert TOPICS.alarm_state(*key) not in second.outbox.states()
    assert [one.what for one in second.events() if one.rule == key[2]] == ["raised", "acknowledged", "returned"]
    second.close()


def test_a_resource_that_is_taken_out_of_the_file_leaves_no_alarm_once_somebody_knows(tmp_path):
    first = Desk(tmp_path, config=CONFIG.replace('id = "S1"', 'id = "S2"'))
    first.begin()
    raise_it(first)
    key = ("sierra", "S2", "dot-stale")
    normal = dict(zip(("plant", "about", "rule"), key, strict=True)) | {"state": AlarmState.NORMAL, "is_active": True}
    change = triggered(replace(first.alarm(), **normal), Trigger.RAISED, first.now)
    assert change is not None
    assert first.keeping.keep([change], first.now)
    first.close()
    second = Desk(tmp_path, now=first.now, now_s=100)
    second.begin()
    second.passes(20)
    assert second.alarm(key).state is AlarmState.RETURNED
    assert said(second.command(alarm=key)) == ("taken", "normal")
    second.passes(1)
    assert TOPICS.alarm_state(*key) not in second.outbox.states()
    second.close()


def _delta_alarm(desk: Desk) -> tuple[str, str, str]:
    """One of a resource of a plant that is to go."""
    key = ("delta", "D1", "dot-stale")
    normal = dict(zip(("plant", "about", "rule"), key, strict=True)) | {"state": AlarmState.NORMAL, "is_active": True}
    change = triggered(replace(desk.alarm(), **normal), Trigger.RAISED, desk.now)
    assert change is not None
    assert desk.keeping.keep([change], desk.now)
    return key
