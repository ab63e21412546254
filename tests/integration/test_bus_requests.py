"""A command and its reply over a real Mosquitto, asked by another client than ours (paho), with and without MQTT 5."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Queue

import msgspec
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from real_mosquitto import Mosquitto
from waiting import eventually

from ads_ingest.responding.answers import Answers
from ads_ingest.responding.checks import Situation, refusal
from ads_ingest.responding.commands import Asked, Result, read_command, reply_of, reply_topic
from ads_ingest.translate import Sender
from dotbus.contracts.codec import decode_as, encode
from dotbus.contracts.messages import InstructionResponseReply
from dotbus.contracts.topics import Subject
from dotbus.runtime.bus import Bus
from dotbus.runtime.bus_messages import Delivery, Outgoing
from dotbus.runtime.installation import Installation
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings import BusSettings
from dotbus.testing import samples

pytestmark = pytest.mark.integration

INSTALLATION = Installation.model_validate(
    {"environment": "simulator", "plant": [{"name": "sierra", "resource": [{"id": "TEST_RESOURCE_1"}]}]}
)
Requester = tuple[mqtt.Client, list[mqtt.MQTTMessage]]
SENDER = Sender(INSTALLATION, "ads_ingest/a")
TOPICS = INSTALLATION.topics
PARTIAL = TOPICS.respond("sierra", "TEST_RESOURCE_1", "partial")
REPLY = TOPICS.respond_reply("sierra", "TEST_RESOURCE_1", "partial")


def answer_to(delivery: Delivery) -> Outgoing:
    """What a service says to a command at the time of the samples, CAISO left out."""
    read, address = read_command(delivery, TOPICS), TOPICS.read(delivery.topic)
    assert isinstance(read, Asked)
    assert address
    situation = Situation(INSTALLATION, samples.instructions().instructions, Answers(), samples.AT, samples.AT)
    result = refusal(read, situation) or Result("taken", "CAISO has taken the answer", result_code=0)
    reply = reply_of(read, result, SENDER, samples.AT)
    return Outgoing(reply_topic(delivery, address, TOPICS), encode(reply), correlation=delivery.correlation)


@dataclass
class Service:
    """Who is subscribed to every command."""

    bus: Bus
    came: Queue[Delivery]

    def answer_next(self) -> Delivery:
        delivery = self.came.get(timeout=10)
        self.bus.publish([answer_to(delivery)])
        delivery.ack()
        return delivery


@pytest.fixture
def service(broker: Mosquitto) -> Iterator[Service]:
    bus, came = Bus(BusSettings(port=broker.port), "ads_ingest/a", clock=utc_now), Queue[Delivery]()
    bus.subscribe([TOPICS.every(Subject.RESPOND)], came.put)
    listening: list[bool] = []
    bus._client.on_subscribe = lambda *_: listening.append(True)
    bus.start()
    eventually(lambda: listening)
    yield Service(bus, came)
    bus.stop()


@contextmanager
def requester(broker: Mosquitto, *topics: str, protocol: int = mqtt.MQTTv5) -> Iterator[Requester]:
    """A client of somebody else's that listens to topics."""
    got: list[mqtt.MQTTMessage] = []
    listening: list[int] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=protocol)
    client.on_message = lambda _c, _u, message: got.append(message)
    client.on_subscribe = lambda *_: listening.append(1)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    for topic in topics:
        client.subscribe(topic, qos=1)
    eventually(lambda: len(listening) == len(topics))
    try:
        yield client, got
    finally:
        client.disconnect()
        client.loop_stop()


def asking(response_topic: str, correlation: bytes) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ResponseTopic = response_topic
    properties.CorrelationData = correlation
    return properties


def read_reply(message: mqtt.MQTTMessage) -> InstructionResponseReply:
    return decode_as(message.payload, InstructionResponseReply)


def test_a_request_is_answered_on_its_own_topic_with_its_own_data(broker: Mosquitto, service: Service):
    own = f"{REPLY}/screen-1"
    with requester(broker, own) as (client, got):
        client.publish(PARTIAL, encode(samples.respond()), qos=1, properties=asking(own, b"\x00seven\xff"))
        delivery = service.answer_next()
        eventually(lambda: got)
    assert (delivery.response_topic, delivery.correlation) == (own, b"\x00seven\xff")
    assert got[0].properties.CorrelationData == b"\x00seven\xff"
    assert (read_reply(got[0]).outcome, read_reply(got[0]).command_id) == ("taken", samples.respond().command_id)


def test_two_requesters_tell_their_replies_apart(broker: Mosquitto, service: Service):
    with requester(broker, f"{REPLY}/+") as (client, got):
        for name in (b"one", b"two"):
            client.publish(PARTIAL, encode(samples.respond()), qos=1, properties=asking(f"{REPLY}/{name.decode()}", name))
        service.answer_next()
        service.answer_next()
        eventually(lambda: len(got) == 2)
    assert {message.topic: message.properties.CorrelationData for message in got} == {
        f"{REPLY}/one": b"one",
        f"{REPLY}/two": b"two",
    }


def test_a_requester_without_mqtt_5_is_answered_on_the_topic_of_replies(broker: Mosquitto, service: Service):
    with requester(broker, REPLY, protocol=mqtt.MQTTv311) as (client, got):
        client.publish(PARTIAL, encode(msgspec.structs.replace(samples.respond(), accept_dot_mw=99.0)), qos=1)
        service.answer_next()
        eventually(lambda: got)
    assert (read_reply(got[0]).outcome, read_reply(got[0]).refused_by) == ("refused", "megawatts")
    assert "40" in read_reply(got[0]).detail


OTHERS = (TOPICS.dot("sierra", "TEST_RESOURCE_1"), TOPICS.respond_reply("delta", "D1", "accept"), "x")


@pytest.mark.parametrize("elsewhere", OTHERS)
def test_a_reply_is_never_written_where_the_requester_may_not_write(broker: Mosquitto, service: Service, elsewhere: str):
    with requester(broker, REPLY, elsewhere) as (client, got):
        client.publish(PARTIAL, encode(samples.respond()), qos=1, properties=asking(elsewhere, b"1"))
        service.answer_next()
        eventually(lambda: got)
    assert [message.topic for message in got] == [REPLY]


def test_a_retained_command_is_passed_over_by_whoever_comes_later(broker: Mosquitto, service: Service):
    late: list[Delivery] = []
    with requester(broker) as (client, _):
        client.publish(PARTIAL, encode(samples.respond()), qos=1, retain=True).wait_for_publish(10)
    bus = Bus(BusSettings(port=broker.port), "ads_ingest/b", clock=utc_now)
    bus.subscribe([TOPICS.every(Subject.RESPOND)], late.append)
    bus.start()
    eventually(lambda: late)
    bus.stop()
    assert late[0].retained
    assert read_command(late[0], TOPICS) is None
    assert isinstance(read_command(service.came.get(timeout=10), TOPICS), Asked)
