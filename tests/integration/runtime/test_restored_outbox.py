"""Against a real Mosquitto: an outbox restored from a back-up gives no number twice, though its process was killed."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from real_mosquitto import Mosquitto
from waiting import eventually

from dotbus.contracts.codec import decode, encode
from dotbus.contracts.messages import Dispatch, Environment, ReplayReply, ReplayRequest, ServiceStatus, StreamState
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Outgoing
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings

pytestmark = pytest.mark.integration

TOPICS = Topics()


@pytest.fixture
def heard(broker: Mosquitto):
    """Everything that is said, by a subscriber that asks for replays as well."""
    heard: list[object] = []

    def keep(delivery) -> None:
        delivery.ack()
        heard.append(decode(delivery.payload))

    bus = Bus(BusSettings(port=broker.port), "reader", clock=utc_now)
    bus.subscribe([f"{TOPICS.root}/plant/#", f"{TOPICS.root}/service/+/+", TOPICS.every(Subject.REPLAY_REPLY)], keep)
    bus.subscribe([TOPICS.every(Subject.STREAM)], keep)
    bus.start()
    eventually(lambda: bus.connected)
    bus.publish([Outgoing("listening", b"")])  # answered once the broker has read our subscriptions
    yield heard, bus
    bus.stop()


def of(heard: list[object], kind: type):
    return [message for message in heard if isinstance(message, kind)]


def test_after_a_kill_and_a_restore_nothing_is_said_under_a_number_that_is_taken(broker: Mosquitto, heard, tmp_path: Path):
    said, bus = heard
    state, backup = tmp_path / "state", tmp_path / "backup"
    with ingesting(broker, state, said, [1, 2, 3]):
        pass
    shutil.copytree(state, backup)
    with ingesting(broker, state, said, [4, 5]):
        pass
    assert of(said, ServiceStatus)[-1].outbox is None, "the last will replaced what the status told of the stream"
    shutil.rmtree(state)
    shutil.copytree(backup, state)
    old = of(said, StreamState)[-1].stream
    with ingesting(broker, state, said, [6]) as log:
        bus.publish([Outgoing(TOPICS.replay("ads_ingest", "a"), encode(request(old, 1, 5)))])
        (reply,) = eventually(lambda: of(said, ReplayReply))
        new = of(said, StreamState)[-1].stream
    assert "a new stream begins" in log.read_text()
    places = {(message.stream, message.seq): message.id for message in of(said, Dispatch)}
    assert places == {(old, number): f"id-{number}" for number in range(1, 6)} | {(new, 1): "id-6"}
    assert (reply.sent, reply.lost, reply.oldest_seq) == (3, ((4, 5),), 1)


def request(stream: str, first_seq: int, last_seq: int) -> ReplayRequest:
    return ReplayRequest(
        environment=Environment.SIMULATOR,
        source="historian/a",
        time=utc_now(),
        stream=stream,
        first_seq=first_seq,
        last_seq=last_seq,
    )


@contextmanager
def ingesting(broker: Mosquitto, folder: Path, said: list[object], numbers: list[int]) -> Iterator[Path]:
    """An ingest that has published these events, and is killed in the end. Gives its log."""
    program, log = folder.parent / "ingest.py", folder.parent / "log"
    program.write_text(INGEST)
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, program, str(broker.port), folder, *map(str, numbers)], stdout=output, stderr=output
        )
    try:
        eventually(lambda: "all are marked" in log.read_text(), within_s=60)
        eventually(lambda: any(message.id == f"id-{numbers[-1]}" for message in of(said, Dispatch)))
        eventually(lambda: of(said, ServiceStatus) and of(said, ServiceStatus)[-1].online)
        yield log
    finally:
        process.kill()
        process.wait()
    eventually(lambda: not of(said, ServiceStatus)[-1].online)


INGEST = """
import sys, time
from pathlib import Path
import msgspec
from prometheus_client import CollectorRegistry
from dotbus.contracts.messages import Environment
from dotbus.contracts.topics import Topics
from dotbus.runtime.ingest import Ingest
from dotbus.runtime.presence import Identity
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings, KeepingSettings, ServiceSettings
from dotbus.testing import samples
port, folder, *numbers = sys.argv[1:]
ingest = Ingest(
    Identity("ads_ingest", "a", Environment.SIMULATOR, utc_now()), Topics(), BusSettings(port=int(port)),
    KeepingSettings(state_dir=Path(folder), outbox_max_age_days=1, outbox_max_mb=1), CollectorRegistry(),
    upstreams=list, clock=utc_now,
)
for number in numbers:
    event = msgspec.structs.replace(samples.dispatch(), id=f"id-{number}")
    ingest.outbox.commit(utc_now(), events=[(Topics().dispatch("sierra", "r"), event)])
with ingest.serving(ServiceSettings(), is_late=lambda: False):
    while ingest.outbox.span().unpublished:
        time.sleep(0.01)
    print("all are marked", flush=True)
    time.sleep(60)  # it is killed long before; without that it must not stay for ever
"""
