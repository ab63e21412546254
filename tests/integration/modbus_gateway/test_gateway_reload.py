"""The map read again while the gateway serves: its own process, a real broker, clients that ask all the time."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_process import CONFIG, GOOD, TOPICS, Ingest, Process, dot, now, status
from pymodbus.client import ModbusTcpClient
from real_mosquitto import Mosquitto
from waiting import eventually

from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import ServiceStatus
from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.settings.settings import BusSettings
from launcher.setup import reload

pytestmark = pytest.mark.integration

PATIENT = CONFIG.replace("stale_after_s = 3", "stale_after_s = 60")
MORE = PATIENT + '[[modbus.block]]\nprofile = "plant"\nunit_id = 12\n'
NO_SUCH_UNIT = 0x0B


class Clients:
    """Clients that read the same quality and megawatts all the time, each over one connection."""

    def __init__(self, port: int, count: int) -> None:
        self.port = port
        self.reads, self.wrong = 0, list[object]()
        self.units: set[int] = set()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        client = ModbusTcpClient("127.0.0.1", port=self.port, timeout=20, retries=0)
        assert client.connect()
        try:
            while not self._stop.is_set():
                self._read(client)
        except Exception as error:  # noqa: BLE001  # shown by the test
            self.wrong.append(error)
        finally:
            client.close()

    def _read(self, client: ModbusTcpClient) -> None:
        reply = client.read_holding_registers(100, count=4, device_id=11)
        if reply.isError() or reply.registers[:2] != [GOOD, 0] or reply.registers[2:] != [0x4148, 0]:
            self.wrong.append(reply)
        other = client.read_holding_registers(100, count=4, device_id=12)
        self.units.add(other.exception_code if other.isError() else 0)
        if not other.isError() and other.registers[2:] != [0x4148, 0]:
            self.wrong.append(other)
        self.reads += 1

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def gateway(tmp_path: Path, broker: Mosquitto) -> Iterator[Process]:
    process = Process(tmp_path, broker, PATIENT)
    eventually(process.is_ready)
    yield process
    if process.process.poll() is None:
        process.stop()


@pytest.fixture
def ingest(broker: Mosquitto) -> Iterator[Ingest]:
    started = Ingest(broker.port)
    yield started
    started.bus.stop()


def gateway_status(port: int) -> ServiceStatus:
    """What the gateway says of itself now."""
    heard: list[ServiceStatus] = []
    bus = Bus(BusSettings(port=port), "listener", clock=now)
    bus.subscribe([TOPICS.service("modbus_gateway", "test")], lambda one: heard.append(decode_as(one.payload, ServiceStatus)))
    bus.start()
    try:
        return eventually(lambda: heard)[-1]
    finally:
        bus.stop()


def dotbus_reload(gateway: Process, port: int) -> subprocess.CompletedProcess[str]:
    here = {"DOTBUS_CONFIG": str(gateway.file), "DOTBUS_MQTT_PORT": str(port), "COLUMNS": "200"}
    return subprocess.run(
        [Path(sys.executable).with_name("dotbus"), "reload", "--instance", "test"],
        env=os.environ | here,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_under_load_no_register_that_both_maps_show_is_anything_but_good_and_no_connection_ends(
    gateway: Process, ingest: Ingest
):
    ingest.say(status(), dot())
    gateway.shows(GOOD)
    clients = Clients(gateway.port, 4)
    try:
        for i in range(10):
            gateway.file.write_text(PATIENT if i % 2 else MORE)
            reads, want = clients.reads, NO_SUCH_UNIT if i % 2 else 0
            gateway.process.send_signal(signal.SIGHUP)
            clients.units.clear()
            eventually(lambda want=want: clients.units and (clients.units.clear() or _only(clients, want)))
            ingest.say(status(), dot())
            assert clients.reads > reads
    finally:
        clients.stop()
    assert clients.wrong == []


def _only(clients: Clients, want: int) -> bool:
    eventually(lambda: clients.units)
    return clients.units == {want}


def test_a_refused_map_leaves_the_old_one_in_force_and_says_so_until_one_is_taken(
    gateway: Process, ingest: Ingest, broker: Mosquitto
):
    ingest.say(status(), dot())
    gateway.shows(GOOD)
    gateway.file.write_text(PATIENT.replace("unit_id = 11", "unit_id = 999") + 'nonsense = "x"\n')
    refused = dotbus_reload(gateway, broker.port)
    assert refused.returncode == 2
    assert "unit_id" in refused.stderr
    assert "nonsense" in refused.stderr
    gateway.process.send_signal(signal.SIGHUP)
    gateway.shows(GOOD)
    assert "refused" in eventually(lambda: gateway_status(broker.port).complaints)[0]
    gateway.file.write_text(MORE)
    taken = dotbus_reload(gateway, broker.port)
    assert (taken.returncode, taken.stderr) == (0, "")
    assert "unit 12: not served -> map_hash" in taken.stdout
    eventually(lambda: not gateway_status(broker.port).complaints)


def test_a_new_resource_is_asked_of_the_broker_and_shown(gateway: Process, ingest: Ingest):
    ingest.say(status(), dot())
    gateway.shows(GOOD)
    gateway.file.write_text(PATIENT.replace('id = "SOLAR"', 'id = "OTHER"'))
    gateway.process.send_signal(signal.SIGHUP)
    gateway.shows(0, reasons=1, dot_mw=None)
    gateway.file.write_text(PATIENT)
    gateway.process.send_signal(signal.SIGHUP)
    gateway.shows(GOOD)


def test_nobody_of_that_name_is_told_as_that(gateway: Process, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reload, "REPLY_WITHIN_S", 0.2)
    with pytest.raises(reload.NotAnswered, match="nobody"):
        reload.ask_for_reload(BusSettings(port=broker.port), load_installation(gateway.file), "nobody", now)
