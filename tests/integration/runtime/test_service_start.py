"""How every service starts and what ends it, as an operator and the system do it: processes, ports, folders, signals."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from real_mosquitto import free_port
from simulator_client import Keys
from waiting import eventually

pytestmark = pytest.mark.integration

EXAMPLE = Path(__file__).parents[3] / "config/dotbus.example.toml"
SERVICES = ["ads_ingest", "lmp_ingest", "modbus_gateway", "historian"]
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "service.log"


@pytest.fixture
def start(tmp_path: Path, keys: Keys, log: Path) -> Iterator[Start]:
    """Starts a service that finds neither broker nor CAISO nor database; all of that may come later."""
    started: list[subprocess.Popen[bytes]] = []
    own = {
        "ads_ingest": {
            "URL": "https://127.0.0.1:9/ADS/APIWebService/v7",
            "CERTIFICATE_FILE": str(keys.client),
            "CA_FILE": str(keys.authority),
        },
        "lmp_ingest": {"URL": "http://127.0.0.1:9/oasisapi"},
        "modbus_gateway": {"PORT": str(free_port())},
        "historian": {"DATABASE_URL": "postgresql+psycopg2://nobody@127.0.0.1:9/dotbus"},
    }

    def begin(service: str, **changed: object) -> subprocess.Popen[bytes]:
        settings: Mapping[str, object] = {
            "CONFIG": EXAMPLE,
            "INSTANCE": "test",
            "MQTT_PORT": 9,
            "STATE_DIR": tmp_path / "state",
            **own[service],
            **changed,
        }
        environment = os.environ | {f"{service.upper()}_{name}": str(value) for name, value in settings.items()}
        with log.open("ab") as output:
            started.append(subprocess.Popen([sys.executable, "-m", service], env=environment, stderr=output))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def said(log: Path) -> list[dict[str, str]]:
    """Every line of the log, each of which is one event."""
    return [json.loads(line) for line in log.read_text().splitlines()]


def refusal(process: subprocess.Popen[bytes], log: Path) -> str:
    """Why it did not start: its last line, and no more than that."""
    assert process.wait(30) == 1
    last = said(log)[-1]
    assert last["event"] == "cannot start"
    assert [one for one in said(log) if "exception" in one] == []
    return last["cause"]


@pytest.mark.parametrize("service", SERVICES)
def test_only_a_signal_to_end_ends_a_service(start: Start, log: Path, service: str):
    process = start(service)
    eventually(lambda: log.read_text().count("\n") >= 2, within_s=30)
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        process.send_signal(number)
        told = (
            {"event": "signal passed over", "signal": number.name},
            {"event": "asked to read the map again", "by": number.name},
        )
        eventually(lambda told=told: any(each.items() <= one.items() for one in said(log) for each in told))
    assert process.poll() is None

    process.send_signal(signal.SIGTERM)

    assert process.wait(30) == 0
    assert said(log)[-1]["event"] == "stopped"


@pytest.mark.parametrize("service", SERVICES)
def test_a_health_port_that_is_taken_is_one_line(start: Start, log: Path, service: str):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cause = refusal(start(service, HEALTH_PORT=port), log)

    assert cause.startswith(f"cannot listen for health on 127.0.0.1:{port}: something else listens there: ")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"HOST": "192.0.2.1"}, "192.0.2.1:5020: this machine has no such address: set MODBUS_GATEWAY_HOST to one that it has"),
        ({"HOST": "no.such.host.invalid"}, "MODBUS_GATEWAY_HOST is neither an address nor a name that is known here"),
    ],
)
def test_an_address_that_is_not_ours_is_one_line(start: Start, log: Path, changed: dict[str, str], expected: str):
    assert expected in refusal(start("modbus_gateway", PORT=5020, **changed), log)


def test_a_modbus_port_that_is_taken_is_one_line(start: Start, log: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cause = refusal(start("modbus_gateway", PORT=port), log)

    assert cause == (
        f"cannot listen for Modbus TCP on 127.0.0.1:{port}: something else listens there: "
        "end it, or set MODBUS_GATEWAY_PORT to a free one"
    )


@pytest.mark.parametrize("service", ["ads_ingest", "lmp_ingest"])
def test_a_state_folder_that_another_process_has_is_one_line(start: Start, log: Path, tmp_path: Path, service: str):
    start(service)
    eventually((tmp_path / "state" / "outbox.sqlite-wal").exists, within_s=30)

    assert "is in use by another process: give each instance its own folder" in refusal(start(service), log)


@pytest.mark.parametrize("service", ["ads_ingest", "lmp_ingest"])
def test_a_damaged_outbox_is_one_line(start: Start, log: Path, tmp_path: Path, service: str):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "outbox.sqlite").write_bytes(b"no database" * 1000)

    assert "file is not a database" in refusal(start(service), log)


def test_a_terminal_that_is_closed_does_not_end_the_gateway(start: Start, log: Path):
    """What it wrote to is gone then, too: a line that cannot be written is lost, and nothing else is."""
    port = free_port()
    reader, writer = os.pipe()
    environment = os.environ | {
        "MODBUS_GATEWAY_CONFIG": str(EXAMPLE),
        "MODBUS_GATEWAY_PORT": str(port),
        "MODBUS_GATEWAY_MQTT_PORT": "9",
    }
    process = subprocess.Popen([sys.executable, "-m", "modbus_gateway"], env=environment, stderr=writer)
    try:
        os.close(writer)
        eventually(lambda: _accepts(port), within_s=30)
        os.close(reader)
        for _ in range(3):
            process.send_signal(signal.SIGHUP)
        eventually(lambda: _accepts(port))
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
