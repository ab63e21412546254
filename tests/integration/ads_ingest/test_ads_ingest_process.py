"""The ads-ingest process as it is started, between the simulator and a real Mosquitto."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from listening import Listener
from real_mosquitto import Mosquitto, free_port
from simulator_client import EXAMPLE, Keys, simulating
from waiting import eventually

from dotbus.contracts.messages import Dispatch, Dot, Environment, ServiceStatus, Trajectory, TrajectoryBatch
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.schedule import utc_now
from simulators.server import Addresses

pytestmark = pytest.mark.integration

INSTALLATION = load_installation(EXAMPLE)
TOPICS = INSTALLATION.topics
STATUS = TOPICS.service("ads_ingest", "test")
STATES = {
    topic(plant.name, resource.id)
    for plant in INSTALLATION.plants
    for resource in plant.resources
    for topic in (TOPICS.dot, TOPICS.trajectory)
}


SUBJECTS = (Subject.DISPATCH, Subject.TRAJECTORY_BATCH, Subject.DOT, Subject.TRAJECTORY, Subject.SERVICE)


class Audience(Listener):
    """Hears what ads_ingest says."""

    def seqs(self) -> set[int]:
        return {message.seq for message in (*self.of(Dispatch), *self.of(TrajectoryBatch))}

    def status(self) -> ServiceStatus | None:
        status = self.latest().get(STATUS)
        return status if isinstance(status, ServiceStatus) else None


@pytest.fixture
def caiso(keys: Keys) -> Iterator[Addresses]:
    with simulating(keys, EXAMPLE, utc_now, interval_s=2) as addresses:
        yield addresses


def start(
    broker: Mosquitto, caiso: Addresses, keys: Keys, folder: Path, health_port: int, **own: str
) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "ADS_INGEST_CONFIG": str(EXAMPLE),
        "ADS_INGEST_INSTANCE": "test",
        "ADS_INGEST_URL": caiso.ads,
        "ADS_INGEST_CERTIFICATE_FILE": str(keys.client),
        "ADS_INGEST_CA_FILE": str(keys.authority),
        "ADS_INGEST_POLL_S": "0.3",
        "ADS_INGEST_STATE_DIR": str(folder / "state"),
        "ADS_INGEST_MQTT_PORT": str(broker.port),
        "ADS_INGEST_HEALTH_PORT": str(health_port),
        **own,
    }
    return subprocess.Popen([sys.executable, "-m", "ads_ingest"], env=environment)


def test_killed_and_started_again_it_goes_on_without_a_gap_and_goes_in_order(
    broker: Mosquitto, caiso: Addresses, keys: Keys, tmp_path: Path
) -> None:
    listener, health_port = Audience(broker.port, SUBJECTS), free_port()
    process = start(broker, caiso, keys, tmp_path, health_port)
    try:
        eventually(lambda: listener.latest().keys() >= STATES, within_s=30)
        process.kill()
        process.wait()
        eventually(lambda: (status := listener.status()) and not status.online, within_s=40)
        before = max(listener.seqs())

        process = start(broker, caiso, keys, tmp_path, health_port)
        eventually(lambda: max(listener.seqs()) > before + 3, within_s=30)
        status = eventually(lambda: (s := listener.status()) and s.online and all(u.ok for u in s.upstreams) and s)
        with urllib.request.urlopen(f"http://127.0.0.1:{health_port}/metrics", timeout=20) as metrics:
            assert b'ads_ingest_last_ok_timestamp_seconds{upstream="ads_dispatch"}' in metrics.read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        eventually(lambda: (s := listener.status()) and not s.online)
    finally:
        process.kill()
        process.wait()
        listener.bus.stop()

    assert listener.seqs() == set(range(1, max(listener.seqs()) + 1)), "no gap"
    assert {upstream.name for upstream in status.upstreams} == {"ads_dispatch", "ads_trajectory"}
    assert set(status.cursors) == {"dispatch", "trajectory"}
    assert status.certificate_days_left is not None
    assert status.certificate_days_left > 0
    for resource in (topic for topic in STATES if topic.endswith("/dot")):
        state = listener.latest()[resource]
        assert isinstance(state, Dot)
        assert state.intervals
    assert any(isinstance(message, Trajectory) and message.latest for message in listener.latest().values())


def test_two_accounts_in_one_process_say_everything_once_and_each_how_it_is_heard(
    broker: Mosquitto, caiso: Addresses, keys: Keys, tmp_path: Path
) -> None:
    accounts = "".join(f'[[account]]\nname = "{name}"\ncertificate_file = "{keys.client}"\n' for name in ("east", "west"))
    (tmp_path / "accounts.toml").write_text(accounts)
    listener = Audience(broker.port, SUBJECTS)
    own = {"ADS_INGEST_ACCOUNTS_FILE": str(tmp_path / "accounts.toml"), "ADS_INGEST_CERTIFICATE_FILE": ""}
    process = start(broker, caiso, keys, tmp_path, free_port(), **own)
    try:
        eventually(lambda: listener.latest().keys() >= STATES, within_s=40)
        seen = max(listener.seqs())
        eventually(lambda: max(listener.seqs()) > seen + 6, within_s=30)
        status = eventually(lambda: (s := listener.status()) and s.online and all(u.ok for u in s.upstreams) and s)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        listener.bus.stop()
    kinds = ("ads_dispatch", "ads_trajectory")
    assert {each.name for each in status.upstreams} == {
        *kinds,
        *(f"{kind}/{name}" for kind in kinds for name in ("east", "west")),
    }
    assert set(status.cursors) == {f"{kind}/{name}" for kind in ("dispatch", "trajectory") for name in ("east", "west")}
    ids = [event.id for event in (*listener.of(Dispatch), *listener.of(TrajectoryBatch))]
    assert len(ids) == len(set(ids)), "none is doubled"
    assert (tmp_path / "state/latest/east/dispatch-batch.xml").exists()
    lines = (tmp_path / "state/latest/dot.csv").read_text().splitlines()
    assert {line.split(",")[8] for line in lines[1:]} <= {"64", "0"}, "after an orderly stop no line is good"


def test_an_archive_is_played_again_as_a_simulation(broker: Mosquitto, caiso: Addresses, keys: Keys, tmp_path: Path) -> None:
    listener = Audience(broker.port, SUBJECTS)
    process = start(broker, caiso, keys, tmp_path, free_port())
    try:
        eventually(lambda: listener.latest().keys() >= STATES, within_s=30)
    finally:
        process.terminate()
        process.wait()
    archive, environment = tmp_path / "state/archive", {**os.environ, "ADS_INGEST_CONFIG": str(EXAMPLE)}
    environment |= {"ADS_INGEST_MQTT_PORT": str(broker.port), "ADS_INGEST_INSTANCE": "test", "ADS_INGEST_LOG_FORMAT": "console"}
    again = Audience(broker.port, SUBJECTS, Topics("replay/v1"))
    command = [sys.executable, "-m", "ads_ingest", "replay", "--archive", str(archive), "--speed", "100"]
    try:
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 0, ended.stderr
        played = {event.batch.batch_uid for event in again.of(Dispatch)}
        assert played == {event.batch.batch_uid for event in listener.of(Dispatch)}
        assert {event.environment for event in again.of(Dispatch)} == {Environment.SIMULATOR}
        assert {event.source for event in again.of(Dispatch)} == {"ads_ingest/test-replay"}
    finally:
        listener.bus.stop()
        again.bus.stop()


def test_check_tells_every_mistake_and_exits_with_2(tmp_path: Path) -> None:
    environment = {**os.environ, "ADS_INGEST_CONFIG": str(EXAMPLE), "ADS_INGEST_URL": "http://ads.example"}

    done = subprocess.run(
        [sys.executable, "-m", "ads_ingest", "check"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 2
    for expected in (
        "ADS_INGEST_URL: must be a web address that begins with https://",
        "ADS_INGEST_CERTIFICATE_FILE",
        "ADS_INGEST_CA_FILE",
    ):
        assert expected in done.stderr
