"""The service of alarms at a real Mosquitto: raised, acknowledged with Mosquitto's own clients, killed, and nothing doubled."""

import json
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alarms_process import Process
from historian_parts import letters, stored
from historian_process import Process as Historian
from listening import Listener
from msgspec.structs import replace
from real_mosquitto import Mosquitto
from waiting import eventually

from dotbus.contracts.alarms import AlarmState
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import AlarmChanged, AlarmCommandReply, AlarmStatus, AlarmSummary, ServiceStatus
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.mqtt.messages import Outgoing
from dotbus.testing import samples

pytestmark = pytest.mark.integration
TOPICS = Topics()
DOWN = ("installation", "ads_ingest/a", "service-down")
HEARD = (Subject.ALARM_STATE, Subject.ALARM, Subject.ALARM_SUMMARY, Subject.ALARM_COMMAND_REPLY, Subject.SERVICE)


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[Listener]:
    listener = Listener(broker.port, HEARD)
    yield listener
    listener.bus.stop()


@pytest.fixture
def service(broker: Mosquitto, listener: Listener, tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path / "alarms", broker.port)
    process.start()
    eventually(lambda: online(listener))
    yield process
    process.kill()


def online(listener: Listener) -> bool:
    status = listener.latest().get(TOPICS.service("alarms", "main"))
    return isinstance(status, ServiceStatus) and status.online


def say_ads_ingest(listener: Listener, *, online: bool) -> None:
    now = datetime.now(UTC)
    status = replace(
        samples.service_status(),
        source="ads_ingest/a",
        instance="a",
        online=online,
        time=now,
        started_at=now - timedelta(hours=1),
    )
    listener.bus.publish([Outgoing(TOPICS.service("ads_ingest", "a"), encode(status), retain=True)])


def state_of(listener: Listener) -> AlarmState | None:
    status = listener.latest().get(TOPICS.alarm_state(*DOWN))
    return status.state if isinstance(status, AlarmStatus) else None


def command(broker: Mosquitto, action: str, **more: object) -> None:
    """With Mosquitto's own client, as an operator's script would."""
    said = {
        "kind": "alarm-command",
        "version": 1,
        "environment": "simulator",
        "source": "script",
        "action": action,
        "time": datetime.now(UTC).isoformat(),
        "requested_by": "M. Ortiz",
        "command_id": f"c-{action}",
    }
    topic = TOPICS.alarm_command(*DOWN, action)
    arguments = ["mosquitto_pub", "-p", str(broker.port), "-q", "1", "-t", topic, "-m", json.dumps(said | more)]
    subprocess.run(arguments, check=True, timeout=10)


def replies(listener: Listener) -> list[tuple[str, str]]:
    return [(one.outcome, one.detail) for one in listener.of(AlarmCommandReply)]


def test_an_alarm_goes_its_way_and_a_kill_at_any_moment_loses_and_doubles_nothing(broker, listener, service):
    say_ads_ingest(listener, online=False)
    eventually(lambda: state_of(listener) is AlarmState.UNACKNOWLEDGED)
    service.kill()
    service.start()
    command(broker, "acknowledge", comment="seen")
    eventually(lambda: state_of(listener) is AlarmState.ACKNOWLEDGED)
    command(broker, "acknowledge", comment="seen")
    eventually(lambda: len(replies(listener)) == 2)
    assert replies(listener) == [("taken", "acknowledged"), ("taken", "this was done before")]
    command(broker, "shelve", comment="being replaced", shelve_min=30)
    eventually(lambda: state_of(listener) is AlarmState.SHELVED)
    service.kill()
    say_ads_ingest(listener, online=True)
    service.start()
    command(broker, "unshelve")
    eventually(lambda: state_of(listener) in {AlarmState.NORMAL, AlarmState.UNACKNOWLEDGED})

    events = [one for one in listener.of(AlarmChanged) if one.rule == "service-down"]
    by_id = {one.id: one for one in events}
    told = sorted(by_id.values(), key=lambda one: one.seq)
    assert [one.what for one in told][:3] == ["raised", "acknowledged", "shelved"]
    assert [one.seq for one in told] == list(range(1, len(told) + 1))
    assert [one.alarm_seq for one in told] == [one.seq for one in told]
    assert len({one.stream for one in told}) == 1
    acknowledged = told[1]
    assert (acknowledged.changed_by, acknowledged.comment, acknowledged.command_id) == ("M. Ortiz", "seen", "c-acknowledge")
    assert service.stop() == 0


def test_a_command_that_may_not_be_is_refused_with_why(broker, listener, service):
    command(broker, "acknowledge")
    eventually(lambda: replies(listener))
    assert replies(listener)[-1] == ("refused", "there is no such alarm, or nothing ever happened to it")
    say_ads_ingest(listener, online=False)
    eventually(lambda: state_of(listener) is AlarmState.UNACKNOWLEDGED)
    for number, (action, more, reason) in enumerate(
        [
            ("shelve", {"comment": "why"}, "`shelve_min`"),
            ("shelve", {"shelve_min": 5}, "`comment`"),
            ("shelve", {"comment": "why", "shelve_min": 9000}, "12 h"),
            ("unshelve", {}, "it is unacknowledged"),
            ("acknowledge", {"environment": "production"}, "environment"),
            ("acknowledge", {"expires_at": "2026-01-01T00:00:00Z"}, "too late"),
            ("acknowledge", {"raised_at": "2026-01-01T00:00:00Z"}, "raised again"),
            ("acknowledge", {"requested_by": ""}, "requested_by"),
        ],
        2,
    ):
        command(broker, action, command_id=f"no-{number}", **more)
        eventually(lambda number=number: len(replies(listener)) == number)
        outcome, detail = replies(listener)[-1]
        assert outcome == "refused"
        assert reason in detail
    assert state_of(listener) is AlarmState.UNACKNOWLEDGED


def test_a_plants_summary_counts_the_installations_alarms_and_says_the_newest_code(listener, service):
    say_ads_ingest(listener, online=False)

    def summary() -> AlarmSummary | None:
        said = listener.latest().get(TOPICS.alarm_summary("sierra"))
        return said if isinstance(said, AlarmSummary) and said.newest_code else None

    said = eventually(summary)
    high = next(one for one in said.counts if one.priority == "high")
    assert (high.unacknowledged, high.active, said.newest_code, said.raised_in_10_min, said.is_flood) == (1, 1, 2, 1, False)


def test_a_lost_broker_is_one_alarm_and_is_told_afterwards(broker, listener, service, tmp_path):
    say_ads_ingest(listener, online=True)
    eventually(lambda: "ads_ingest" in str(listener.latest().keys()))
    broker.kill()
    log = tmp_path / "alarms/alarms.log"
    eventually(lambda: '"what": "raised"' in log.read_text() and "broker-lost" in log.read_text(), within_s=30)
    broker.start()
    found = eventually(
        lambda: [one for one in listener.of(AlarmChanged) if one.rule == "broker-lost" and one.what == "raised"], within_s=30
    )
    assert found[0].about == "alarms/main"
    assert [one for one in listener.of(AlarmChanged) if one.rule == "dot-stale"] == []


def test_the_historian_keeps_each_event_once_whoever_was_killed_meanwhile(broker, listener, service, database, tmp_path):
    say_ads_ingest(listener, online=False)
    eventually(lambda: state_of(listener) is AlarmState.UNACKNOWLEDGED)
    service.kill()
    historian = Historian(tmp_path / "historian", broker.port, database)
    historian.start()
    try:
        eventually(lambda: historian.is_ready, within_s=60)
        service.start()
        command(broker, "acknowledge", comment="seen")
        eventually(lambda: state_of(listener) is AlarmState.ACKNOWLEDGED)
        historian.end(signal.SIGKILL)
        say_ads_ingest(listener, online=True)
        eventually(lambda: state_of(listener) is AlarmState.NORMAL)
        historian.start()
        kept = "SELECT what, changed_by FROM alarm_event_history WHERE rule = 'service-down' ORDER BY seq"
        expected = [("raised", None), ("acknowledged", "M. Ortiz"), ("returned", None)]
        # The source says nothing more after that, and so is alarmed again in a while.
        eventually(lambda: stored(database, kept)[:3] == expected, within_s=60)
        assert letters(database) == []
    finally:
        historian.clean_up()
