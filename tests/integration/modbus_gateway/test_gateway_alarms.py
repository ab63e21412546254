"""A plant's alarms by Modbus: pymodbus and mbpoll read them while a real service raises one, takes a command, and is killed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alarms_process import CONFIG
from alarms_process import Process as Alarms
from gateway_process import BAD, GOOD, OFFLINE, STALE, UNCERTAIN, Process
from listening import Listener
from modbus_clients import Mbpoll, Pymodbus
from msgspec.structs import replace
from real_mosquitto import Mosquitto
from waiting import eventually

from dotbus.contracts.alarms import CODE_OF, AlarmRule
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import AlarmCommand, AlarmStatus, Environment
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.mqtt.messages import Outgoing
from dotbus.testing import samples

pytestmark = pytest.mark.integration
TOPICS = Topics()
DOWN = ("installation", "ads_ingest/a", AlarmRule.SERVICE_DOWN)
MAP = """
[[modbus.block]]
profile = "plant"
unit_id = 11
[[modbus.point]]
unit_id = 11
address = 300
quantity = "alarms_active"
plant = "installation"
[[modbus.point]]
unit_id = 11
address = 301
quantity = "alarms_quality"
plant = "installation"
"""
QUALITY, HIGH, NEWEST, NOTHING = 36, 42, 50, 0xFFFF


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[Listener]:
    listener = Listener(broker.port, (Subject.ALARM_STATE, Subject.ALARM_SUMMARY))
    yield listener
    listener.bus.stop()


@pytest.fixture
def alarms(broker: Mosquitto, tmp_path: Path) -> Iterator[Alarms]:
    process = Alarms(tmp_path / "alarms", broker.port)
    yield process
    process.kill()


@pytest.fixture
def gateway(tmp_path: Path, broker: Mosquitto) -> Iterator[Process]:
    process = Process(tmp_path, broker, CONFIG + MAP)
    eventually(process.is_ready)
    yield process
    process.stop()


def say_ads_ingest(listener: Listener, *, online: bool) -> None:
    now = datetime.now(UTC)
    began_at = now - timedelta(hours=1)
    status = replace(
        samples.service_status(), source="ads_ingest/a", instance="a", online=online, time=now, started_at=began_at
    )
    listener.bus.publish([Outgoing(TOPICS.service("ads_ingest", "a"), encode(status), retain=True)])


def acknowledge(listener: Listener) -> None:
    command = AlarmCommand(
        environment=Environment.SIMULATOR,
        source="test",
        time=datetime.now(UTC),
        action="acknowledge",
        requested_by="M. Ortiz",
        command_id="1",
    )
    listener.bus.publish([Outgoing(TOPICS.alarm_command(*DOWN, "acknowledge"), encode(command))])


@pytest.fixture
def clients(gateway: Process) -> Iterator[tuple[Pymodbus, Mbpoll]]:
    clients = Pymodbus.tcp(gateway.port, 11), Mbpoll(gateway.port, 11)
    yield clients
    clients[0].close()


def test_registers_follow_a_service_of_alarms_that_raises_takes_and_is_killed(clients, listener, alarms):

    def shows(address: int, expected: list[int], within_s: float = 15.0) -> None:
        for client in clients:
            eventually(lambda client=client: client.read_holding(address, len(expected)) == expected, within_s=within_s)

    shows(QUALITY, [BAD, 1, NOTHING, NOTHING])
    alarms.start()
    shows(QUALITY, [GOOD, 0, 0, 0])
    shows(NEWEST, [NOTHING, NOTHING, NOTHING, NOTHING])

    say_ads_ingest(listener, online=False)
    shows(QUALITY, [GOOD, 0, 1, 1])
    shows(HIGH, [1, 1, 0, 0])
    code, age_s, *raised = clients[0].read_holding(NEWEST, 4)
    said = eventually(lambda: listener.latest().get(TOPICS.alarm_state(*DOWN)))
    assert isinstance(said, AlarmStatus)
    assert said.raised_at is not None
    assert (code, raised[0] << 16 | raised[1]) == (CODE_OF[AlarmRule.SERVICE_DOWN], int(said.raised_at.timestamp()))
    assert age_s <= (datetime.now(UTC) - said.raised_at).total_seconds()
    shows(300, [1, GOOD])

    acknowledge(listener)
    shows(QUALITY, [GOOD, 0, 0, 1])
    shows(HIGH, [0, 1])

    alarms.kill()
    shows(QUALITY, [UNCERTAIN, OFFLINE, 0, 1])
    shows(QUALITY + 2, [NOTHING, NOTHING], within_s=75)
    level, reasons = clients[0].read_holding(QUALITY, 2)
    assert (level, reasons & STALE) == (BAD, STALE)
    shows(300, [NOTHING, BAD])

    alarms.start()
    shows(QUALITY, [GOOD, 0])
    shows(NEWEST, [CODE_OF[AlarmRule.SERVICE_DOWN]])
