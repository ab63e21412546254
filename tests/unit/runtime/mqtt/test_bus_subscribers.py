"""Who is given what comes: whoever asked for it, and the broker is told once all of them have it safe."""

from collections.abc import Callable

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.runtime.mqtt.packets import Publish
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings

OWN, EVERY = "service/gateway/sierra", "service/gateway/+"
RECEIPT = b"receipt"


@pytest.fixture
def sent(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What goes to the broker."""
    packets: list[bytes] = []
    monkeypatch.setattr(bus._client, "send", packets.append)
    return packets


@pytest.fixture
def bus() -> Bus:
    bus = Bus(BusSettings(), "gateway-sierra", clock=utc_now)
    bus._client.on_connect(bus._client, None, None, ReasonCode(PacketTypes.CONNACK), None)
    return bus


def come(bus: Bus, topic: str = OWN) -> None:
    bus._client.on_messages([Publish(topic, b"said", False, RECEIPT)])  # noqa: FBT003  # a live one


@pytest.mark.parametrize("filters", [(OWN, EVERY), (EVERY, OWN), (OWN, OWN), (EVERY, "#")])
def test_each_who_asked_for_a_topic_is_given_what_comes_by_whichever_filter(bus: Bus, filters: tuple[str, str]):
    first: list[Delivery] = []
    second: list[Delivery] = []
    bus.subscribe([filters[0]], first.append)
    bus.subscribe([filters[1]], second.append)
    come(bus)
    assert [one.payload for one in (*first, *second)] == [b"said", b"said"]


@pytest.mark.parametrize("ack", [Delivery.ack, lambda delivery: delivery.acknowledge([delivery])])
def test_the_broker_is_told_of_a_message_once_all_who_were_given_it_have_it_safe(
    bus: Bus, sent: list[bytes], ack: Callable[[Delivery], None]
):
    given: list[Delivery] = []
    bus.subscribe([OWN], given.append)
    bus.subscribe([EVERY], lambda delivery: given.append(delivery))  # noqa: PLW0108  # another subscriber
    come(bus)
    ack(given[0])
    assert sent == []
    ack(given[1])
    assert sent == [RECEIPT]
    ack(given[1])
    assert sent == [RECEIPT]


def test_one_who_fails_on_a_message_keeps_nobody_else_from_it_and_the_broker_sends_it_again(bus: Bus, sent: list[bytes]):
    given: list[Delivery] = []

    def fail(_delivery: Delivery) -> None:
        raise RuntimeError("a fault")

    bus.subscribe([OWN], fail)
    bus.subscribe([EVERY], given.append)
    come(bus)
    given[0].ack()
    assert sent == []


def test_who_asks_no_more_takes_nothing_from_another_who_asked_for_the_same(bus: Bus):
    gone: list[Delivery] = []
    left: list[Delivery] = []
    bus.subscribe([OWN], gone.append)
    bus.subscribe([OWN], left.append)
    bus.unsubscribe([OWN], gone.append)
    come(bus)
    assert (len(gone), len(left)) == (0, 1)
