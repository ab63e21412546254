"""The client against a broker that sends what a test says, on a real socket, with TLS and without."""

import ssl
import threading
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
import trustme
from scripted_broker import PUBACK, PUBLISH, ScriptedBroker
from waiting import eventually

from dotbus.runtime.mqtt import bus as bus_module
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery, Outgoing
from dotbus.runtime.mqtt.packets import encode_publish, write_number
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings

pytestmark = pytest.mark.integration
LARGE_BYTES = 61 * 1024 * 1024


def message(number: int, payload: bytes, protocol: str = "5", topic: str = "t") -> bytes:
    encoded = encode_publish(topic, payload, b"\0" if protocol == "5" else b"", retain=False)
    return encoded.head + number.to_bytes(2, "big") + encoded.properties + encoded.payload


@pytest.fixture(autouse=True)
def _no_pause_between_connections(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bus_module, "RECONNECT_FIRST_S", 0)


@pytest.fixture(params=["plain", "tls"])
def authority(request: pytest.FixtureRequest) -> trustme.CA | None:
    return trustme.CA() if request.param == "tls" else None


Start = Callable[..., tuple[ScriptedBroker, Bus]]


@pytest.fixture
def start(authority: trustme.CA | None, tmp_path) -> Iterator[Start]:
    """Starts a broker and a bus that is connected to it and subscribed."""
    ends: list[Callable[[], None]] = []
    tls = None
    if authority:
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)

    def started(take: Callable[[Delivery], None], protocol: str = "5", **options) -> tuple[ScriptedBroker, Bus]:
        broker = ScriptedBroker(protocol, tls=tls, **options)
        ends.append(broker.close)
        settings = BusSettings(port=broker.port, protocol=protocol, ca_file=tmp_path / "ca.pem" if tls else None)
        bus = Bus(settings, "client", clock=utc_now)
        bus.subscribe(["#"], take)
        bus.start()
        ends.append(bus.stop)
        broker.wait_for_subscriber()
        return broker, bus

    yield started
    for end in reversed(ends):
        end()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_messages_arrive_in_order_however_the_network_cuts_them(start: Start, protocol: str):
    got: list[bytes] = []
    broker, _ = start(lambda delivery: got.append(delivery.payload), protocol)
    payloads = [b"%d" % n * (n % 7 * 40) for n in range(1, 200)]
    stream = b"".join(message(n, payload, protocol) for n, payload in enumerate(payloads, 1))
    at = 0
    for size in (1, 1, 1, 2, 3, 60, 1, 5000, 1, 7000, len(stream)):
        broker.send(stream[at : at + size])
        at += size
    eventually(lambda: len(got) == len(payloads))
    assert got == payloads


def test_a_message_comes_without_waiting_for_the_next(start: Start):
    """Also when TLS has decrypted more than was read at once."""
    got: list[int] = []
    broker, _ = start(lambda delivery: got.append(len(delivery.payload)))
    for count, size in enumerate([0, 1, 16_000, 16_384, 40_000, 262_144, 262_200, 1_000_000, 3], 1):
        broker.send(message(1, bytes(size)))
        eventually(lambda count=count: len(got) == count)


def test_while_the_handler_blocks_nothing_more_is_read(start: Start):
    got: list[bytes] = []
    go_on = threading.Event()

    def take(delivery: Delivery) -> None:
        got.append(delivery.payload)
        go_on.wait(20)

    broker, _ = start(take)
    count, size = 1000, 50_000
    sender = threading.Thread(target=lambda: [broker.send(message(1, bytes(size))) for _ in range(count)], daemon=True)
    sender.start()
    eventually(lambda: got)
    sender.join(0.5)  # it would be through by then, if somebody read
    assert sender.is_alive()
    assert len(got) == 1
    go_on.set()
    eventually(lambda: len(got) == count)
    sender.join()


def test_a_large_message_takes_no_more_than_twice_its_size(start: Start):
    got: list[Delivery] = []
    broker, _ = start(got.append)
    large = message(1, bytes(LARGE_BYTES))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    broker.send(large)
    eventually(lambda: got, within_s=60)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(got[0].payload) == LARGE_BYTES
    assert isinstance(got[0].payload, bytes)
    assert most - before < 2.1 * LARGE_BYTES


@pytest.mark.parametrize(
    "malformed",
    [
        b"\x30\x80\x80\x80\x80\x01",
        b"\x32\x03\x00\x09t",
        b"\x30\x06\x00\x02\xff\xfe\x00x",
        b"\x36\x06\x00\x01t\x00\x01\x00",
        b"\x40\x01\x00",
        b"\x90\x01\x00",
        b"\x90\x04\x00\x01\x00\x03",
        b"\x20\x01\x00",
        b"\xe0\x02\x77\x00",
        b"\xd0\x01\x00",
        b"\xf0\x00",
        b"\x00\x00",
        b"\x34\x04\x00\x09t\x00",
    ],
    ids=[
        "a length of five bytes",
        "a topic longer than its packet",
        "a topic that is no text",
        "QoS 3",
        "half a number in a PUBACK",
        "half a number in a SUBACK",
        "a SUBACK with an unknown reason",
        "half a CONNACK",
        "a DISCONNECT with an unknown reason",
        "a PINGRESP with a body",
        "an AUTH that nobody asked for",
        "a kind of packet that does not exist",
        "a malformed message of QoS 2",
    ],
)
def test_what_is_no_mqtt_ends_the_connection_and_the_next_one_works(start: Start, malformed: bytes):
    got: list[bytes] = []
    broker, _ = start(lambda delivery: got.append(delivery.payload))
    broker.send(message(1, b"before") + malformed + message(2, b"behind"))
    broker.wait_for_subscriber(2)
    broker.send(message(1, b"next"))
    eventually(lambda: b"next" in got)
    assert got == [b"before", b"next"]


def test_half_a_packet_of_a_lost_connection_is_no_part_of_the_next(start: Start):
    got: list[bytes] = []
    broker, _ = start(lambda delivery: got.append(delivery.payload))
    broker.send(message(1, b"whole") + message(2, b"half")[:-1])
    eventually(lambda: got)
    assert broker._client
    broker._client.shutdown(2)
    broker.wait_for_subscriber(2)
    broker.send(message(1, b"next"))
    eventually(lambda: got == [b"whole", b"next"])


def test_many_are_acknowledged_in_their_order_and_in_one_write(start: Start, monkeypatch: pytest.MonkeyPatch):
    got: list[Delivery] = []
    broker, bus = start(got.append)
    broker.send(b"".join(message(n, b"") for n in range(1, 1001)))
    eventually(lambda: len(got) == 1000)
    writes = written_by(bus, monkeypatch)
    bus.ack_all(got)
    eventually(lambda: len(broker.packets) == 1000)
    assert broker.of_kind(PUBACK) == [n.to_bytes(2, "big") for n in range(1, 1001)]
    assert len(writes) == 1


def test_what_a_handler_acknowledges_one_by_one_goes_in_few_writes(start: Start, monkeypatch: pytest.MonkeyPatch):
    broker, bus = start(Delivery.ack)
    writes = written_by(bus, monkeypatch)
    broker.send(b"".join(message(n, b"") for n in range(1, 1001)))
    eventually(lambda: len(broker.packets) == 1000)
    assert broker.of_kind(PUBACK) == [n.to_bytes(2, "big") for n in range(1, 1001)]
    assert len(writes) < 20


def written_by(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the writes from now on."""
    writes: list[int] = []
    send = bus._client._sock_send
    monkeypatch.setattr(bus._client, "_sock_send", lambda data: writes.append(len(data)) or send(data))
    return writes


def test_acknowledgements_of_a_lost_connection_are_not_sent_on_the_next(start: Start):
    got: list[Delivery] = []
    broker, bus = start(got.append)
    broker.send(message(1, b"old") + message(2, b"old"))
    eventually(lambda: len(got) == 2)
    assert broker._client
    broker._client.shutdown(2)
    broker.wait_for_subscriber(2)
    broker.send(message(2, b"new"))
    eventually(lambda: len(got) == 3)
    bus.ack_all(got)
    got[0].ack()
    eventually(lambda: broker.packets)
    assert broker.packets == [(PUBACK, b"\x00\x02")]


def test_messages_of_qos_0_are_not_acknowledged(start: Start):
    got: list[Delivery] = []
    broker, bus = start(got.append)
    broker.send(b"\x30\x05\x00\x01t\x00x" + message(1, b"y"))
    eventually(lambda: len(got) == 2)
    bus.ack_all(got)
    eventually(lambda: broker.packets)
    assert broker.of_kind(PUBACK) == [b"\x00\x01"]


def test_a_message_of_qos_2_is_acknowledged_as_such(start: Start):
    """Only an earlier subscription of a kept session can have asked for one."""
    got: list[Delivery] = []
    broker, _ = start(got.append)
    broker.on_packet = lambda first, _body: broker.send(b"\x62\x02\x00\x07") if first == 0x50 else None
    broker.send(b"\x35\x13\x00\x01t\x00\x07\x0c\x08\x00\x05reply\x09\x00\x01cx")
    eventually(lambda: got)
    assert (got[0].topic, got[0].payload, got[0].retained) == ("t", b"x", True)
    assert (got[0].response_topic, got[0].correlation) == ("reply", b"c")
    got[0].ack()
    eventually(lambda: (0x70, b"\x00\x07") in broker.packets)


def test_messages_that_nobody_asks_for_any_more_are_acknowledged(start: Start):
    broker, bus = start(Delivery.ack)
    bus._subscribers = type(bus._subscribers)()
    broker.send(message(1, b""))
    eventually(lambda: broker.of_kind(PUBACK) == [b"\x00\x01"])


def test_a_handler_that_fails_harms_no_other_message(start: Start, capsys: pytest.CaptureFixture[str]):
    got: list[bytes] = []

    def take(delivery: Delivery) -> None:
        got.append(delivery.payload)
        raise RuntimeError(delivery.payload)

    broker, _ = start(take)
    broker.send(message(1, b"a") + message(2, b"b"))
    eventually(lambda: got == [b"a", b"b"])
    assert broker.packets == []
    assert "was not handled" in capsys.readouterr().out


def test_the_broker_gets_no_more_at_once_than_it_takes(start: Start):
    accepted = b"\x20\x06\x00\x00\x03\x21\x00\x03"  # Receive Maximum 3
    broker, bus = start(lambda _delivery: None, accepted=accepted)
    waiting: list[bytes] = []
    most = 0

    def answer(first: int, body: bytes) -> None:
        nonlocal most
        waiting.append(body[3:5])
        most = max(most, len(waiting))
        if len(waiting) == 3 or body.endswith(b"end"):
            while waiting:
                broker.send(b"\x40\x02" + waiting.pop(0))

    broker.on_packet = answer
    bus.publish([Outgoing("t", b"%d" % n) for n in range(100)] + [Outgoing("t", b"end")], timeout_s=20)
    assert most == 3
    assert [body[6:] for body in broker.of_kind(PUBLISH)] == [b"%d" % n for n in range(100)] + [b"end"]


def test_a_large_message_is_published_whole(start: Start):
    broker, bus = start(lambda _delivery: None)
    broker.on_packet = lambda _first, body: broker.send(b"\x40\x02" + body[3:5])
    payload = bytes(range(256)) * 40_000
    bus.publish([Outgoing("t", b"first"), Outgoing("t", payload), Outgoing("t", b"last")], timeout_s=30)
    assert [body[6:] for body in broker.of_kind(PUBLISH)] == [b"first", payload, b"last"]


def test_what_is_published_and_received_at_once_arrives_both_ways(start: Start):
    """The network thread writes in between what it reads, also when both buffers are full."""
    got: list[int] = []
    broker, bus = start(lambda delivery: got.append(len(delivery.payload)))
    broker.on_packet = lambda first, body: (
        broker.send(message(1, body[6:]) + b"\x40\x02" + body[3:5]) if first & 0x30 == 0x30 else None
    )
    sizes = [50_000, 3, 700_000] * 20
    bus.publish([Outgoing("t", bytes(size)) for size in sizes], timeout_s=60)
    eventually(lambda: len(got) == len(sizes))
    assert got == sizes


def test_the_unknown_reason_of_a_refusal_is_told_by_its_number(start: Start):
    broker, bus = start(lambda _delivery: None)
    broker.on_packet = lambda _first, body: broker.send(b"\x40" + write_number(3) + body[3:5] + b"\xfe")
    with pytest.raises(bus_module.PublishRefused, match="reason code 254"):
        bus.publish([Outgoing("t", b"")])
