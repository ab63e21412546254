"""Subscriptions that change while the bus is connected, at a real Mosquitto; paho publishes."""

from collections.abc import Iterator
from contextlib import contextmanager

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from real_mosquitto import Mosquitto
from waiting import eventually

from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings

pytestmark = pytest.mark.integration


class Seen:
    """What came, by topic."""

    def __init__(self) -> None:
        self.payloads: dict[str, list[bytes]] = {}

    def take(self, delivery: Delivery) -> None:
        self.payloads.setdefault(delivery.topic, []).append(delivery.payload)
        delivery.ack()


@contextmanager
def publisher(port: int) -> Iterator[mqtt.Client]:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


@pytest.fixture(params=["5", "3.1.1"])
def bus(request: pytest.FixtureRequest, broker: Mosquitto) -> Iterator[Bus]:
    bus = Bus(BusSettings(port=broker.port, protocol=request.param), f"changes-{request.param}", clock=utc_now)
    yield bus
    bus.stop()


def say(client: mqtt.Client, topic: str, payload: str, *, retain: bool = False) -> None:
    client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)


def test_what_is_subscribed_to_while_connected_comes_at_once_and_after_a_reconnect(bus: Bus, broker: Mosquitto):
    first, second = Seen(), Seen()
    with publisher(broker.port) as client:
        say(client, "changes/b/1", "kept", retain=True)
        bus.subscribe(["changes/a/+"], first.take)
        bus.start()
        eventually(lambda: bus.connected)
        say(client, "changes/b/2", "nobody asked")
        bus.subscribe(["changes/b/+"], second.take)
        eventually(lambda: second.payloads == {"changes/b/1": [b"kept"]})
    broker.stop()
    eventually(lambda: not bus.connected)
    broker.start()
    eventually(lambda: bus.connected)
    with publisher(broker.port) as client:
        say(client, "changes/b/3", "later")
        eventually(lambda: second.payloads.get("changes/b/3") == [b"later"])
    assert first.payloads == {}


def test_what_is_unsubscribed_from_comes_no_more_and_what_is_beside_it_still_does(bus: Bus, broker: Mosquitto):
    gone, left = Seen(), Seen()
    with publisher(broker.port) as client:
        bus.subscribe(["changes/c"], gone.take)
        bus.subscribe(["changes/d"], left.take)
        bus.start()
        eventually(lambda: bus.connected)
        say(client, "changes/c", "1")
        eventually(lambda: gone.payloads == {"changes/c": [b"1"]})
        bus.unsubscribe(["changes/c"], gone.take)
        bus.unsubscribe([], gone.take)
        say(client, "changes/c", "2")
        say(client, "changes/d", "3")
        eventually(lambda: left.payloads == {"changes/d": [b"3"]})
    assert gone.payloads == {"changes/c": [b"1"]}


def test_what_two_ask_for_by_filters_that_overlap_comes_to_both(bus: Bus, broker: Mosquitto):
    narrow, wide, same = Seen(), Seen(), Seen()
    with publisher(broker.port) as client:
        bus.subscribe(["changes/e/1"], narrow.take)
        bus.subscribe(["changes/e/+"], wide.take)
        bus.subscribe(["changes/e/1"], same.take)
        bus.start()
        eventually(lambda: bus.connected)
        say(client, "changes/e/1", "said")
        for seen in (narrow, wide, same):
            eventually(lambda seen=seen: b"said" in seen.payloads.get("changes/e/1", []))
