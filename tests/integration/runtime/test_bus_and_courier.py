"""Against a real Mosquitto: refusals raise, acknowledgements mean what they say, and killing the broker loses nothing."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cutting_proxy import CuttingProxy
from real_mosquitto import Mosquitto, remove_mosquitto, start_mosquitto
from waiting import eventually

from dotbus.contracts.codec import decode, encode
from dotbus.contracts.messages import Environment, ReplayReply, ReplayRequest, ServiceStatus
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery, NotConnected, Outgoing, PublishRefused, PublishTimedOut
from dotbus.runtime.outbox.courier import Courier
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.presence import Identity, Presence
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings
from dotbus.testing import samples

pytestmark = pytest.mark.integration

TOPICS = Topics()
INGEST = Identity("ads_ingest", "a", Environment.SIMULATOR, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def connect(broker: Mosquitto):
    buses: list[Bus] = []

    def connected(client_id: str, *, filters=(), on_delivery=None, protocol="5", **options) -> Bus:
        bus = Bus(BusSettings(port=broker.port, protocol=protocol), client_id, clock=utc_now, **options)
        if filters:
            bus.subscribe(filters, on_delivery)
        bus.start()
        buses.append(bus)
        eventually(lambda: bus.connected)
        bus.publish([Outgoing("listening", b"")])  # answered once the broker has read our subscriptions
        return bus

    yield connected
    for bus in buses:
        bus.stop()


def event(number: int):
    message = msgspec.structs.replace(samples.dispatch(), id=f"id-{number}", seq=0, stream="")
    return TOPICS.dispatch("sierra", "r"), message


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_topic_of_any_name_ends_no_connection(connect, protocol: str):
    got: list[str] = []

    def keep(delivery: Delivery) -> None:
        got.append(delivery.topic)
        delivery.ack()

    connect("reader", filters=[TOPICS.every(Subject.DISPATCH)], on_delivery=keep, protocol=protocol)
    codes = (*range(1, 0x100), 0x2028, 0xFDCF, *range(0xFDD0, 0xFDF1), 0xFFFD, 0xFFFE, 0xFFFF, 0x1F600, 0x1FFFE, 0x10FFFF)
    names = [f"a{chr(code)}b" for code in codes]
    connect("writer", protocol=protocol).publish([Outgoing(TOPICS.dispatch(name, "R"), b"x") for name in names])
    eventually(lambda: len(got) >= len(names))
    assert [address.scope for topic in got if (address := TOPICS.read(topic))] == names


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_is_published_arrives_once_acknowledged(connect, protocol: str):
    got: list[Delivery] = []

    def keep(delivery: Delivery) -> None:
        got.append(delivery)
        delivery.ack()

    connect("reader", filters=["t/#"], on_delivery=keep, protocol=protocol)
    connect("writer", protocol=protocol).publish([Outgoing("t/1", b"one"), Outgoing("t/2", b"two", retain=True)])
    eventually(lambda: len(got) == 2)
    assert [(d.topic, d.payload, d.retained) for d in got] == [("t/1", b"one", False), ("t/2", b"two", False)]


def test_the_last_word_from_before_is_marked_retained(connect):
    connect("writer").publish([Outgoing("t/state", b"old", retain=True)])
    got: list[Delivery] = []
    connect("reader", filters=["t/#"], on_delivery=got.append)
    eventually(lambda: got)
    assert got[0].retained


def test_what_was_not_acknowledged_comes_again_and_what_was_does_not(connect, broker: Mosquitto):
    first: list[Delivery] = []
    reader = connect("reader", filters=["t/#"], on_delivery=first.append, session_s=60)
    connect("writer").publish([Outgoing("t/1", b"one"), Outgoing("t/2", b"two")])
    eventually(lambda: len(first) == 2)
    first[0].ack()
    reader.stop()
    again: list[Delivery] = []
    connect("reader", filters=["t/#"], on_delivery=again.append, session_s=60)
    eventually(lambda: again)
    assert [d.payload for d in again] == [b"two"]


def test_thousands_come_once_and_in_order_and_none_again_that_was_acknowledged_with_others(connect, broker: Mosquitto):
    got: list[Delivery] = []
    reader = connect("reader", filters=["t/#"], on_delivery=got.append, session_s=3600, receive_maximum=1000)
    writer = connect("writer")
    for start in range(0, 5000, 1000):
        writer.publish([Outgoing(f"t/{number % 7}", b"%d" % number) for number in range(start, start + 1000)])
        eventually(lambda start=start: len(got) == start + 1000)
        reader.ack_all(got[start:])
    assert [int(d.payload) for d in got] == list(range(5000))
    reader.publish([Outgoing("seen", b"")])  # answered once the broker has read what went before it
    reader.stop()
    again: list[Delivery] = []
    connect("reader", filters=["t/#"], on_delivery=again.append, session_s=3600)
    writer.publish([Outgoing("t/end", b"end")])
    eventually(lambda: again)
    assert [d.payload for d in again] == [b"end"]


def test_without_a_connection_a_publish_raises_at_once():
    bus = Bus(BusSettings(port=9), "alone", clock=utc_now)
    with pytest.raises(NotConnected):
        bus.publish([Outgoing("t", b"")])


def test_a_publish_that_the_broker_refuses_raises(connect):
    with pytest.raises(PublishRefused, match=r"\$SYS/forbidden"):
        connect("writer").publish([Outgoing("allowed/t", b""), Outgoing("$SYS/forbidden", b"")])


def test_the_messages_beside_a_refused_one_are_taken_and_it_is_named(connect):
    got: list[Delivery] = []
    connect("reader", filters=["t/#"], on_delivery=got.append)
    forbidden = Outgoing("$SYS/forbidden", b"")
    with pytest.raises(PublishRefused) as refusal:
        connect("writer").publish([Outgoing("t/1", b"one"), forbidden, Outgoing("t/2", b"two")])
    assert refusal.value.refused == (forbidden,)
    eventually(lambda: [d.topic for d in got] == ["t/1", "t/2"])


@pytest.fixture
def small_broker(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = start_mosquitto(tmp_path, "max_packet_size 20000")
    yield broker
    remove_mosquitto(broker)


def test_a_message_larger_than_the_broker_takes_is_refused_and_the_connection_stays(small_broker: Mosquitto):
    bus = Bus(BusSettings(port=small_broker.port), "writer", clock=utc_now)
    turns: list[bool] = []
    bus.on_connection(turns.append)
    bus.start()
    eventually(lambda: bus.connected)
    with pytest.raises(PublishRefused, match="t/large: too large"):
        bus.publish([Outgoing("t/large", bytes(30000)), Outgoing("t/small", b"")])
    bus.publish([Outgoing("t/small", b"")])
    assert turns == [True]
    bus.stop()


@pytest.fixture
def proxy(broker: Mosquitto):
    proxy = CuttingProxy(broker.port)
    yield proxy
    proxy.close()


@pytest.fixture
def behind_proxy(proxy: CuttingProxy):
    bus = Bus(BusSettings(port=proxy.port), "writer", clock=utc_now)
    bus.start()
    eventually(lambda: bus.connected)
    yield bus
    bus.stop()


def test_what_was_on_its_way_when_the_connection_was_lost_comes_not_again_after_what_is_said_now(
    connect, proxy: CuttingProxy, behind_proxy: Bus
):
    got: list[bytes] = []
    connect("reader", filters=["t/#"], on_delivery=lambda delivery: got.append(delivery.payload))
    proxy.deaf = True
    failures: list[Exception] = []

    def publish_the_old_state() -> None:
        try:
            behind_proxy.publish([Outgoing("t/state", b"old", retain=True)])
        except NotConnected as failure:
            failures.append(failure)

    publisher = threading.Thread(target=publish_the_old_state)
    publisher.start()
    eventually(lambda: got == [b"old"])
    proxy.deaf = False
    proxy.cut()
    publisher.join()
    assert failures
    eventually(lambda: behind_proxy.connected)
    behind_proxy.publish([Outgoing("t/state", b"new", retain=True)])
    behind_proxy.publish([Outgoing("t/end", b"end")])
    eventually(lambda: b"end" in got)
    assert got == [b"old", b"new", b"end"]


def test_an_acknowledgement_that_comes_too_late_is_none_for_another_message(
    connect, proxy: CuttingProxy, behind_proxy: Bus, monkeypatch: pytest.MonkeyPatch
):
    proxy.deaf = True
    with pytest.raises(PublishTimedOut):
        behind_proxy.publish([Outgoing("t/1", b"")], timeout_s=0.1)
    proxy.deaf = False
    proxy.cut()
    eventually(lambda: not behind_proxy.connected)
    eventually(lambda: behind_proxy.connected)
    numbers = iter([1, 2])
    monkeypatch.setattr(behind_proxy._client, "_mid_generate", lambda: next(numbers))
    behind_proxy.publish([Outgoing("t/2", b"")], timeout_s=5)
    proxy.deaf = True
    with pytest.raises(PublishTimedOut):
        behind_proxy.publish([Outgoing("t/3", b"")], timeout_s=0.1)
    proxy.deaf = False


def test_stopped_in_the_middle_of_connecting_it_leaves_no_connection(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch):
    bus = Bus(BusSettings(port=broker.port), "hasty", clock=utc_now)
    create_socket, connecting = bus._client._create_socket, threading.Event()

    def connect_while_being_stopped():
        connecting.set()
        eventually(lambda: bus._client._thread_terminate)
        return create_socket()

    monkeypatch.setattr(bus._client, "_create_socket", connect_while_being_stopped)
    bus.start()
    assert connecting.wait(5)
    bus.stop()
    assert bus._client.socket() is None


def test_two_processes_of_one_name_are_told(connect, capsys: pytest.CaptureFixture[str]):
    connect("ads_ingest/a")
    second = connect("ads_ingest/a")
    eventually(lambda: "another process uses our name" in capsys.readouterr().out)
    second.stop()


def test_the_courier_delivers_in_order_and_replays_on_request(connect, broker: Mosquitto, tmp_path: Path):
    got: list[Delivery] = []

    def keep(delivery: Delivery) -> None:
        got.append(delivery)
        delivery.ack()

    reader = connect("reader", filters=["dotbus/v1/plant/#", TOPICS.every(Subject.REPLAY_REPLY)], on_delivery=keep)
    outbox = Outbox(tmp_path / "outbox.sqlite", max_age_s=3600, max_bytes=10**9)
    outbox.commit(utc_now(), events=[event(n) for n in range(250)], states=[(TOPICS.dot("sierra", "r"), samples.dot())])
    courier, bus = started_courier(broker, outbox)
    eventually(lambda: len(got) == 251)
    assert got[0].topic == TOPICS.dot("sierra", "r")
    assert [decode(d.payload).seq for d in got[1:]] == list(range(1, 251))
    eventually(lambda: outbox.span().unpublished == 0)

    got.clear()
    request = ReplayRequest(
        environment=Environment.SIMULATOR,
        source="historian/a",
        time=utc_now(),
        stream=outbox.stream,
        first_seq=120,
        last_seq=300,
    )
    reader.publish([Outgoing(TOPICS.replay("ads_ingest", "a"), encode(request))])
    reply = eventually(lambda: next((m for m in map(message_of, got) if isinstance(m, ReplayReply)), None))
    assert (reply.sent, reply.oldest_seq) == (131, 1)
    assert [decode(d.payload).seq for d in got[:131]] == list(range(120, 251))
    stop_all(courier, bus, outbox)


def test_a_killed_broker_loses_no_event_and_gets_every_state_again(connect, broker: Mosquitto, tmp_path: Path):
    outbox = Outbox(tmp_path / "outbox.sqlite", max_age_s=3600, max_bytes=10**9)
    courier, bus = started_courier(broker, outbox)
    outbox.commit(utc_now(), events=[event(1)], states=[(TOPICS.dot("sierra", "r"), samples.dot())])
    courier.wake()
    eventually(lambda: outbox.span().unpublished == 0)
    broker.kill()
    eventually(lambda: not bus.connected)
    outbox.commit(utc_now(), events=[event(2)])
    courier.wake()
    broker.start()
    got: list[Delivery] = []
    connect("reader", filters=["dotbus/v1/plant/#"], on_delivery=got.append)
    eventually(lambda: outbox.span().unpublished == 0, within_s=40)
    eventually(lambda: any(d.topic.endswith("/dot") for d in got))
    stop_all(courier, bus, outbox)


def test_what_is_retracted_is_retained_no_more_even_by_a_broker_that_remembers_it_again(
    connect, broker: Mosquitto, tmp_path: Path
):
    topic = TOPICS.dot("sierra", "r")
    outbox = Outbox(tmp_path / "outbox.sqlite", max_age_s=3600, max_bytes=10**9)
    outbox.commit(utc_now(), states=[(topic, samples.dot())])
    courier, bus = started_courier(broker, outbox)
    eventually(lambda: courier.caught_up)
    outbox.retract([topic], utc_now())
    courier.wake()
    eventually(lambda: courier.caught_up)
    assert retained(connect, "first") == []
    connect("restored").publish([Outgoing(topic, b"from an older disk", retain=True)])
    broker.kill()
    eventually(lambda: not bus.connected)
    broker.start()
    eventually(lambda: courier.caught_up, within_s=40)
    assert retained(connect, "second") == []
    stop_all(courier, bus, outbox)


def retained(connect, client_id: str) -> list[str]:
    got: list[Delivery] = []
    reader = connect(client_id, filters=["dotbus/v1/#", "end"], on_delivery=got.append)
    reader.publish([Outgoing("end", b"")])
    eventually(lambda: any(delivery.topic == "end" for delivery in got))
    return [delivery.topic for delivery in got if delivery.retained]


def started_courier(broker: Mosquitto, outbox: Outbox) -> tuple[Courier, Bus]:
    bus = Bus(BusSettings(port=broker.port), "ingest", clock=utc_now)
    courier = Courier(bus, outbox, TOPICS, INGEST, clock=utc_now)
    bus.start()
    courier.start()
    return courier, bus


def stop_all(courier: Courier, bus: Bus, outbox: Outbox) -> None:
    courier.stop()
    bus.stop()
    outbox.close()


def message_of(delivery: Delivery):
    return decode(delivery.payload)


def test_a_service_that_vanishes_is_said_to_be_offline(broker: Mosquitto, connect, tmp_path: Path):
    seen: list[ServiceStatus] = []
    connect("reader", filters=[TOPICS.every(Subject.SERVICE)], on_delivery=lambda d: seen.append(decode(d.payload)))
    program = tmp_path / "vanishing.py"
    program.write_text(VANISHING)
    process = subprocess.Popen([sys.executable, program, str(broker.port)])
    eventually(lambda: seen and seen[-1].online)
    process.kill()
    process.wait()
    eventually(lambda: not seen[-1].online)
    assert (seen[-1].service, seen[-1].instance) == ("ads_ingest", "a")


VANISHING = """
import sys, time
from datetime import UTC, datetime
from dotbus.contracts.messages import Environment
from dotbus.contracts.topics import Topics
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.presence import Identity, Presence
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings
identity = Identity("ads_ingest", "a", Environment.SIMULATOR, datetime.now(UTC))
bus = Bus(BusSettings(port=int(sys.argv[1])), "vanishing", clock=utc_now, will=identity.will(Topics()))
presence = Presence(bus, Topics(), identity, identity.status, clock=utc_now)
bus.start(); presence.start()
time.sleep(60)  # it is killed long before; without that it must not stay for ever
"""


def test_a_service_that_stops_in_order_says_so_itself(connect):
    seen: list[ServiceStatus] = []
    connect("reader", filters=[TOPICS.every(Subject.SERVICE)], on_delivery=lambda d: seen.append(decode(d.payload)))
    bus = connect("ingest", will=INGEST.will(TOPICS))
    presence = Presence(bus, TOPICS, INGEST, INGEST.status, clock=utc_now)
    presence.start()
    eventually(lambda: seen and seen[-1].online)
    presence.stop()
    eventually(lambda: not seen[-1].online)
