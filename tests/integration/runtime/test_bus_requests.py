"""A command and its reply over a real Mosquitto, asked by another client than ours (paho), with and without MQTT 5."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
import pytest
from ads_replies import envelope
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from real_mosquitto import Mosquitto
from waiting import eventually

from ads_ingest.responding.account import AccountAnswers
from ads_ingest.responding.answer_log import AnswerLog
from ads_ingest.responding.automatic import Instances
from ads_ingest.responding.commands import Asked, Result
from ads_ingest.responding.responder import Responder
from ads_ingest.responding.settling import Settling
from ads_ingest.responding.wiring import Answering
from ads_ingest.translate import Sender
from caiso.ads import AdsClient
from caiso.ads.records import Question, Reply
from dotbus.contracts.codec import decode_as, encode
from dotbus.contracts.messages import InstructionResponseReply
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Outgoing
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings
from dotbus.testing import samples

pytestmark = pytest.mark.integration

INSTALLATION = Installation.model_validate(
    {"environment": "simulator", "plant": [{"name": "sierra", "resource": [{"id": "TEST_RESOURCE_1"}]}]}
)
Requester = tuple[mqtt.Client, list[mqtt.MQTTMessage]]
TOPICS = INSTALLATION.topics
PARTIAL = TOPICS.respond("sierra", "TEST_RESOURCE_1", "partial")
REPLY = TOPICS.respond_reply("sierra", "TEST_RESOURCE_1", "partial")


def at() -> datetime:
    """The time of the samples."""
    return samples.AT


class Caiso:
    """The response service in memory: it takes every answer."""

    def __init__(self) -> None:
        self.asked: list[Question] = []

    def fetch(self, question: Question) -> Reply:
        self.asked.append(question)
        return Reply(question, 200, envelope(question.operation, "0"))


@contextmanager
def answering(broker: Mosquitto, folder: Path, name: str = "a") -> Iterator[Caiso]:
    """A service that knows the instructions of the samples, at their time."""
    sender, caiso = Sender(INSTALLATION, f"ads_ingest/{name}"), Caiso()
    outbox = Outbox(folder / name / "outbox.sqlite", max_age_s=1e9, max_bytes=10**8)
    bus = Bus(BusSettings(port=broker.port), f"{sender.source}/answers", clock=utc_now)
    hearing = Bus(BusSettings(port=broker.port), f"{sender.source}/heard", clock=utc_now)

    def deliver() -> None:
        for event in outbox.unpublished(100):
            bus.publish([Outgoing(event.topic, event.payload)])
            outbox.mark_published([event.number])

    log = AnswerLog(outbox, sender, committed=deliver, clock=at)
    settling = Settling(bus, log, sender, clock=at)

    def judge(asked: Asked) -> Result | None:
        return log.judge(asked, samples.instructions().instructions, at())

    account = AccountAnswers(
        "", AdsClient(caiso), claim=lambda asked: log.claim(asked, 10.0, 10.0), judge=judge, settle=settling.settle
    )
    responder = Responder(
        bus,
        hearing,
        sender,
        log,
        settling,
        judge=judge,
        account_of=lambda _resource_id: account,
        accounts=[account],
        automatic=None,
        instances=Instances(sender.source),
        is_shared=True,
    )
    listening: list[bool] = []
    for each in (bus, hearing):
        each._client.on_subscribe = lambda *_: listening.append(True)
    with Answering(bus, hearing, responder).serving():
        eventually(lambda: len(listening) == 2)
        yield caiso
    outbox.close()


@pytest.fixture
def service(broker: Mosquitto, tmp_path: Path) -> Iterator[Caiso]:
    with answering(broker, tmp_path) as caiso:
        yield caiso


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


def test_a_request_is_answered_on_its_own_topic_with_its_own_data(broker: Mosquitto, service: Caiso):
    own = f"{REPLY}/screen-1"
    with requester(broker, own) as (client, got):
        client.publish(PARTIAL, encode(samples.respond()), qos=1, properties=asking(own, b"\x00seven\xff"))
        eventually(lambda: got)
    assert got[0].properties.CorrelationData == b"\x00seven\xff"
    assert (read_reply(got[0]).outcome, read_reply(got[0]).command_id) == ("taken", samples.respond().command_id)
    assert [question.operation for question in service.asked] == ["partialAcceptInstruction"]


def test_two_requesters_tell_their_replies_apart(broker: Mosquitto, service: Caiso):
    with requester(broker, f"{REPLY}/+") as (client, got):
        for name in (b"one", b"two"):
            client.publish(PARTIAL, encode(samples.respond()), qos=1, properties=asking(f"{REPLY}/{name.decode()}", name))
        eventually(lambda: len(got) == 2)
    assert {message.topic: message.properties.CorrelationData for message in got} == {
        f"{REPLY}/one": b"one",
        f"{REPLY}/two": b"two",
    }
    assert len(service.asked) == 1, "it is one command"


@pytest.mark.usefixtures("service")
def test_a_requester_without_mqtt_5_is_answered_on_the_topic_of_replies(broker: Mosquitto):
    with requester(broker, REPLY, protocol=mqtt.MQTTv311) as (client, got):
        client.publish(PARTIAL, encode(msgspec.structs.replace(samples.respond(), accept_dot_mw=99.0)), qos=1)
        eventually(lambda: got)
    assert (read_reply(got[0]).outcome, read_reply(got[0]).refused_by) == ("refused", "megawatts")
    assert "40" in read_reply(got[0]).detail


OTHERS = (TOPICS.dot("sierra", "TEST_RESOURCE_1"), TOPICS.respond_reply("delta", "D1", "accept"), "x")


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("elsewhere", OTHERS)
def test_a_reply_is_never_written_where_the_requester_may_not_write(broker: Mosquitto, elsewhere: str):
    with requester(broker, REPLY, elsewhere) as (client, got):
        client.publish(PARTIAL, encode(samples.respond()), qos=1, properties=asking(elsewhere, b"1"))
        eventually(lambda: got)
    assert [message.topic for message in got] == [REPLY]


def test_a_retained_command_is_passed_over_by_whoever_comes_later(broker: Mosquitto, tmp_path: Path):
    old, new = samples.respond(), msgspec.structs.replace(samples.respond(), command_id="new")
    with requester(broker, REPLY) as (client, got):
        client.publish(PARTIAL, encode(old), qos=1, retain=True).wait_for_publish(10)
        with answering(broker, tmp_path) as caiso:
            client.publish(PARTIAL, encode(new), qos=1)
            eventually(lambda: "new" in [read_reply(message).command_id for message in tuple(got)])
    said = {read_reply(message).command_id: read_reply(message) for message in got}
    assert len(caiso.asked) == 1
    # Mosquitto 2.0.11 keeps where a retained command wants its reply, 2.0.21 does not: by the first one is told of the refusal.
    assert [each.outcome for command, each in said.items() if command != "new"] in ([], ["refused"])
