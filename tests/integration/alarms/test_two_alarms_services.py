"""Two services of alarms at a real Mosquitto: one keeps them, and who takes its place goes on with what people did."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alarms_process import Process
from listening import Listener
from msgspec.structs import replace
from real_mosquitto import Mosquitto, free_port
from waiting import eventually

from dotbus.contracts.alarms import AlarmState
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import AlarmChanged, AlarmCommand, AlarmCommandReply, AlarmStatus, Environment, ServiceStatus
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.mqtt.messages import Outgoing
from dotbus.testing import samples

pytestmark = pytest.mark.integration
TOPICS = Topics()
DOWN = ("installation", "ads_ingest/a", "service-down")
HEARD = (Subject.ALARM_STATE, Subject.ALARM, Subject.ALARM_COMMAND_REPLY, Subject.SERVICE)


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[Listener]:
    listener = Listener(broker.port, HEARD)
    yield listener
    listener.bus.stop()


class Named(Process):
    """One by its name and folder, and whether it is well."""

    def __init__(self, folder: Path, broker: Mosquitto, instance: str) -> None:
        self.health_port = free_port()
        super().__init__(folder, broker.port, ALARMS_INSTANCE=instance, ALARMS_HEALTH_PORT=str(self.health_port))

    def health(self) -> dict[str, object]:
        """What it says to whoever asks; nothing while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/health", timeout=20) as reply:
                return dict(json.load(reply))
        except urllib.error.HTTPError as error:
            return dict(json.load(error))
        except OSError:
            return {}


def say_ads_ingest_is_down(listener: Listener) -> None:
    now = datetime.now(UTC)
    began_at = now - timedelta(hours=1)
    status = replace(samples.service_status(), source="ads_ingest/a", instance="a", online=False, time=now, started_at=began_at)
    listener.bus.publish([Outgoing(TOPICS.service("ads_ingest", "a"), encode(status), retain=True)])


def acknowledge(listener: Listener, command_id: str) -> None:
    command = AlarmCommand(
        environment=Environment.SIMULATOR,
        source="test",
        time=datetime.now(UTC),
        action="acknowledge",
        requested_by="M. Ortiz",
        command_id=command_id,
    )
    listener.bus.publish([Outgoing(TOPICS.alarm_command(*DOWN, "acknowledge"), encode(command))])


def alarm(listener: Listener) -> AlarmStatus | None:
    said = listener.latest().get(TOPICS.alarm_state(*DOWN))
    return said if isinstance(said, AlarmStatus) else None


def status(listener: Listener, instance: str) -> ServiceStatus | None:
    said = listener.latest().get(TOPICS.service("alarms", instance))
    return said if isinstance(said, ServiceStatus) and said.online else None


def test_a_second_one_stands_by_and_goes_on_with_the_first_ones_alarms_when_that_is_killed(broker, listener, tmp_path):
    first, second = (Named(tmp_path / name, broker, name) for name in "ab")
    try:
        first.start()
        eventually(lambda: status(listener, "a"))
        say_ads_ingest_is_down(listener)
        eventually(lambda: (found := alarm(listener)) and found.state is AlarmState.UNACKNOWLEDGED)
        second.start()
        said = eventually(lambda: (said := status(listener, "b")) and said.complaints and said)
        assert said.redundancy == "standby"
        assert "alarms/a" in said.complaints[0]
        assert second.health()["ready"] is False
        acknowledge(listener, "1")
        eventually(lambda: (found := alarm(listener)) and found.state is AlarmState.ACKNOWLEDGED)
        assert [one.outcome for one in listener.of(AlarmCommandReply)] == ["taken"], "one of them answers"
        first.kill()
        found = eventually(lambda: (found := alarm(listener)) and found.source == "alarms/b" and found)
        assert (found.state, found.acknowledged_by) == (AlarmState.ACKNOWLEDGED, "M. Ortiz")
        eventually(lambda: second.health().get("ready"))
        first.start()
        eventually(lambda: (said := status(listener, "a")) and said.redundancy == "standby")
        raised = [one for one in listener.of(AlarmChanged) if one.rule == "service-down" and one.about == DOWN[1]]
        assert {one.source for one in raised} == {"alarms/a"}, "nothing was raised twice"
    finally:
        first.kill()
        second.kill()


def test_of_two_by_one_name_the_later_steps_back(broker, listener, tmp_path):
    first, second = (Named(tmp_path / name, broker, "same") for name in "ab")
    try:
        first.start()
        began_at = eventually(lambda: status(listener, "same")).started_at
        second.start()
        eventually(lambda: second.health().get("stepped_back"), within_s=60)
        assert second.health()["alive"] is False
        eventually(lambda: (said := status(listener, "same")) and said.started_at == began_at and said.complaints, within_s=30)
        say_ads_ingest_is_down(listener)
        eventually(lambda: (found := alarm(listener)) and found.state is AlarmState.UNACKNOWLEDGED)
        assert first.health()["alive"] is True
        assert second.stop() == 0
        assert "step back" in second.log.read_text()
    finally:
        first.kill()
        second.kill()
