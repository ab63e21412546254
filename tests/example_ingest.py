"""Who speaks to the example clients: ads_ingest as they see it, with the samples of dotbus.testing at the time that it is."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from waiting import eventually

from dotbus.contracts.codec import decode_as, encode
from dotbus.contracts.messages import (
    AnyMessage,
    Dispatch,
    Dot,
    DotInterval,
    Environment,
    InstructionResponse,
    InstructionResponseReply,
    Instructions,
    ServiceStatus,
)
from dotbus.contracts.topics import Topics
from dotbus.testing import samples

PLANT = "sierra"
FIVE_MINUTES = timedelta(minutes=5)
STARTED_AT = datetime.now(UTC)


def now() -> datetime:
    return datetime.now(UTC)


def status(*, online: bool = True) -> ServiceStatus:
    """A heartbeat, or the orderly end."""
    told = samples.service_status()
    upstreams = tuple(
        msgspec.structs.replace(each, name=name, last_ok_at=now(), clock_offset_s=0.0, last_error=None, last_error_at=None)
        for each in told.upstreams
        for name in ("ads_dispatch", "ads_trajectory")
    )
    return msgspec.structs.replace(told, time=now(), started_at=STARTED_AT, online=online, upstreams=upstreams)


def dot(
    resource: str,
    dot_mw: float = 12.0,
    *,
    environment: Environment = Environment.SIMULATOR,
    heard_ago_s: float = 0.0,
    valid_for_s: float = 60.0,
) -> Dot:
    """A DOT that is in force, as it was heard so long ago."""
    heard_at, told = now() - timedelta(seconds=heard_ago_s), samples.dot()
    return msgspec.structs.replace(
        told,
        environment=environment,
        resource_id=resource,
        time=heard_at,
        heard_at=heard_at,
        received_at=heard_at,
        valid_until=heard_at + timedelta(seconds=valid_for_s),
        reasons=(),
        intervals=(_in_force(told.intervals[0], dot_mw),),
    )


def _in_force(sample: DotInterval, dot_mw: float) -> DotInterval:
    start = now() - timedelta(minutes=1)
    return msgspec.structs.replace(
        sample,
        interval_start=start,
        interval_end=start + FIVE_MINUTES,
        target_at=start + FIVE_MINUTES / 2,
        batch_received_at=start - timedelta(minutes=2),
        dot_mw=dot_mw,
    )


def dispatch(number: int, resource: str) -> Dispatch:
    """The dispatch of this number of the plant."""
    return msgspec.structs.replace(
        samples.dispatch(), id=f"dispatch/{number}/1/{resource}", seq=number, plant_seq=number, resource_id=resource, time=now()
    )


def instructions(resource: str) -> Instructions:
    """What is instructed, of which one may be answered still."""
    told, soon = samples.instructions(), now() + timedelta(minutes=10)
    hourly, *others = told.instructions
    assert hourly.answer
    open_still = msgspec.structs.replace(hourly, answer=msgspec.structs.replace(hourly.answer, open_until=soon))
    return msgspec.structs.replace(
        told, resource_id=resource, time=now(), heard_at=now(), valid_until=soon, instructions=(open_still, *others)
    )


@dataclass
class Ingest:
    """A connection as ads_ingest. It notes each command with its response topic, and answers that CAISO has taken it."""

    client: mqtt.Client
    topics: Topics
    commands: list[tuple[str, str, InstructionResponse]] = field(default_factory=list)

    def say(self, topic: str, message: AnyMessage, *, retained: bool = False) -> None:
        """Publish a message, and wait until the broker has it."""
        self.client.publish(topic, encode(message), qos=1, retain=retained).wait_for_publish(10)

    def beat(self, *, online: bool = True) -> None:
        """Say how it is."""
        self.say(self.topics.service("ads_ingest", "a"), status(online=online), retained=True)

    def dot(self, message: Dot) -> None:
        """Say a DOT on the topic of its resource."""
        self.say(self.topics.dot(PLANT, message.resource_id), message, retained=True)

    def dispatch(self, number: int, resource: str) -> None:
        """Say a dispatch."""
        self.say(self.topics.dispatch(PLANT, resource), dispatch(number, resource))

    def answer(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        """Note a command and reply to it, as it asks."""
        command = decode_as(message.payload, InstructionResponse)
        self.commands.append((message.topic, message.properties.ResponseTopic, command))
        reply = msgspec.structs.replace(
            samples.respond_reply(),
            batch_uid=command.batch_uid,
            instruction_uid=command.instruction_uid,
            command_id=command.command_id,
            time=now(),
        )
        properties = Properties(PacketTypes.PUBLISH)
        properties.CorrelationData = message.properties.CorrelationData
        assert isinstance(reply, InstructionResponseReply)
        self.client.publish(message.properties.ResponseTopic, encode(reply), qos=1, properties=properties)


@contextmanager
def ingesting(port: int, password: str, ca: Path, topics: Topics) -> Iterator[Ingest]:
    """ads_ingest at a broker of an installation, for as long as a test takes."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.username_pw_set("ads_ingest", password)
    client.tls_set(ca_certs=str(ca))
    ingest, subscribed = Ingest(client, topics), threading.Event()
    client.on_message = ingest.answer
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    eventually(client.is_connected)
    client.subscribe(topics.every_respond(PLANT), qos=1)
    assert subscribed.wait(10)
    try:
        yield ingest
    finally:
        client.disconnect()
        client.loop_stop()


def lines_of(text: str) -> list[dict[str, Any]]:
    """What a client said: a line of JSON each."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]
