"""Messages a second through the bus: received and acknowledged beside mosquitto_sub, published beside mosquitto_pub.

    python bench/bus.py [MESSAGES]

One broker, in one run: each reader has a session of its own for which the same messages wait. paho used plainly is the floor:
what the bus would be without `dotbus.runtime.mqtt_client`. Needs the programs mosquitto, mosquitto_sub and mosquitto_pub (Debian: mosquitto,
mosquitto-clients). Figures differ between machines and minutes: only the ratios within a round are worth a look.
"""

import os
import shutil
import socket
import ssl
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

from dotbus.runtime.bus import Bus
from dotbus.runtime.bus_messages import Delivery, Outgoing
from dotbus.runtime.logs import configure_logs
from dotbus.runtime.settings import BusSettings

ROUNDS = 3
SIZES_BYTES = (349, 1900)
TOPICS = [f"bench/plant/PLANT/RESOURCE_{number}/dispatch" for number in range(100)]
FILTER = "bench/#"
AT_ONCE = 1000  # as deploy/mosquitto/mosquitto.conf
BATCH = 500
SESSION_S = 3600
WITHIN_S = 300


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


class Reader(NamedTuple):
    """One way to receive.

    Attributes:
        session: makes the broker keep what comes.
        drain: receives and acknowledges so many messages.
    """

    session: Callable[[Broker, bool], None]
    drain: Callable[[Broker, bool, int], None]


def sub_session(broker: Broker, tls: bool) -> None:
    """A session of mosquitto_sub."""
    mosquitto_sub(broker, tls, "-E")


def sub_drain(broker: Broker, tls: bool, count: int) -> None:
    """Receive with mosquitto_sub."""
    mosquitto_sub(broker, tls, "-C", str(count))


def mosquitto_sub(broker: Broker, tls: bool, *options: str) -> None:
    """Run mosquitto_sub."""
    session = ["-c", "-i", "sub", "-x", str(SESSION_S), "-D", "connect", "receive-maximum", str(AT_ONCE)]
    command = ["mosquitto_sub", *broker.options(tls=tls), *session, "-t", FILTER, *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=WITHIN_S)


def bus_session(broker: Broker, tls: bool) -> None:
    """A session of ours."""
    bus = Bus(broker.settings(tls=tls), "bus", clock=lambda: datetime.now(UTC), persistent=True, receive_maximum=AT_ONCE)
    bus.subscribe([FILTER], lambda _delivery: None)
    bus.start()
    wait_until(lambda: bus.connected)
    time.sleep(0.2)
    bus.stop()


def bus_drain(broker: Broker, tls: bool, count: int) -> None:
    """Receive with our bus, as the historian does: what has come is acknowledged in one go."""
    bus = Bus(broker.settings(tls=tls), "bus", clock=lambda: datetime.now(UTC), persistent=True, receive_maximum=AT_ONCE)
    waiting: list[Delivery] = []
    total = 0
    done = threading.Event()

    def take(delivery: Delivery) -> None:
        nonlocal total
        waiting.append(delivery)
        total += 1
        if len(waiting) == BATCH or total == count:
            bus.ack_all(waiting)
            waiting.clear()
        if total == count:
            done.set()

    bus.subscribe([FILTER], take)
    bus.start()
    if not done.wait(WITHIN_S):
        raise TimeoutError(f"{total} of {count} messages came")
    bus.stop()


def main() -> None:
    pass
