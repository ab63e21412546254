"""The broker as it is deployed: our mosquitto.conf, password file, access list and certificates in a real Mosquitto."""

import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
import requests
from deployed_broker import CONFIG, Broker, check_health, deployed, shake_hands
from pymodbus.client import ModbusTcpClient
from real_mosquitto import free_port
from simulator_client import Keys, simulating
from waiting import eventually

from ads_ingest.files.archive import Archive, DocumentKind
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery, Outgoing
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings

pytestmark = pytest.mark.integration
TOP = Path(__file__).parents[3]
EXAMPLE = load_installation(CONFIG)
TOPICS = Topics(EXAMPLE.topic_root)
ALLOWED, NO_SUBSCRIBER, FORBIDDEN = "Success", "No matching subscribers", "Not authorized"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with deployed(tmp_path_factory.mktemp("deployed")) as started:
        yield started


@pytest.mark.parametrize(
    "user", ["ads_ingest", "lmp_ingest", "modbus_gateway", "historian", "console", "replay", "plant-sierra"]
)
def test_every_user_is_let_in_with_its_own_password_only(broker: Broker, user: str):
    others = "console" if user != "console" else "historian"

    with broker.client(user) as right, broker.client(user, broker.password(others)) as wrong:
        assert right.connected == [ALLOWED]
        assert wrong.connected[0] == FORBIDDEN


def test_the_health_check_sees_that_the_broker_saves_whether_anybody_is_there_or_not(broker: Broker):
    eventually(lambda: broker.check() == 0)


def test_a_broker_that_saves_no_more_is_not_well_and_the_check_says_why(tmp_path: Path):
    file = tmp_path / "mosquitto.db"
    assert (check_health(file).returncode, "not there" in check_health(file).stdout) == (1, True)
    file.touch()
    assert check_health(file).returncode == 0
    os.utime(file, (file.stat().st_atime, file.stat().st_mtime - 20))
    assert (check_health(file).returncode, "disk is full" in check_health(file).stdout) == (1, True)


def test_nobody_is_let_in_without_a_name(broker: Broker):
    with broker.client("", "") as nobody:
        assert nobody.connected[0] != ALLOWED


def test_the_broker_is_not_trusted_without_our_authority(broker: Broker):
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(broker, ssl.create_default_context())


OWN = {
    "ads_ingest": [
        TOPICS.dispatch("sierra", "S1"),
        TOPICS.trajectory_batch("unassigned", "S1"),
        TOPICS.dot("sierra", "S1"),
        TOPICS.trajectory("delta", "D1"),
        TOPICS.instructions("sierra", "S1"),
        TOPICS.response("sierra", "S1"),
        TOPICS.respond_reply("sierra", "S1", "accept"),
        f"{TOPICS.respond_reply('delta', 'D1', 'decline')}/screen-1",
        TOPICS.service("ads_ingest", "main"),
        TOPICS.stream("ads_ingest", "main"),
        TOPICS.gap("ads_ingest", "main"),
        TOPICS.replay_reply("ads_ingest", "main"),
    ],
    "lmp_ingest": [
        TOPICS.prices("RTM"),
        TOPICS.lmp("DAM", "N1"),
        TOPICS.service("lmp_ingest", "main"),
        TOPICS.gap("lmp_ingest", "main"),
    ],
    "modbus_gateway": [TOPICS.service("modbus_gateway", "main")],
    "historian": [TOPICS.service("historian", "main"), TOPICS.replay("ads_ingest", "main")],
    "console": [],
    "plant-sierra": [
        TOPICS.service("modbus_gateway", "sierra"),
        TOPICS.stream("modbus_gateway", "sierra"),
        TOPICS.replay_reply("modbus_gateway", "sierra"),
        TOPICS.respond("sierra", "S1", "accept"),
        TOPICS.telemetry("sierra", "S1", "actual_mw"),
        TOPICS.write("sierra", "S1"),
    ],
}
EVERY_TOPIC = sorted(
    {topic for topics in OWN.values() for topic in topics}
    | {TOPICS.respond("delta", "D1", "accept"), TOPICS.telemetry("delta", "D1", "actual_mw"), TOPICS.write("delta", "D1")}
    | {TOPICS.stream("modbus_gateway", "delta"), "other/topic"}
)


@pytest.mark.parametrize("user", sorted(OWN))
def test_a_user_publishes_its_own_topics_and_the_broker_refuses_every_other(broker: Broker, user: str):
    allowed = set(OWN[user]) | ({TOPICS.service("modbus_gateway", "sierra")} if user == "modbus_gateway" else set())

    with broker.client(user) as client:
        reasons = client.publish(EVERY_TOPIC)
        assert client.connected == [ALLOWED], "a refusal costs nobody the connection"

    assert {topic for topic, reason in reasons.items() if reason in {ALLOWED, NO_SUBSCRIBER}} == allowed
    assert {reason for topic, reason in reasons.items() if topic not in allowed} == {FORBIDDEN}


HEARD = {
    "ads_ingest": {
        TOPICS.service("ads_ingest", "main"),
        TOPICS.stream("ads_ingest", "main"),
        TOPICS.replay("ads_ingest", "main"),
        TOPICS.response("sierra", "S1"),
    },
    "lmp_ingest": {TOPICS.service("lmp_ingest", "main")},
    "modbus_gateway": {
        TOPICS.dot("sierra", "S1"),
        TOPICS.trajectory("delta", "D1"),
        TOPICS.instructions("sierra", "S1"),
        TOPICS.lmp("DAM", "N1"),
        *(TOPICS.service(service, "main") for service in ("ads_ingest", "lmp_ingest", "modbus_gateway", "historian")),
    },
    "plant-sierra": {
        TOPICS.dispatch("sierra", "S1"),
        TOPICS.dot("sierra", "S1"),
        TOPICS.instructions("sierra", "S1"),
        TOPICS.response("sierra", "S1"),
        TOPICS.respond_reply("sierra", "S1", "accept"),
        TOPICS.prices("RTM"),
        TOPICS.lmp("DAM", "N1"),
        *(TOPICS.service(service, "main") for service in ("ads_ingest", "lmp_ingest", "modbus_gateway", "historian")),
    },
    "console": {topic for user, topics in OWN.items() if user != "plant-sierra" for topic in topics},
}


@pytest.mark.parametrize("user", sorted(HEARD))
def test_a_user_that_subscribes_to_everything_receives_only_what_it_may(broker: Broker, user: str):
    writers = {topic: writer for writer, topics in OWN.items() if writer != "plant-sierra" for topic in topics}

    with broker.client(user) as listener, broker.client("console") as console:
        listener.subscribe("#")
        console.subscribe("#")
        for topic, writer in writers.items():
            with broker.client(writer) as client:
                assert client.publish([topic]) == {topic: ALLOWED}
        eventually(lambda: set(writers) <= set(console.received))
        eventually(lambda: HEARD[user] <= set(listener.received))

    assert {topic for topic in listener.received if not topic.startswith("$SYS")} == HEARD[user]


def test_a_plants_user_answers_on_the_command_line_for_its_own_plant_and_nobody_else_does(
    broker: Broker, keys: Keys, tmp_path: Path
):
    with simulating(keys, CONFIG, utc_now, interval_s=120) as caiso:
        tls = {"CONFIG": CONFIG, "MQTT_PORT": broker.port, "MQTT_CA_FILE": broker.credentials / "operator" / "ca.pem"}
        common = os.environ | {f"ADS_INGEST_{name}": str(value) for name, value in tls.items()}
        own = {
            "URL": caiso.ads,
            "CERTIFICATE_FILE": keys.client,
            "CA_FILE": keys.authority,
            "POLL_S": 0.3,
            "STATE_DIR": tmp_path,
            "MQTT_USERNAME": "ads_ingest",
            "MQTT_PASSWORD_FILE": broker.credentials / "ads_ingest" / "mqtt.password",
        }
        of_service = common | {f"ADS_INGEST_{name}": str(value) for name, value in own.items()}

        def accept(*more: str, environment: dict[str, str] = common) -> tuple[int, str]:
            command = [sys.executable, "-m", "ads_ingest", "accept", "SIERRA_2_SOLAR1", uid, *more, "--within-s", "30"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
            return done.returncode, done.stdout + done.stderr

        def as_plant(name: str, *more: str) -> tuple[int, str]:
            password = broker.credentials / "operator" / f"plant-{name}.password"
            return accept(*more, "--username", f"plant-{name}", "--password-file", str(password))

        service = subprocess.Popen([sys.executable, "-m", "ads_ingest"], env=of_service)
        try:
            order = {"kind": "hourly", "resources": ["SIERRA_2_SOLAR1"]}
            batch = requests.post(f"{caiso.admin}/issue", json=order, timeout=10).json()
            uid = batch["instructions"][0]["instruction_uid"]
            for status, told in (
                as_plant("delta", "--batch", batch["batch_uid"]),
                accept("--batch", batch["batch_uid"], environment=of_service),
            ):
                assert status == 1
                assert "nothing was sent: the broker refused" in told
                assert "the plant sierra's own user at the broker may answer for it, and nobody else" in told
            assert requests.get(f"{caiso.admin}/answers", timeout=10).json() == []
            eventually(lambda: as_plant("sierra")[0] == 0, within_s=60)
            assert [each["result_code"] for each in requests.get(f"{caiso.admin}/answers", timeout=10).json()] == [0]
        finally:
            service.kill()
            service.wait()


def test_a_burst_and_a_message_as_large_as_the_broker_takes_pass_over_tls(broker: Broker):
    got: list[Delivery] = []

    def bus(user: str) -> Bus:
        own = BusSettings(
            port=broker.port,
            username=user,
            password=broker.password(user),
            ca_file=broker.credentials / "operator" / "ca.pem",
        )
        return Bus(own, f"{user}/burst", clock=lambda: datetime.now(UTC), receive_maximum=500)

    historian, ingest = bus("historian"), bus("ads_ingest")
    historian.subscribe([TOPICS.every(Subject.DISPATCH)], got.append)
    listening: list[bool] = []
    historian._client.on_subscribe = lambda *_: listening.append(True)
    payloads = [b"%d" % number * 100 for number in range(3000)]
    payloads.insert(1000, bytes(15 * 1024 * 1024))
    with running(historian), running(ingest):
        eventually(lambda: listening and ingest.connected)
        publisher = Thread(target=ingest.publish, args=([Outgoing(TOPICS.dispatch("sierra", "S1"), p) for p in payloads], 60))
        publisher.start()
        for count in range(500, len(payloads), 500):
            eventually(lambda count=count: len(got) >= count, within_s=60)
            historian.ack_all(got[count - 500 : count])
        eventually(lambda: len(got) == len(payloads))
        publisher.join()
    assert [delivery.payload for delivery in got] == payloads


@contextmanager
def running(bus: Bus) -> Iterator[None]:
    bus.start()
    try:
        yield
    finally:
        bus.stop()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """One of CAISO's documents, as ads_ingest keeps it."""
    kept = Archive(tmp_path / "state" / "archive", timedelta(days=2), 10**6)
    kept.keep(
        DocumentKind.DISPATCH, "B1", (TOP / "tests/fixtures/ads/sample-dispatch-batch.xml").read_bytes(), datetime.now(UTC)
    )
    return tmp_path / "state"


def replayed(broker: Broker, archive: Path, user: str) -> "subprocess.CompletedProcess[str]":
    operator = broker.credentials / "operator"
    password = "mqtt.password" if user == "console" else f"{user}.password"
    environment = {
        **os.environ,
        "ADS_INGEST_CONFIG": str(CONFIG),
        "ADS_INGEST_STATE_DIR": str(archive),
        "ADS_INGEST_MQTT_HOST": "localhost",
        "ADS_INGEST_MQTT_PORT": str(broker.port),
        "ADS_INGEST_MQTT_USERNAME": user,
        "ADS_INGEST_MQTT_PASSWORD_FILE": str(operator / password),
        "ADS_INGEST_MQTT_CA_FILE": str(operator / "ca.pem"),
    }
    command = [sys.executable, "-m", "ads_ingest", "replay", "--speed", "600"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)


def test_a_replay_that_the_broker_refuses_ends_and_says_who_must_be_allowed_what(broker: Broker, archive: Path):
    ended = replayed(broker, archive, "console")

    assert ended.returncode == 1
    assert "'console' must be allowed to publish below replay/v1" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_user_of_replays_plays_a_day_and_hears_it(broker: Broker, archive: Path):
    with broker.client("replay") as client:
        client.subscribe("replay/v1/#")
        ended = replayed(broker, archive, "replay")
        assert ended.returncode == 0, ended.stderr
        eventually(lambda: any(topic.endswith("/dot") for topic in client.received))
        assert client.publish([TOPICS.dot("sierra", "X")]) == {TOPICS.dot("sierra", "X"): FORBIDDEN}


WRITTEN_RESOURCE = "SIERRA_2_BESS1"
WRITES = f"""
[[modbus.write]]
unit_id = 31
address = 0
resource = "{WRITTEN_RESOURCE}"
point = "actual_mw"
expires_after_s = 60.0
allow_from = ["127.0.0.1"]
"""
# What a plant's own user may not hear, other plants' states, its gateway does not show either.
WITHOUT_BLOCKS = CONFIG.read_text(encoding="utf-8").split("# The map that this project's predecessors served")[0]


@pytest.fixture
def writing(broker: Broker, tmp_path: Path) -> Iterator[ModbusTcpClient]:
    (tmp_path / "dotbus.toml").write_text(WITHOUT_BLOCKS + WRITES)
    port = free_port()
    own = {
        "CONFIG": str(tmp_path / "dotbus.toml"),
        "INSTANCE": "sierra",
        "PORT": str(port),
        "STATE_DIR": str(tmp_path / "state"),
        "MQTT_HOST": "127.0.0.1",
        "MQTT_PORT": str(broker.port),
        "MQTT_USERNAME": "plant-sierra",
        "MQTT_PASSWORD_FILE": str(broker.credentials / "operator/plant-sierra.password"),
        "MQTT_CA_FILE": str(broker.credentials / "operator/ca.pem"),
    }
    environment = os.environ | {f"MODBUS_GATEWAY_{name}": value for name, value in own.items()}
    with (tmp_path / "gateway.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "modbus_gateway"], env=environment, stderr=log)
    client = ModbusTcpClient("127.0.0.1", port=port, retries=0, timeout=10)
    try:
        eventually(client.connect, within_s=30)
        yield client
        client.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert "refuse" not in (tmp_path / "gateway.log").read_text()
    finally:
        process.kill()
        process.wait()


def test_as_its_plants_user_a_gateway_may_say_all_that_it_says_of_a_write(broker: Broker, writing: ModbusTcpClient):
    said = {
        TOPICS.telemetry("sierra", WRITTEN_RESOURCE, "actual_mw"),
        TOPICS.write("sierra", WRITTEN_RESOURCE),
        TOPICS.service("modbus_gateway", "sierra"),
        TOPICS.stream("modbus_gateway", "sierra"),
    }
    with broker.client("console") as console:
        console.subscribe(f"{TOPICS.root}/#")
        reply = writing.write_registers(0, writing.convert_to_registers(48.5, writing.DATATYPE.FLOAT32), device_id=31)
        assert not reply.isError()
        eventually(lambda: said <= set(console.received), within_s=30)
