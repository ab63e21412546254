"""The lmp-ingest process as it is started, between the simulator and a real Mosquitto."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from real_mosquitto import Mosquitto, remove_mosquitto, start_mosquitto
from waiting import eventually

from dotbus.contracts.codec import decode
from dotbus.contracts.messages import AnyMessage, Environment, Lmp, Prices, ServiceStatus
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.bus import Bus, Delivery
from dotbus.runtime.installation_file import load_installation
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings import BusSettings
from launcher.authority import Authority
from simulators.server import running
from simulators.settings import SimulatorSettings

pytestmark = pytest.mark.integration

MARKETS = ("DAM", "HASP", "RTPD", "RTM")
INSTALLATION = """
environment = "simulator"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "R1"
node = "BAYSHOR2_1_N001"
[prices]
markets = ["DAM", "HASP", "RTPD", "RTM"]
nodes = ["TH_NP15_GEN-APND"]
"""


class Listener:
    """Remembers everything that is said."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, AnyMessage]] = []
        self.bus = Bus(BusSettings(port=port), "listener", clock=utc_now)
        topics = Topics()
        self.bus.subscribe([topics.every(one) for one in (Subject.PRICES, Subject.LMP, Subject.SERVICE)], self._take)
        self.bus.start()

    def _take(self, delivery: Delivery) -> None:
        self.heard.append((delivery.topic, decode(delivery.payload)))
        delivery.ack()

    def latest(self) -> dict[str, AnyMessage]:
        return dict(self.heard)

    def of(self, kind: type) -> list[AnyMessage]:
        return [message for _, message in self.heard if isinstance(message, kind)]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = start_mosquitto(folder)
    yield broker
    remove_mosquitto(broker)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "dotbus.toml"
    file.write_text(INSTALLATION)
    return file


@pytest.fixture
def oasis(config: Path) -> Iterator[str]:
    folder = config.parent
    authority = Authority.create(datetime.now(UTC))
    server = authority.issue_server(["127.0.0.1"], datetime.now(UTC))
    (folder / "server.pem").write_bytes(server.certificate)
    (folder / "server.key").write_bytes(server.key)
    (folder / "ca.pem").write_bytes(authority.issued.certificate)
    settings = SimulatorSettings(
        config=config,
        certificate=folder / "server.pem",
        key=folder / "server.key",
        client_ca=folder / "ca.pem",
        ads_port=0,
        oasis_port=0,
        admin_port=0,
        oasis_spacing_s=0.0,
    )
    with running(settings, load_installation(config), utc_now) as addresses:
        yield addresses.oasis


def test_the_process_says_every_node_s_prices_and_goes_in_order(broker: Mosquitto, config: Path, oasis: str) -> None:
    listener = Listener(broker.port)
    environment = {
        **os.environ,
        "LMP_INGEST_CONFIG": str(config),
        "LMP_INGEST_INSTANCE": "test",
        "LMP_INGEST_URL": oasis,
        "LMP_INGEST_SPACING_S": "0.2",
        "LMP_INGEST_STATE_DIR": str(config.parent / "state"),
        "LMP_INGEST_MQTT_PORT": str(broker.port),
    }
    process = subprocess.Popen([sys.executable, "-m", "lmp_ingest"], env=environment)
    try:
        expected = {Topics().lmp(market, node) for market in MARKETS for node in ("BAYSHOR2_1_N001", "TH_NP15_GEN-APND")}
        eventually(lambda: expected <= listener.latest().keys(), within_s=40)
        eventually(lambda: {event.market for event in listener.of(Prices)} == set(MARKETS))
        status = eventually(lambda: _well(listener.latest().get(Topics().service("lmp_ingest", "test"))))
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        eventually(lambda: not _status(listener).online)
    finally:
        process.kill()
        process.wait()
        listener.bus.stop()

    events = listener.of(Prices)
    assert sorted(event.seq for event in events) == list(range(1, len(events) + 1))
    assert all(state.active for state in listener.of(Lmp)), "the simulator publishes each interval before it begins"
    assert {one.name for one in status.upstreams} == {"oasis_dam", "oasis_hasp", "oasis_rtpd", "oasis_rtm"}
    assert set(status.cursors) == set(MARKETS)
    assert status.environment is Environment.SIMULATOR


def _status(listener: Listener) -> ServiceStatus:
    status = listener.latest()[Topics().service("lmp_ingest", "test")]
    assert isinstance(status, ServiceStatus)
    return status


def _well(status: AnyMessage | None) -> ServiceStatus | None:
    well = isinstance(status, ServiceStatus) and status.online and all(one.ok for one in status.upstreams)
    return status if well else None


def test_check_tells_every_mistake_and_exits_with_2(config: Path) -> None:
    environment = {
        **os.environ,
        "LMP_INGEST_CONFIG": str(config),
        "LMP_INGEST_SPACING_S": "1",
        "LMP_INGEST_MQTT_PORT": "none",
    }

    done = subprocess.run(
        [sys.executable, "-m", "lmp_ingest", "check"], env=environment, capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 2
    assert "LMP_INGEST_MQTT_PORT" in done.stderr
    assert "less than the 5 s that CAISO allows" in done.stderr
