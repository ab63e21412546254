"""The gateway's process with every port open: it needs no broker to say that it has none."""

import os
import re
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from modbus_clients import Pymodbus
from modbus_pki import DAY, Authority, client_context
from real_mosquitto import free_port
from waiting import eventually

from modbus_gateway.wire.certificates import holder_of

pytestmark = pytest.mark.integration

CONFIG = """
environment = "production"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "SOLAR"
[[modbus.block]]
profile = "plant"
unit_id = 11
"""
MAP_VERSION, BROKER_CONNECTED = [1], [0]
DEPLOYMENT = Path(__file__).parents[3] / "docs/deployment.md"
CHOSEN_MOST = 3


class Gateway:
    """Its process."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        (folder / "dotbus.toml").write_text(CONFIG)
        self.ports = {name: free_port() for name in ("PORT", "RTU_PORT", "TLS_PORT", "HEALTH_PORT", "MQTT_PORT")}
        self.environment = {
            **{name: str(port) for name, port in self.ports.items()},
            "CONFIG": str(folder / "dotbus.toml"),
            "INSTANCE": "test",
            "TLS_CERTIFICATE_FILE": str(authority.server()),
            "TLS_CLIENT_CA_FILE": str(authority.file),
        }

    def command(self, *arguments: str) -> tuple[list[str], dict[str, str]]:
        own = {f"MODBUS_GATEWAY_{name}": value for name, value in self.environment.items()}
        return [sys.executable, "-m", "modbus_gateway", *arguments], os.environ | own

    def check(self) -> subprocess.CompletedProcess[str]:
        command, environment = self.command("check")
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)

    def is_up(self) -> bool:
        try:
            return bool(self.metrics())
        except OSError:
            return False

    def comes_up(self, process: subprocess.Popen[bytes]) -> bool:
        eventually(lambda: process.poll() is not None or self.is_up(), within_s=30)
        return process.poll() is None

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['HEALTH_PORT']}/metrics", timeout=20) as reply:
            return reply.read().decode()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def gateway(tmp_path: Path, authority: Authority) -> Gateway:
    return Gateway(tmp_path, authority)


@pytest.fixture
def running(tmp_path: Path, authority: Authority) -> Iterator[Gateway]:
    """One that is up. A port that was free when it was chosen may be another test's by then: others are chosen once more."""
    for _ in range(CHOSEN_MOST):
        gateway = Gateway(tmp_path, authority)
        command, environment = gateway.command()
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        try:
            if gateway.comes_up(process):
                yield gateway
                return
        finally:
            process.terminate()
            process.wait(20)
    raise AssertionError("no gateway started")


def test_each_port_serves_the_same_registers(running: Gateway, authority: Authority):
    context = client_context(authority.file, authority.client("scada", "operator"))
    clients = [
        Pymodbus.tcp(running.ports["PORT"], 11),
        Pymodbus.rtu(running.ports["RTU_PORT"], 11),
        Pymodbus.tls(running.ports["TLS_PORT"], 11, context),
    ]
    for client in clients:
        assert (client.read_holding(0, 1), client.read_holding(5, 1)) == (MAP_VERSION, BROKER_CONNECTED)
        assert client.write_register(0, 1) == 1
        identified = client.identify(2)
        assert isinstance(identified, dict)
        assert identified[6] == b"production test"
        client.close()
    shown = running.metrics()
    assert 'dotbus_modbus_requests_total{function="43"} 3.0' in shown
    days = dict(re.findall(r'dotbus_modbus_certificate_days_left\{certificate="([^"]+)"\} ([\d.]+)', shown))
    assert {name: round(float(left)) for name, left in days.items()} == {"server": 30, "client authority": 365}


def test_a_certificate_that_cannot_be_used_is_told_in_a_line_with_its_file_and_setting(gateway: Gateway, authority: Authority):
    assert gateway.check().returncode == 0
    ended = authority.server("ended", ends_in=-DAY / 2)
    gateway.environment["TLS_CERTIFICATE_FILE"] = str(ended)
    checked = gateway.check()
    (line,) = checked.stderr.splitlines()
    assert checked.returncode == 2
    assert line.startswith(f"environment: MODBUS_GATEWAY_TLS_CERTIFICATE_FILE: {ended}: the certificate ended at 20")


def test_the_client_certificate_of_the_page_on_deployment_is_let_in_with_its_role(running: Gateway, authority: Authority):
    folder = authority.folder
    key = authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "plant-ca.key").write_bytes(key)
    (told,) = re.findall(r"```\n(openssl req .*?)```", DEPLOYMENT.read_text(encoding="utf-8"), re.DOTALL)
    subprocess.run(["sh", "-ec", told], cwd=folder, capture_output=True, timeout=30, check=True)
    context = client_context(authority.file)
    context.load_cert_chain(folder / "scada.pem", folder / "scada.key")

    holder = holder_of(ssl.PEM_cert_to_DER_cert((folder / "scada.pem").read_text()))
    assert (holder.subject, holder.role) == ("CN=scada", "operator")
    client = Pymodbus.tls(running.ports["TLS_PORT"], 11, context)
    assert client.read_holding(0, 1) == MAP_VERSION
    client.close()
