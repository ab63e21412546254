"""The broker as it is deployed, for tests: our mosquitto.conf, passwords, access list and certificates in a real Mosquitto."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import paho.mqtt.client as mqtt
from containers import Container, docker_answers
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode
from real_mosquitto import IMAGE, free_port
from waiting import eventually

from dotbus.runtime.installation.file import load_installation
from launcher.setup.provision import Provision

TOP = Path(__file__).parents[1]
CONFIG = TOP / "config" / "dotbus.example.toml"
HEALTHY = TOP / "deploy" / "mosquitto" / "healthy.sh"
CONF = (TOP / "deploy" / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8")


@dataclass
class Broker:
    port: int
    credentials: Path
    check: Callable[[], int] = lambda: 1
    """The deployed health check, as it runs beside the broker: its status."""
    read_again: Callable[[], object] = lambda: None
    """Have it read its password file and its access list again."""

    def password(self, user: str) -> str:
        homes = {"console": "operator/mqtt", "replay": "operator/replay"}
        home = homes.get(user, f"operator/{user}" if user.startswith("plant-") else f"{user}/mqtt")
        return (self.credentials / f"{home}.password").read_text()

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.credentials / "operator" / "ca.pem"))

    def client(self, user: str, password: str | None = None) -> "Client":
        return Client(self, user, self.password(user) if password is None else password)


@dataclass
class Client:
    """A paho client over TLS and MQTT 5 that notes every reason the broker gives."""

    broker: Broker
    user: str
    password: str
    connected: list[str] = field(default_factory=list)
    published: dict[int, str] = field(default_factory=dict)
    received: list[str] = field(default_factory=list)
    subscribed: list[int] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.paho = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.paho.username_pw_set(self.user, self.password)
        self.paho.tls_set_context(self.broker.trust())
        self.paho.on_connect = lambda _c, _u, _f, reason, _p: self.connected.append(str(reason))
        self.paho.on_publish = self._on_publish
        self.paho.on_message = lambda _c, _u, message: self.received.append(message.topic)
        self.paho.on_subscribe = lambda _c, _u, mid, _r, _p: self.subscribed.append(mid)
        self.paho.connect("127.0.0.1", self.broker.port)
        self.paho.loop_start()
        eventually(lambda: self.connected)
        return self

    def __exit__(self, *_: object) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()

    def _on_publish(self, _c: object, _u: object, mid: int, reason: ReasonCode, _p: object) -> None:
        self.published[mid] = str(reason)

    def publish(self, topics: Iterable[str]) -> dict[str, str]:
        """The reason that the broker gives for each topic."""
        sent = {topic: self.paho.publish(topic, b"{}", qos=1).mid for topic in topics}
        eventually(lambda: set(sent.values()) <= self.published.keys())
        return {topic: self.published[mid] for topic, mid in sent.items()}

    def subscribe(self, topic_filter: str) -> None:
        mid = self.paho.subscribe(topic_filter, qos=1)[1]
        eventually(lambda: mid in self.subscribed)


@contextmanager
def deployed(folder: Path) -> Iterator[Broker]:
    """A started broker with the credentials of the example."""
    Provision(folder / "credentials").run(load_installation(CONFIG), None, datetime.now(UTC))
    started = Broker(free_port(), folder / "credentials")
    stop = (in_container if docker_answers() else as_process)(folder, started)
    try:
        eventually(lambda: answers(started))
        yield started
    finally:
        stop()


def in_container(folder: Path, broker: Broker) -> Callable[[], None]:
    conf = folder / "mosquitto.conf"
    conf.write_text(CONF + "user root\n")  # matters only to a test that runs as root: else it could not read its files
    container = Container(
        IMAGE,
        8883,
        broker.port,
        {
            str(conf): "/mosquitto/config/mosquitto.conf",
            str(HEALTHY): "/mosquitto/config/healthy.sh",
            str(broker.credentials / "mosquitto"): "/run/dotbus",
        },
        user=f"{os.getuid()}:{os.getgid()}",
        tmpfs={"/mosquitto/data": "mode=1777"},
    )
    container.start()
    broker.check = lambda: container.run("sh", "/mosquitto/config/healthy.sh")
    broker.read_again = lambda: container.run("sh", "-c", "kill -HUP 1")
    return container.remove


def as_process(folder: Path, broker: Broker) -> Callable[[], None]:
    binary = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")
    assert binary, "neither Docker nor a mosquitto binary is here: install the package `mosquitto`"
    (folder / "data").mkdir()
    places = {
        "listener 8883": f"listener {broker.port} 127.0.0.1",
        "/run/dotbus": str(broker.credentials / "mosquitto"),
        "/mosquitto/data": str(folder / "data"),
    }
    text = CONF + "user root\n"
    for deployed, here in places.items():
        text = text.replace(deployed, here)
    conf = folder / "mosquitto.conf"
    conf.write_text(text)
    broker.check = lambda: check_health(folder / "data" / "mosquitto.db").returncode
    process = subprocess.Popen([binary, "-c", str(conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    broker.read_again = lambda: process.send_signal(signal.SIGHUP)

    def stop() -> None:
        process.terminate()
        process.wait()

    return stop


def check_health(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", str(HEALTHY), str(file)], capture_output=True, text=True, check=False)


def shake_hands(broker: Broker, context: ssl.SSLContext) -> bool:
    with (
        socket.create_connection(("127.0.0.1", broker.port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        return secure.version() in {"TLSv1.2", "TLSv1.3"}


def answers(broker: Broker) -> bool:
    try:
        return shake_hands(broker, broker.trust())
    except OSError:
        return False
