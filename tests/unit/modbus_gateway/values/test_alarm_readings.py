"""A plant's alarms as registers show them: counts, the newest one, and never a number that nobody vouches for any more."""

import struct

import pytest
from gateway_story import NOON, Gateway, alarm_summary, at, installation, status

from dotbus.contracts.alarms import INSTALLATION, AlarmPriority
from dotbus.contracts.messages import Environment
from dotbus.contracts.quality import BIT_OF, Reason
from dotbus.judging.arrivals import Arrival, Problem
from dotbus.runtime.installation.file import InstallationFile
from modbus_gateway.map.draft import draft_map

NOTHING = 0xFFFF
QUALITY, COUNTS, OF_PRIORITY, SHELVED, NEWEST, RAISED, RECENT, AGE = 36, 38, 40, 48, 50, 52, 54, 56
BROKER_LOST, DOT_STALE = 1, 11
CRITICAL, HIGH = AlarmPriority.CRITICAL, AlarmPriority.HIGH


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(block=[{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}])


def is_there(gateway: Gateway, at_s: float, **changed: object) -> None:
    gateway.hear(status(at_s, service="alarms", instance="main", **changed))


def reasons(gateway: Gateway, now_s: float, unit_id: int = 11, address: int = QUALITY) -> tuple[int, set[Reason]]:
    level, mask = gateway.words(now_s, unit_id, address, 2)
    return level, {reason for reason, bit in BIT_OF.items() if mask >> bit & 1}


def test_what_was_never_said_is_no_value_and_never_0(gateway):
    assert reasons(gateway, 0) == (0, {Reason.NEVER_RECEIVED})
    assert gateway.words(0, 11, COUNTS, AGE - COUNTS + 1) == [NOTHING] * (AGE - COUNTS + 1)
    assert gateway.words(0, 11, AGE + 1, 1) == [0]


def test_counts_are_shown_by_priority_with_the_newest_alarm(gateway):
    is_there(gateway, 9)
    said = alarm_summary(
        *((CRITICAL, 2, 1), (HIGH, 0, 3)),
        said_s=10,
        shelved=4,
        suppressed=5,
        newest_code=DOT_STALE,
        newest_raised_at=at(7),
        raised_in_10_min=12,
        is_flood=True,
    )
    gateway.hear(said)
    assert gateway.words(12, 11, QUALITY, 2) == [192, 0]
    assert gateway.words(12, 11, COUNTS, 2) == [2, 4]
    assert gateway.words(12, 11, OF_PRIORITY, 8) == [2, 1, 0, 3, 0, 0, 0, 0]
    assert gateway.words(12, 11, SHELVED, 2) == [4, 5]
    assert gateway.words(12, 11, NEWEST, 2) == [DOT_STALE, 5]
    assert struct.unpack(">I", gateway.render(12).read_registers(11, RAISED, 2))[0] == NOON.timestamp() + 7
    assert gateway.words(12, 11, RECENT, 4) == [12, 1, 2, 1]


def test_no_alarm_is_no_code_and_counts_of_0_that_are_good(gateway):
    is_there(gateway, 0)
    gateway.hear(alarm_summary(said_s=1))
    assert gateway.words(2, 11, QUALITY, 4) == [192, 0, 0, 0]
    assert gateway.words(2, 11, NEWEST, 4) == [NOTHING] * 4


def test_what_is_vouched_for_no_longer_is_stale_by_the_clock_alone(gateway):
    for said_s in range(0, 61, 5):
        is_there(gateway, said_s)
    gateway.hear(alarm_summary((CRITICAL, 1, 1), said_s=60))
    for said_s in range(65, 131, 5):
        is_there(gateway, said_s)
        expected = [192, 0, 1, 1] if said_s <= 120 else [0, 1 << BIT_OF[Reason.STALE], NOTHING, NOTHING]
        assert gateway.words(said_s, 11, QUALITY, 4) == expected
    assert gateway.words(120.5, 11, QUALITY, 4)[0] == 0


def test_a_summary_counts_no_longer_after_it_came_than_it_was_meant_to(gateway):
    """A clock that is ahead makes nothing young, and what is in doubt meanwhile is not good."""
    for said_s in range(0, 70, 5):
        is_there(gateway, said_s)
    gateway.hear(alarm_summary(said_s=3600), at_s=5)
    assert reasons(gateway, 64) == (64, {Reason.CLOCK_IN_DOUBT})
    assert reasons(gateway, 66) == (0, {Reason.STALE, Reason.CLOCK_IN_DOUBT})


def test_what_the_broker_kept_is_as_old_as_it_says(gateway):
    is_there(gateway, 0)
    gateway.hear(alarm_summary((CRITICAL, 1, 1), said_s=-100), at_s=1, retained=True)
    assert reasons(gateway, 1) == (0, {Reason.STALE})


def test_a_service_that_went_is_told_at_once_and_a_lost_broker_too(gateway):
    is_there(gateway, 0)
    gateway.hear(alarm_summary((CRITICAL, 1, 1), said_s=1))
    is_there(gateway, 2, online=False)
    assert reasons(gateway, 2) == (64, {Reason.SOURCE_OFFLINE})
    assert gateway.words(2, 11, COUNTS, 2) == [1, 1]
    assert gateway.words(2, 11, AGE + 1, 1) == [0], "no flag of freshness beside it"
    gateway.images.turn(connected=False)
    assert reasons(gateway, 3)[1] >= {Reason.BROKER_LOST}
    gateway.images.turn(connected=True)
    assert reasons(gateway, 3)[1] >= {Reason.BROKER_LOST}, "it was not said again on this connection"


def test_two_services_of_alarms_contradict_each_other_until_one_is_over(gateway):
    for instance in ("main", "b"):
        gateway.hear(status(0, service="alarms", instance=instance))
    gateway.hear(alarm_summary((CRITICAL, 1, 1), said_s=1), alarm_summary(said_s=20, source="alarms/b"))
    assert reasons(gateway, 21) == (64, {Reason.INCOMPLETE})
    assert gateway.words(21, 11, COUNTS, 2) == [0, 0]
    assert Reason.INCOMPLETE not in reasons(gateway, 62)[1]


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (Problem.UNDECODABLE, Reason.INVALID),
        (Problem.WRONG_ENVIRONMENT, Reason.WRONG_ENVIRONMENT),
        (None, Reason.NEVER_RECEIVED),
    ],
)
def test_what_cannot_be_used_or_is_taken_back_leaves_no_number(gateway, problem, reason):
    is_there(gateway, 0)
    if problem is not Problem.WRONG_ENVIRONMENT:  # which does not unsay what was said before
        gateway.hear(alarm_summary((CRITICAL, 1, 1), said_s=1))
    gateway.take(Arrival(gateway.topics.alarm_summary("sierra"), at(2), retained=False, said=problem))
    level, why = reasons(gateway, 2)
    assert (level, reason in why) == (0, True)
    assert gateway.words(2, 11, COUNTS, 2) == [NOTHING, NOTHING]


def test_a_clock_that_was_set_leaves_nothing_good_until_it_is_shown_to_agree(gateway):
    is_there(gateway, 0)
    gateway.hear(alarm_summary(said_s=1))
    gateway.received.clock_stepped(at(0) - at(100))
    gateway.images.turn(connected=True)
    assert Reason.CLOCK_IN_DOUBT in reasons(gateway, 2)[1]


def test_a_block_of_several_plants_shows_the_alarms_of_none_and_a_point_any():
    point = {"unit_id": 12, "quantity": "alarms_active", "plant": INSTALLATION, "address": 300}
    level = {**point, "quantity": "alarms_quality", "address": 301}
    gateway = Gateway(block=[{"profile": "plant", "unit_id": 11}], point=[point, level])
    assert gateway.topics.alarm_summary("sierra") not in gateway.map.states(gateway.topics)
    assert gateway.words(0, 11, QUALITY, 4) == [NOTHING] * 4
    is_there(gateway, 0)
    gateway.hear(alarm_summary((HIGH, 1, 1), said_s=1, plant=INSTALLATION))
    assert gateway.words(2, 12, 300, 2) == [1, 192]


def test_nothing_of_another_environment_is_kept_when_it_counts_no_more():
    gateway = Gateway(
        block=[{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}], accept_environments=["production", "simulator"]
    )
    is_there(gateway, 0, environment=Environment.SIMULATOR)
    gateway.hear(alarm_summary((HIGH, 1, 1), said_s=1, environment=Environment.SIMULATOR))
    gateway.change_map(block=[{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}])
    assert reasons(gateway, 2)[1] == {Reason.WRONG_ENVIRONMENT}


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({}, "plant"),
        ({"plant": "siera"}, "plant"),
        ({"plant": "sierra", "resource": "SOLAR"}, "resource"),
        ({"plant": "sierra", "stale_after_s": 30.0}, "stale_after_s"),
        ({"plant": "sierra", "on_bad": "hold"}, "on_bad"),
    ],
)
def test_a_point_that_cannot_mean_what_it_says_is_refused(given: dict[str, object], key: str):
    file = InstallationFile(
        installation(point=[{"unit_id": 1, "address": 0, "quantity": "alarms_active", **given}]), "dotbus.toml"
    )
    assert [one.key for one in draft_map(file)[1]] == [f"modbus.point[0].{key}"]


def test_no_other_quantity_is_about_the_installation():
    file = InstallationFile(
        installation(point=[{"unit_id": 1, "address": 0, "quantity": "worst_quality", "plant": INSTALLATION}]), "dotbus.toml"
    )
    assert [one.key for one in draft_map(file)[1]] == ["modbus.point[0].plant"]
