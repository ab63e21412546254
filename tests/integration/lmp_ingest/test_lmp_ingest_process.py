"""The lmp-ingest process as it is started, between the simulator and a real Mosquitto."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from listening import Listener
from real_mosquitto import Mosquitto
from simulator_client import Keys, simulating
from waiting import eventually

from dotbus.contracts.messages import AnyMessage, Environment, Lmp, Prices, ServiceStatus
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.schedule import utc_now

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


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "dotbus.toml"
    file.write_text(INSTALLATION)
    return file


@pytest.fixture
def oasis(config: Path, keys: Keys) -> Iterator[str]:
    with simulating(keys, config, utc_now, oasis_spacing_s=0.0) as addresses:
        yield addresses.oasis


def test_the_process_says_every_node_s_prices_and_goes_in_order(broker: Mosquitto, config: Path, oasis: str) -> None:
    listener = Listener(broker.port, (Subject.PRICES, Subject.LMP, Subject.SERVICE))
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
