"""Messages a second through the bus: received and acknowledged beside mosquitto_sub, published beside mosquitto_pub.

    python bench/bus.py [MESSAGES]

One broker, in one run: each reader has a session of its own for which the same messages wait. paho used plainly is the floor.
Needs the programs mosquitto, mosquitto_sub and mosquitto_pub (Debian: mosquitto, mosquitto-clients). Figures differ between
machines and minutes: only the ratios within a round are worth a look.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import paho.mqtt.client as mqtt
import trustme
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from dotbus.runtime.logs import configure_logs
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery, Outgoing
from dotbus.runtime.settings.settings import BusSettings

ROUNDS = 3
SIZES_BYTES = (349, 1900)
TOPICS = [f"bench/plant/PLANT/RESOURCE_{number}/dispatch" for number in range(100)]
FILTER = "bench/#"
AT_ONCE = 1000  # as deploy/mosquitto/mosquitto.conf
BATCH = 500
SESSION_S = 3600
WITHIN_S = 300
SUBSCRIBED_WITHIN_S = 0.3
UNREAD = "unread/plant/PLANT/RESOURCE/dispatch"
PROGRAMS = ("mosquitto", "mosquitto_sub", "mosquitto_pub")


Measured = dict[str, tuple[float, float]]
"""Of each way: messages a second, and microseconds of processor time a message."""


class Broker(NamedTuple):
    """Where it listens, and whom its certificate is from."""

    port: int
    tls_port: int
    ca_file: Path

    def settings(self, *, tls: bool) -> BusSettings:
        """How our bus gets there."""
        return BusSettings(host="localhost", port=self.tls_port if tls else self.port, ca_file=self.ca_file if tls else None)

    def options(self, *, tls: bool) -> list[str]:
        """How the programs of Mosquitto get there."""
        own = ["--cafile", str(self.ca_file)] if tls else []
        return ["-h", "localhost", "-p", str(self.tls_port if tls else self.port), "-V", "mqttv5", "-q", "1", *own]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mosquitto(folder: Path) -> Iterator[Broker]:
    """A broker with and without TLS."""
    authority = trustme.CA()
    own = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    own.private_key_pem.write_to_path(folder / "key.pem")
    own.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    broker = Broker(free_port(), free_port(), folder / "ca.pem")
    lines = [
        f"max_inflight_messages {AT_ONCE}",
        "max_queued_messages 10000000",
        "set_tcp_nodelay true",
        "allow_anonymous true",
        "user root",
        f"listener {broker.port} 127.0.0.1",
        f"listener {broker.tls_port} 127.0.0.1",
        f"certfile {folder}/cert.pem",
        f"keyfile {folder}/key.pem",
    ]
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    process = subprocess.Popen(["mosquitto", "-c", str(folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(broker.tls_port))
        yield broker
    finally:
        process.terminate()
        process.wait()


def answers(port: int) -> bool:
    """Whether something listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(done: Callable[[], bool]) -> None:
    """Wait for it.

    Raises:
        TimeoutError: it did not come.
    """
    deadline = time.monotonic() + WITHIN_S
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError("the broker or a client does not answer")
        time.sleep(0.005)


@contextmanager
def our_bus(settings: BusSettings, name: str, take: Callable[[Delivery], None] | None = None) -> Iterator[Bus]:
    """Our bus, connected; with a session of its own when it takes messages."""
    bus = Bus(settings, name, clock=lambda: datetime.now(UTC), session_s=3600 if take else 0, receive_maximum=AT_ONCE)
    if take:
        bus.subscribe([FILTER], take)
    bus.start()
    try:
        wait_until(lambda: bus.connected)
        yield bus
    finally:
        bus.stop()


class Counted:
    """Takes so many messages and acknowledges what has come in one go, as the historian does."""

    def __init__(self, count: int) -> None:
        self.done = threading.Event()
        self._left = count
        self._waiting: list[Delivery] = []

    def take(self, delivery: Delivery) -> None:
        """One message."""
        self._waiting.append(delivery)
        self._left -= 1
        if self._left and len(self._waiting) < BATCH:
            return
        delivery.acknowledge(self._waiting)
        self._waiting.clear()
        if not self._left:
            self.done.set()


def receive_with_bus(settings: BusSettings, count: int) -> None:
    """Receive and acknowledge with our bus."""
    counted = Counted(count)
    with our_bus(settings, "bus", counted.take):
        if not counted.done.wait(WITHIN_S):
            raise TimeoutError("not all messages came")


def mosquitto_sub(broker: Broker, tls: bool, *options: str) -> None:
    """Run mosquitto_sub, with as many messages on their way as our bus has."""
    session = ["-c", "-i", "sub", "-x", str(SESSION_S), "-D", "connect", "receive-maximum", str(AT_ONCE)]
    command = ["mosquitto_sub", *broker.options(tls=tls), *session, "-t", FILTER, *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=WITHIN_S)


def paho(broker: Broker, tls: bool, name: str, *, clean: bool = True) -> mqtt.Client:
    """A client of paho used plainly, connected."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5, manual_ack=True)
    if tls:
        client.tls_set(str(broker.ca_file))
    client.max_inflight_messages_set(AT_ONCE)
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = SESSION_S
    properties.ReceiveMaximum = AT_ONCE
    client.connect("localhost", broker.tls_port if tls else broker.port, clean_start=clean, properties=properties)
    return client


def paho_session(broker: Broker, tls: bool) -> None:
    """A session of paho's, without what an earlier one left."""
    client = paho(broker, tls, "paho")
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    client.loop_start()
    client.subscribe(FILTER, qos=1)
    subscribed.wait(WITHIN_S)
    client.disconnect()
    client.loop_stop()


def receive_with_paho(broker: Broker, tls: bool, count: int) -> None:
    """Receive and acknowledge with paho's own loop."""
    left = count

    def take(client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        nonlocal left
        client.ack(message.mid, message.qos)
        left -= 1
        if not left:
            client.disconnect()

    client = paho(broker, tls, "paho", clean=False)
    client.on_message = take
    client.loop_forever()


def publish_with_bus(settings: BusSettings, topics: Sequence[str], count: int, size: int) -> None:
    """Publish with our bus, a thousand messages a call, each call until all are acknowledged."""
    messages = [Outgoing(topics[number % len(topics)], bytes(size)) for number in range(AT_ONCE)]
    with our_bus(settings, "publisher") as bus:
        for _ in range(count // AT_ONCE):
            bus.publish(messages, timeout_s=WITHIN_S)


def publish_with_paho(broker: Broker, tls: bool, count: int, size: int) -> None:
    """Publish with paho's own loop."""
    client = paho(broker, tls, "publisher")
    client.loop_start()
    last = [client.publish(UNREAD, bytes(size), qos=1) for _ in range(count)][-1]
    last.wait_for_publish(WITHIN_S)
    client.disconnect()
    client.loop_stop()


def publish_with_mosquitto_pub(broker: Broker, tls: bool, lines: Path) -> None:
    """Publish with mosquitto_pub, a message for each line."""
    with lines.open("rb") as stdin:
        command = ["mosquitto_pub", *broker.options(tls=tls), "-t", UNREAD, "-l"]
        subprocess.run(command, check=True, stdin=stdin, timeout=WITHIN_S)


def rate(work: Callable[[], object], count: int) -> tuple[float, float]:
    """Messages a second, and the microseconds of processor time for each, of this process or of the program it ran."""
    busy, begun = sum(os.times()[:4]), time.perf_counter()
    work()
    seconds = time.perf_counter() - begun
    return count / seconds, (sum(os.times()[:4]) - busy) / count * 1e6


def fed_from_memory(count: int, size: int) -> Measured:
    """Receive from a broker that costs nothing."""
    command = [sys.executable, str(Path(__file__).parent / "mqtt" / "feeder.py"), str(count), str(size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as feeder:
        assert feeder.stdout
        settings = BusSettings(port=int(feeder.stdout.readline()))
        return {"dotbus": rate(lambda: receive_with_bus(settings, count), count)}


def one_round(broker: Broker, tls: bool, count: int, size: int, lines: Path) -> tuple[Measured, Measured]:
    """Received and published, by each way."""
    settings = broker.settings(tls=tls)
    fewer = count // 5  # the floor takes long
    mosquitto_sub(broker, tls, "-E")
    with our_bus(settings, "bus", lambda _delivery: None):
        time.sleep(SUBSCRIBED_WITHIN_S)
    paho_session(broker, tls)
    publish_with_bus(settings, TOPICS, count, size)
    received = {
        "mosquitto_sub": rate(lambda: mosquitto_sub(broker, tls, "-C", str(count)), count),
        "dotbus": rate(lambda: receive_with_bus(settings, count), count),
        "paho": rate(lambda: receive_with_paho(broker, tls, fewer), fewer),
    }
    published = {
        "mosquitto_pub": rate(lambda: publish_with_mosquitto_pub(broker, tls, lines), count),
        "dotbus": rate(lambda: publish_with_bus(settings, [UNREAD], count, size), count),
        "paho": rate(lambda: publish_with_paho(broker, tls, fewer, size), fewer),
    }
    return received, published


def tell(what: str, rounds: Sequence[Measured]) -> None:
    """Print medians, and how they stand to the first way's in the same round."""
    first = next(iter(rounds[0]))
    for way in rounds[0]:
        per_s = statistics.median(one[way][0] for one in rounds)
        busy_us = statistics.median(one[way][1] for one in rounds)
        ratio = statistics.median(one[way][0] / one[first][0] for one in rounds)
        print(f"{what:32} {way:14} {per_s:8,.0f} messages/s, CPU {busy_us:5.1f} us each, {ratio:5.2f} of {first}")


def measure(count: int, size: int, folder: Path) -> None:
    """All ways, for messages of one size, without TLS and with it."""
    lines = folder / "lines"
    lines.write_bytes((b"x" * size + b"\n") * count)
    for tls in (False, True):
        with mosquitto(folder) as broker:
            rounds = [one_round(broker, tls, count, size, lines) for _ in range(ROUNDS)]
        label = f"{size} bytes{', TLS' if tls else ''}"
        tell(f"received, {label}", [received for received, _ in rounds])
        tell(f"published, {label}", [published for _, published in rounds])
    tell(
        f"fed from memory, {size} bytes", [{"dotbus": rate(lambda: fed_from_memory(count, size), count)} for _ in range(ROUNDS)]
    )


def main() -> None:
    """Measure both sizes."""
    configure_logs("bench", "bus", "console", "warning")
    os.environ["PATH"] += ":/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
    if missing := [program for program in PROGRAMS if not shutil.which(program)]:
        sys.exit(f"this needs {', '.join(missing)}: install the packages mosquitto and mosquitto-clients")
    count = int(sys.argv[1]) if sys.argv[1:] else 100_000
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES_BYTES:
            measure(count, size, Path(folder))


if __name__ == "__main__":
    main()
