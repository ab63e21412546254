"""A gateway's own process, an ingest that speaks to its broker, and a third party's Modbus client of it."""

import os
import signal
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pymodbus.client import ModbusTcpClient
from real_mosquitto import Mosquitto, free_port
from waiting import eventually

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Dot, DotInterval, Environment, ServiceStatus, Upstream
from dotbus.contracts.topics import Topics
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Outgoing
from dotbus.runtime.settings.settings import BusSettings

TOPICS = Topics()
STATUS = TOPICS.service("ads_ingest", "a")
UPSTREAMS = ("ads_dispatch", "ads_trajectory")
CONFIG = """
environment = "production"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "SOLAR"
[modbus]
stale_after_s = 3
[[modbus.block]]
profile = "plant"
unit_id = 11
"""
GOOD, UNCERTAIN, BAD = 192, 64, 0
STALE, OFFLINE, BROKER_LOST, INVALID = 1 << 1, 1 << 3, 1 << 5, 1 << 7


def now() -> datetime:
    return datetime.now(UTC)


def dot(environment: Environment = Environment.PRODUCTION, dot_mw: float = 12.5) -> Dot:
    start = now() - timedelta(seconds=60)
    interval = DotInterval(
        interval_start=start,
        interval_end=start + timedelta(seconds=300),
        target_at=start + timedelta(seconds=150),
        dot_mw=dot_mw,
        batch_uid="b",
        instruction_uid="i",
    )
    return Dot(
        environment=environment,
        source="ads_ingest/a",
        time=now(),
        plant="sierra",
        resource_id="SOLAR",
        heard_at=now(),
        received_at=now(),
        intervals=(interval,),
    )


def well(upstream: str) -> Upstream:
    return Upstream(name=upstream, ok=True, last_ok_at=now(), clock_offset_s=0.0)


def status(*, online: bool = True) -> ServiceStatus:
    return ServiceStatus(
        environment=Environment.PRODUCTION,
        source="ads_ingest/a",
        time=now(),
        service="ads_ingest",
        instance="a",
        online=online,
        started_at=now(),
        software_version="1",
        upstreams=tuple(well(name) for name in UPSTREAMS if online),
    )


class Ingest:
    """What an ingest says, by the real bus. Vanishes without a word when told to."""

    def __init__(self, port: int) -> None:
        will = Outgoing(STATUS, encode(status(online=False)), retain=True)
        self.bus = Bus(BusSettings(port=port), "ads_ingest-a", clock=now, will=will)
        self.bus.start()
        eventually(lambda: self.bus.connected)

    def say(self, *messages: Dot | ServiceStatus) -> None:
        topics = {Dot: TOPICS.dot("sierra", "SOLAR"), ServiceStatus: STATUS}
        self.bus.publish([Outgoing(topics[type(message)], encode(message), retain=True) for message in messages])


class Process:
    """The gateway's process and a client of it."""

    def __init__(self, folder: Path, broker: Mosquitto, config: str = CONFIG, instance: str = "test") -> None:
        self.file = folder / "dotbus.toml"
        self.file.write_text(config)
        self.port, self.health_port = free_port(), free_port()
        environment = {
            "CONFIG": str(self.file),
            "INSTANCE": instance,
            "PORT": str(self.port),
            "HEALTH_PORT": str(self.health_port),
            "MQTT_PORT": str(broker.port),
            "MQTT_KEEPALIVE_S": "5",
        }
        self.log = (folder / "gateway.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "modbus_gateway"],
            env=os.environ | {f"MODBUS_GATEWAY_{name}": value for name, value in environment.items()},
            stderr=self.log,
        )
        self.client = ModbusTcpClient("127.0.0.1", port=self.port, timeout=20, retries=0)
        eventually(self.client.connect)

    def words(self, address: int, count: int) -> list[int]:
        reply = self.client.read_holding_registers(address, count=count, device_id=11)
        assert not reply.isError(), reply
        return reply.registers

    def dot(self) -> tuple[int, int, float]:
        """Quality, reasons, megawatts."""
        words = self.words(100, 4)
        return words[0], words[1], self.client.convert_from_registers(words[2:4], self.client.DATATYPE.FLOAT32)

    def shows(self, quality: int, *, reasons: int = 0, dot_mw: float | None = 12.5) -> None:
        """Wait until the DOT is shown so; None for NaN."""
        wanted = (quality, reasons)
        eventually(
            lambda: (shown := self.dot())[:2] == wanted and (shown[2] == dot_mw or (dot_mw is None and shown[2] != shown[2]))
        )

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}{path}", timeout=20) as reply:
            return reply.read().decode()

    def is_ready(self) -> bool:
        """Whether it hears the broker."""
        try:
            return bool(self.get("/ready"))
        except OSError:
            return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.client.close()
        self.process.send_signal(number)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()
            self.log.close()
