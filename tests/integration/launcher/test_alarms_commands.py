"""`dotbus alarms` at a real Mosquitto with the real service: seen, acknowledged, shelved; no list that only looks whole."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alarms_process import Process
from historian_process import Process as Historian
from listening import Listener
from msgspec.structs import replace
from real_mosquitto import Mosquitto
from typer.testing import CliRunner, Result
from waiting import eventually

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import AlarmChanged, AlarmStatus
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.mqtt.messages import Outgoing
from dotbus.testing import samples
from launcher.commands import app

pytestmark = pytest.mark.integration
TOPICS = Topics()
NAME = "installation/ads_ingest/a/service-down"
SEEN = {"DOTBUS_PERSON": "M. Ortiz"}


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[Listener]:
    listener = Listener(broker.port, (Subject.ALARM, Subject.ALARM_STATE, Subject.ALARM_SUMMARY))
    yield listener
    listener.bus.stop()


@pytest.fixture
def service(broker: Mosquitto, listener: Listener, tmp_path: Path) -> Iterator[Process]:
    """With one alarm: an ads_ingest that says it is offline."""
    process = Process(tmp_path / "alarms", broker.port)
    process.start()
    eventually(lambda: TOPICS.alarm_summary("sierra") in listener.latest(), within_s=30)
    say_ads_ingest(listener, online=False)
    yield process
    process.kill()


def say_ads_ingest(listener: Listener, *, online: bool) -> None:
    now = datetime.now(UTC)
    plain = {"source": "ads_ingest/a", "instance": "a", "time": now, "started_at": now - timedelta(hours=1)}
    status = replace(samples.service_status(), online=online, **plain)
    listener.bus.publish([Outgoing(TOPICS.service("ads_ingest", "a"), encode(status), retain=True)])


def dotbus(port: int, *arguments: str, folder: Path, **variables: str) -> Result:
    config = folder / "dotbus.toml"
    config.write_text('environment = "simulator"\n')
    environment = {"DOTBUS_MQTT_PORT": str(port), "DOTBUS_CONFIG": str(config), **SEEN, **variables}
    return CliRunner().invoke(app, ["alarms", *arguments], env=environment)


def state_of(listener: Listener) -> str | None:
    status = listener.latest().get(TOPICS.alarm_state("installation", "ads_ingest/a", "service-down"))
    return status.state if isinstance(status, AlarmStatus) else None


def test_an_alarm_is_seen_acknowledged_shelved_and_taken_off_the_shelf(broker, listener, service, tmp_path):
    eventually(lambda: state_of(listener) == "unacknowledged")
    listed = dotbus(broker.port, folder=tmp_path)
    assert (listed.exit_code, listed.stderr) == (3, "")
    assert NAME in listed.stdout
    assert "start it again, and read the end of its log" in listed.stdout
    assert "sierra: 1 high unacknowledged; 1 raised within 10 minutes" in listed.stdout

    acknowledged = dotbus(broker.port, "ack", "a/service-down", "--comment", "on my way", folder=tmp_path)
    assert (acknowledged.exit_code, acknowledged.stderr) == (0, "")
    assert acknowledged.stdout == f"{NAME}: acknowledged (ads_ingest/a is offline)\n"
    assert dotbus(broker.port, folder=tmp_path).exit_code == 3, "it holds still"

    shelved = dotbus(broker.port, "shelve", NAME, "--for", "90m", "--comment", "is replaced", folder=tmp_path)
    assert shelved.exit_code == 0, shelved.stderr
    listed = dotbus(broker.port, "--all", "--plant", "sierra", folder=tmp_path)
    assert listed.exit_code == 0, "what is shelved nobody has to look at"
    assert "by M. Ortiz: is replaced" in listed.stdout

    assert dotbus(broker.port, "unshelve", NAME, "--by", "K. Lee", folder=tmp_path).exit_code == 0
    expected = [
        ("acknowledged", "M. Ortiz", "on my way"),
        ("shelved", "M. Ortiz", "is replaced"),
        ("unshelved", "K. Lee", None),
    ]
    eventually(
        lambda: [(one.what, one.changed_by, one.comment) for one in listener.of(AlarmChanged) if one.changed_by] == expected
    )
    until = next(one.shelved_until for one in listener.of(AlarmChanged) if one.what == "shelved")
    assert timedelta(minutes=89) < until - datetime.now(UTC) <= timedelta(minutes=90)


def test_what_may_not_be_done_ends_with_two_and_says_why(broker, listener, service, tmp_path):
    eventually(lambda: state_of(listener) == "unacknowledged")
    for arguments, why in [
        (("unshelve", NAME), f"{NAME}: refused: it is unacknowledged"),
        (("shelve", NAME, "--for", "13h", "--comment", "why"), "may be shelved for 12 h at once"),
        (("shelve", NAME, "--for", "1h", "--comment", " "), "needs a `comment`"),
        (("ack", "sierra/S1/dot-stale"), "there is no such alarm; `dotbus alarms --all` shows which there are"),
        (("ack", NAME, "no-such"), "no-such: there is no such alarm"),
        (("--plant", "delta"), "nothing is said of a plant delta"),
    ]:
        ended = dotbus(broker.port, *arguments, folder=tmp_path)
        assert (ended.exit_code, why in ended.stderr) == (1 if arguments[0] == "--plant" else 2, True), ended
    assert dotbus(broker.port, "ack", NAME, folder=tmp_path, DOTBUS_PERSON="").exit_code == 2
    assert state_of(listener) == "unacknowledged", "where one of several is not known nothing is done"


def test_programs_read_it_as_json(broker, listener, service, tmp_path):
    eventually(lambda: state_of(listener) == "unacknowledged")
    listed = dotbus(broker.port, "--json", folder=tmp_path)
    document = json.loads(listed.stdout)
    assert (document["is_whole"], document["open"], [one["name"] for one in document["alarms"]]) == (True, 1, [NAME])
    assert {one["plant"] for one in document["summaries"]} == {"sierra", "installation"}


def test_a_service_that_says_nothing_is_not_taken_for_no_alarm(broker, tmp_path):
    listed = dotbus(broker.port, folder=tmp_path)
    assert (listed.exit_code, listed.stdout) == (1, "")
    assert "the service of alarms says nothing" in listed.stderr


def test_no_broker_and_no_database_are_told_in_one_line(broker, tmp_path):
    broker.kill()
    listed = dotbus(broker.port, folder=tmp_path)
    assert listed.exit_code == 1
    assert listed.stderr.splitlines()[-1] == f"the broker at 127.0.0.1:{broker.port} cannot be reached: Connection refused"
    no_database = {"DOTBUS_DATABASE_URL": f"postgresql://reader@127.0.0.1:{broker.port}/dotbus"}
    ended = dotbus(broker.port, "history", folder=tmp_path, **no_database)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.startswith("the database does not answer: ")


def test_the_history_has_who_did_what_and_the_figures_by_plant(broker, listener, service, database, tmp_path):
    historian = Historian(tmp_path / "historian", broker.port, database)
    historian.start()
    try:
        eventually(lambda: historian.is_ready, within_s=60)
        eventually(lambda: state_of(listener) == "unacknowledged")
        assert dotbus(broker.port, "ack", NAME, "--comment", "seen", folder=tmp_path).exit_code == 0
        at = {"DOTBUS_DATABASE_URL": database}

        def told() -> dict:
            ended = dotbus(broker.port, "history", "--json", "--plant", "sierra", folder=tmp_path, **at)
            assert ended.exit_code == 0, ended.stderr
            return json.loads(ended.stdout)

        document = eventually(lambda: (found := told())["events"][1:] and found, within_s=30)
        assert [(one["what"], one["changed_by"]) for one in document["events"]] == [
            ("raised", None),
            ("acknowledged", "M. Ortiz"),
        ]
        assert (document["figures"]["raised"], document["figures"]["flood_min"]) == (1, 0)
        assert document["figures"]["most_often"] == [{"name": NAME, "raised": 1}]
        lines = dotbus(broker.port, "history", "--last", "1h", folder=tmp_path, **at).stdout.splitlines()
        assert "acknowledged    installation/ads_ingest/a/service-down  by M. Ortiz: seen" in lines[1]
        assert lines[2] == "1 raised in 1 h (1.0 an hour), 1 within 10 minutes at the most"
    finally:
        historian.clean_up()
