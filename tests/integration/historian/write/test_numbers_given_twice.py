"""An outbox that is restored while the broker loses what it retained: what its numbers hide is sent under others."""

import shutil
from pathlib import Path

import paho.mqtt.client as mqtt
import psycopg2
import pytest
from historian_database import environment
from historian_parts import stored
from historian_source import INGEST, TOPICS, Source, running_historian
from paho.mqtt.enums import CallbackAPIVersion
from real_mosquitto import Mosquitto
from waiting import eventually

pytestmark = pytest.mark.integration


def forget(broker: Mosquitto) -> None:
    """The broker lost what it knew of the source, and what waited for the historian."""
    for client_id in ("historian-test", "source"):  # a clean start ends the session that was
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
        client.connect("127.0.0.1", broker.port, clean_start=True)
        client.loop_start()
        for topic in (TOPICS.stream(INGEST.service, INGEST.instance), TOPICS.service(INGEST.service, INGEST.instance)):
            client.publish(topic, b"", qos=1, retain=True).wait_for_publish(10)
        client.disconnect()
        client.loop_stop()


def test_what_an_old_outbox_hides_under_numbers_that_are_taken_comes_under_others(
    broker: Mosquitto, database: str, tmp_path: Path
):
    folder, backup = tmp_path / "source", tmp_path / "backup"
    settings = environment(tmp_path, database, broker.port, REPLAY_GRACE_S="0.5")

    def batches() -> set[str]:
        try:
            return {uid for (uid,) in stored(database, "SELECT batch_uid FROM dispatch_batch_history")}
        except psycopg2.errors.UndefinedTable:
            return set()

    def holds(last: int) -> None:
        eventually(lambda: batches() == {f"B{number}" for number in range(1, last + 1)}, within_s=60)

    with running_historian(settings):
        with Source(broker.port, folder).running() as source:
            source.say(1, 5)
            holds(5)
        shutil.copytree(folder, backup)
        with Source(broker.port, folder).running() as source:
            source.say(6, 9)
            holds(9)
    shutil.rmtree(folder)
    shutil.copytree(backup, folder)
    forget(broker)
    with Source(broker.port, folder).running() as source:
        source.say(10, 12)
        eventually(lambda: source.outbox.span().unpublished == 0)
        forget(broker)
        stream = source.outbox.stream
        with running_historian(settings):
            holds(9)
            source.say(13, 13)  # under the number of B9
            holds(13)
        assert source.outbox.stream != stream
    found = stored(database, "SELECT stream, received::text, lost::text FROM stream_sequence ORDER BY received")
    assert sorted(row[1:] for row in found) == [("{[1,10)}", "{}"), ("{[1,10)}", "{}")]
