"""The demonstration's broker: users, topics and loopback are as strict as at a plant."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
import requests
from paho.mqtt.client import CallbackAPIVersion, Client, MQTTMessage, MQTTv311
from simulator_client import EXAMPLE, Keys, simulating
from waiting import eventually

from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.schedule import utc_now
from launcher.demo.children import Child, Children
from launcher.demo.embedded_broker import users_json
from launcher.demo.ports import free_port
from launcher.setup.broker_users import BrokerUser, broker_users

pytestmark = pytest.mark.integration

USERS = (
    BrokerUser("ingest", writes=("plant/+/dot",)),
    BrokerUser("plant-a", reads=("plant/a/#",)),
    BrokerUser("console", reads=("#",)),
)
PASSWORDS = {user.name: f"secret of {user.name}" for user in USERS}
WITHIN_S = 15.0


class Running:
    """The broker as a process."""

    def __init__(self, folder: Path, allowed: Sequence[BrokerUser] = USERS) -> None:
        self.port = free_port()
        users, passwords = folder / "users.json", {user.name: f"secret of {user.name}" for user in allowed}
        users.write_text(users_json(allowed, passwords), encoding="utf-8")
        assert not any(password in users.read_text() for password in passwords.values())
        self.children = Children(folder)
        self.child: Child = self.children.start("broker", "launcher.demo.embedded_broker", [str(users), str(self.port)])
        self.children.wait_for_port(self.port, self.child, WITHIN_S)


class Guest:
    """A third party's client, and what it was told."""

    def __init__(self, port: int, user: str | None, password: str | None, subscribe: str | None = None) -> None:
        self.accepted: bool | None = None
        self.received: list[tuple[str, bytes]] = []
        self.ready = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv311, reconnect_on_failure=False)
        if user:
            self.client.username_pw_set(user, password)
        self.client.on_connect = lambda _c, _u, _f, reason, _p: self._connected(bool(reason.is_failure), subscribe)
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_message = self._heard
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.ready.wait(WITHIN_S)

    def _connected(self, refused: bool, subscribe: str | None) -> None:  # noqa: FBT001  # a callback
        self.accepted = not refused
        if refused or subscribe is None:
            self.ready.set()
        else:
            self.client.subscribe(subscribe, qos=1)

    def _heard(self, _client: Client, _user: object, message: MQTTMessage) -> None:
        self.received.append((message.topic, message.payload))

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(WITHIN_S)

    def leave(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        if line := self.client.socket():  # the loop may end before it has closed it
            line.close()
        self.client._reset_sockets(sockpair_only=True)  # else the garbage collector finds them, and warns


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.children.stop()


@pytest.fixture
def guest(broker: Running) -> Iterator:
    guests: list[Guest] = []

    def come(user: str | None, password: str | None = None, subscribe: str | None = None) -> Guest:
        guests.append(Guest(broker.port, user, password or PASSWORDS.get(user or ""), subscribe))
        return guests[-1]

    yield come
    for one in guests:
        one.leave()


def test_it_listens_on_loopback_only(broker: Running):
    listening = [c for c in psutil.Process(broker.child.process.pid).net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert [(c.laddr.ip, c.laddr.port) for c in listening] == [("127.0.0.1", broker.port)]


@pytest.mark.parametrize(("user", "password"), [(None, None), ("ingest", "guessed"), ("nobody", "secret of nobody")])
def test_without_a_users_password_nobody_comes_in(guest, user: str | None, password: str | None):
    assert guest(user, password).accepted is False


def test_each_user_writes_and_hears_its_own_topics_only(guest):
    console, plant = guest("console", subscribe="#"), guest("plant-a", subscribe="plant/a/#")
    ingest = guest("ingest")
    assert console.accepted
    assert plant.accepted
    ingest.say("plant/a/dot", b"1")
    ingest.say("plant/b/dot", b"2")
    ingest.say("service/ads_ingest/a", b"not its topic")
    plant.say("plant/a/dot", b"not its to say")
    ingest.say("plant/a/dot", b"3")
    eventually(lambda: len(console.received) == 3 and len(plant.received) == 2, WITHIN_S)
    assert console.received == [("plant/a/dot", b"1"), ("plant/b/dot", b"2"), ("plant/a/dot", b"3")]
    assert plant.received == [("plant/a/dot", b"1"), ("plant/a/dot", b"3")]


def test_a_subscription_to_others_topics_brings_nothing(guest):
    ingest, console = guest("ingest"), guest("console", subscribe="#")
    plant = guest("plant-a", subscribe="#")
    ingest.say("plant/b/dot", b"of another plant")
    eventually(lambda: console.received, WITHIN_S)
    assert not plant.received


def test_states_are_retained_for_whoever_comes_later(guest):
    guest("ingest").say("plant/a/dot", b"retained", retain=True)
    eventually(lambda: guest("plant-a", subscribe="plant/a/#").received or None, WITHIN_S, 0.3)


def test_what_is_retained_comes_only_to_whoever_subscribed_to_it(guest):
    ingest = guest("ingest")
    ingest.say("plant/a/dot", b"of a", retain=True)
    ingest.say("plant/b/dot", b"of b", retain=True)
    everything = guest("console", subscribe="#")
    # What comes while it is retained may come once more.
    eventually(lambda: {*everything.received} == {("plant/a/dot", b"of a"), ("plant/b/dot", b"of b")}, WITHIN_S)
    one = guest("console", subscribe="plant/a/#")
    eventually(lambda: one.received, WITHIN_S)
    assert guest("plant-a", subscribe="plant/c/#").accepted
    ingest.say("plant/a/dot", b"new")
    eventually(lambda: len(one.received) == 2, WITHIN_S)
    assert one.received == [("plant/a/dot", b"of a"), ("plant/a/dot", b"new")]


def test_an_instruction_is_answered_over_it_by_its_plants_user_without_mqtt_5(keys: Keys, tmp_path: Path):
    installation = load_installation(EXAMPLE)
    broker = Running(tmp_path, broker_users(installation.topics, [plant.name for plant in installation.plants]))
    common = os.environ | {
        "ADS_INGEST_CONFIG": str(EXAMPLE),
        "ADS_INGEST_MQTT_PORT": str(broker.port),
        "ADS_INGEST_MQTT_PROTOCOL": "3.1.1",
    }

    def as_user(name: str) -> dict[str, str]:
        return common | {"ADS_INGEST_MQTT_USERNAME": name, "ADS_INGEST_MQTT_PASSWORD": f"secret of {name}"}

    with simulating(keys, EXAMPLE, utc_now, interval_s=120) as caiso:
        own = {"URL": caiso.ads, "CERTIFICATE_FILE": keys.client, "CA_FILE": keys.authority, "STATE_DIR": tmp_path / "state"}
        settings = {f"ADS_INGEST_{name}": str(value) for name, value in own.items()} | {"ADS_INGEST_POLL_S": "0.3"}
        order = {"kind": "hourly", "resources": ["DELTA_6_HYDRO1"]}
        uid = requests.post(f"{caiso.admin}/issue", json=order, timeout=10).json()["instructions"][0]["instruction_uid"]
        service = subprocess.Popen([sys.executable, "-m", "ads_ingest"], env=as_user("ads_ingest") | settings)
        command = [sys.executable, "-m", "ads_ingest", "accept", "DELTA_6_HYDRO1", uid, "--within-s", "30"]

        def accepted() -> bool:
            done = subprocess.run(command, env=as_user("plant-delta"), capture_output=True, text=True, timeout=60, check=False)
            return done.stdout.startswith("taken: ") and done.returncode == 0

        try:
            eventually(accepted, within_s=50)
            assert [each["result_code"] for each in requests.get(f"{caiso.admin}/answers", timeout=10).json()] == [0]
        finally:
            service.kill()
            service.wait()
            broker.children.stop()
