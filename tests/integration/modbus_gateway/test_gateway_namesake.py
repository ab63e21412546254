"""Two gateways of one name at a real broker: one goes on, the other one says why it does not."""

import json
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from gateway_process import CONFIG, GOOD, TOPICS, Ingest, Process, dot, now, status
from real_mosquitto import Mosquitto
from waiting import eventually

from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import ServiceStatus
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.runtime.settings.settings import BusSettings

pytestmark = pytest.mark.integration

PATIENT = CONFIG.replace("stale_after_s = 3", "stale_after_s = 60")
NO_SUCH_UNIT = 0x0B


def has_stepped_back(process: Process) -> bool:
    reply = process.client.read_holding_registers(100, count=4, device_id=11)
    return reply.isError() and reply.exception_code == NO_SUCH_UNIT


def health(process: Process) -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{process.health_port}/health", timeout=20) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_the_later_of_two_of_one_name_steps_back_and_the_other_serves_on(
    tmp_path: Path, broker: Mosquitto, protocol: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MODBUS_GATEWAY_MQTT_PROTOCOL", protocol)
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    ingest = Ingest(broker.port)
    first = Process(tmp_path / "first", broker, PATIENT, "same")
    heard: list[ServiceStatus] = []

    def listen(delivery: Delivery) -> None:
        heard.append(decode_as(delivery.payload, ServiceStatus))
        delivery.ack()

    bus = Bus(BusSettings(port=broker.port), "listener", clock=now)
    bus.subscribe([TOPICS.service("modbus_gateway", "same")], listen)
    bus.start()
    second = None
    try:
        eventually(first.is_ready)
        ingest.say(status(), dot())
        first.shows(GOOD)
        second = Process(tmp_path / "second", broker, PATIENT, "same")
        eventually(lambda: has_stepped_back(second), within_s=60)
        code, known = eventually(lambda: health(second))
        assert code == 503
        assert known["stepped_back"] is True
        assert known["broker"] is False
        ingest.say(status(), dot())
        first.shows(GOOD)
        eventually(lambda: heard[-1].online and any("INSTANCE" in one for one in heard[-1].complaints), within_s=30)
        assert not has_stepped_back(first)
        assert health(first)[0] == 200
        starts = {one.started_at for one in heard}
        assert heard[-1].started_at == min(starts)
        assert len(starts) == 2
        assert second.stop() == 0
        assert "step back" in (tmp_path / "second" / "gateway.log").read_text()
    finally:
        bus.stop()
        ingest.bus.stop()
        first.stop(signal.SIGTERM)
        if second is not None and second.process.poll() is None:
            second.stop()
