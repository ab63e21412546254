"""One status that says that all is gone, with the source's own credentials, costs no event, in the running historian."""

from pathlib import Path

import msgspec
import pytest
from historian_parts import named
from historian_process import Process
from historian_source import INGEST, TOPICS, Source
from real_mosquitto import Mosquitto
from waiting import eventually

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import OutboxSpan
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Outgoing
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings

pytestmark = pytest.mark.integration

BEYOND = 2**62
LOST = "SELECT lost::text, received::text FROM source_sequence"


def say_that_all_is_gone(port: int, stream: str) -> None:
    liar = Bus(BusSettings(port=port), "liar", clock=utc_now)
    liar.start()
    eventually(lambda: liar.connected)
    lie = msgspec.structs.replace(
        INGEST.status(utc_now()), outbox=OutboxSpan(stream=stream, first_seq=BEYOND, last_seq=BEYOND, unpublished=0)
    )
    liar.publish([Outgoing(TOPICS.service(INGEST.service, INGEST.instance), encode(lie), retain=True)])
    liar.stop()


def test_what_a_lie_said_to_be_gone_is_asked_for_and_stored_once_the_source_speaks_itself(
    broker: Mosquitto, database: str, tmp_path: Path
):
    (folder := tmp_path / "source").mkdir()
    source, historian = Source(broker.port, folder), Process(tmp_path / "historian", broker.port, database)
    try:
        say_that_all_is_gone(broker.port, source.outbox.stream)
        historian.start()
        eventually(lambda: historian.said("events are lost"), within_s=30)
        assert named(database, LOST) == [{"lost": f"{{[1,{BEYOND})}}", "received": "{}"}]
        with source.running():
            source.say(1, 20)
            eventually(lambda: named(database, LOST) == [{"lost": "{}", "received": "{[1,21)}"}], within_s=30)
        assert named(database, "SELECT 1 FROM lost_events WHERE found_at IS NULL") == []
    finally:
        historian.clean_up()
