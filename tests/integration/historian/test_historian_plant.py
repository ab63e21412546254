"""What a plant's own system publishes with a client of somebody else's is in the database, once, and beside the DOT."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from historian_parts import letters, stored
from historian_process import Process
from real_mosquitto import Mosquitto
from waiting import eventually

from dotbus.contracts.topics import Topics
from dotbus.testing import samples

pytestmark = pytest.mark.integration

TOPICS = Topics()
DOCUMENT = (Path(__file__).parents[3] / "docs/telemetry.md").read_text(encoding="utf-8")
FIXTURES = Path(__file__).parents[2] / "fixtures/v1"
RESOURCE = "TEST_RESOURCE_1"
POINT = TOPICS.telemetry("sierra", RESOURCE, "actual_mw")


@pytest.fixture
def historian(broker: Mosquitto, database: str, tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path, broker.port, database)
    process.start()
    eventually(lambda: process.is_ready, within_s=60)
    yield process
    process.clean_up()


def publish(broker: Mosquitto, topic: str, payload: str | bytes, *options: str) -> None:
    command = ["mosquitto_pub", "-V", "5", "-q", "1", "-h", "127.0.0.1", "-p", str(broker.port), "-t", topic, "-s", *options]
    subprocess.run(command, input=payload if isinstance(payload, bytes) else payload.encode(), check=True, timeout=30)


def said(name: str, **changes: object) -> str:
    """A sample of before as JSON, with some of it said otherwise."""
    return json.dumps(json.loads((FIXTURES / f"{name}.json").read_bytes()) | changes)


def at(seconds: float) -> str:
    return (samples.AT + timedelta(seconds=seconds)).isoformat()


def values(database: str) -> list[tuple]:
    return stored(database, "SELECT value, quality FROM telemetry_history ORDER BY time")


def test_the_command_of_the_document_puts_a_value_into_the_database(broker, historian, database):
    (script,) = re.findall(r"```\n(root=.*?)```", DOCUMENT, re.DOTALL)
    at_broker = script.replace("mosquitto_pub", f"mosquitto_pub -h 127.0.0.1 -p {broker.port}")
    before = datetime.now(UTC) - timedelta(seconds=1)
    subprocess.run(["bash", "-euc", at_broker], check=True, timeout=30)
    eventually(lambda: values(database) == [(48.2, 192)], within_s=30)
    ((time, source),) = stored(database, "SELECT time, source FROM telemetry_history")
    assert before <= time <= datetime.now(UTC)
    assert source == "scada/sierra"
    assert letters(database) == []


def test_a_retained_point_is_stored_once_though_the_broker_says_it_at_each_start(broker, historian, database):
    publish(broker, POINT, said("telemetry"), "-r")
    eventually(lambda: len(values(database)) == 1, within_s=30)
    assert historian.end(signal.SIGTERM) == 0
    publish(broker, POINT, said("telemetry", time=at(180), value=50.0), "-r")
    historian.start()
    eventually(lambda: values(database) == [(48.2, 64), (50.0, 64)], within_s=60)
    assert letters(database) == []


def test_a_writer_that_fell_silent_and_one_that_came_back_stand_beside_the_dot(broker, historian, database):
    good = {"quality": 192, "reasons": [], "valid_until": at(600)}
    publish(broker, TOPICS.dispatch("sierra", RESOURCE), (FIXTURES / "dispatch-plant-seq.json").read_bytes())
    publish(broker, POINT, said("telemetry", time=at(30), value=10.0, **good), "-r")
    publish(broker, POINT, said("telemetry", time=at(90), value=10.0, quality=0, reasons=["stale"]), "-r")
    publish(broker, POINT, said("telemetry", time=at(150), value=13.5, **good), "-r")
    rows = "SELECT actual_mw, quality, dot_mw, deviation_mw FROM actual_vs_dot WHERE schedule = 'five-minute' ORDER BY time"
    expected = [(10.0, 192, 12.0, -2.0), (10.0, 0, 12.0, None), (13.5, 192, 12.0, 1.5)]
    eventually(lambda: stored(database, rows) == expected, within_s=30)


def test_writes_are_kept_once_and_what_is_none_is_a_dead_letter(broker, historian, database):
    topic = TOPICS.write("sierra", RESOURCE)
    taken = said("write", id="write/2", seq=2, write_seq=2, outcome="taken", refused_by=None, new_value=41.0)
    for payload in (said("write"), taken, said("write"), "41.0", said("write", id="write/3", seq=3, plant="delta")):
        publish(broker, topic, payload)
    eventually(lambda: len(letters(database)) == 2, within_s=30)
    written = stored(database, "SELECT outcome, old_value, new_value, written_by FROM point_write_history ORDER BY seq")
    assert written == [
        ("refused", 40.0, 400.0, "CN=scada-1,O=Sierra"),
        ("taken", 40.0, 41.0, "CN=scada-1,O=Sierra"),
    ]
