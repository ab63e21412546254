import ipaddress
from pathlib import Path

import pytest

from dotbus.runtime.settings.mistakes import ConfigurationRefused
from dotbus.runtime.settings.settings import load_settings
from modbus_gateway.settings import PREFIX, GatewaySettings, load_configuration

TOML = """
environment = "production"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "SOLAR"
[[modbus.block]]
profile = "plant"
unit_id = 11
"""


@pytest.fixture(autouse=True)
def _config(monkeypatch, tmp_path: Path):
    (tmp_path / "dotbus.toml").write_text(TOML)
    monkeypatch.setenv("MODBUS_GATEWAY_CONFIG", str(tmp_path / "dotbus.toml"))


def test_nothing_listens_beyond_this_machine_unless_told_to():
    settings = load_settings(GatewaySettings, PREFIX)
    assert (settings.host, settings.port, settings.limits.allow) == ("127.0.0.1", 5020, ())


def test_clients_are_addresses_and_networks_separated_by_commas(monkeypatch):
    monkeypatch.setenv("MODBUS_GATEWAY_ALLOW_CLIENTS", "10.1.2.3, 192.168.0.0/16,fd00::/8")
    assert load_settings(GatewaySettings, PREFIX).limits.allow == (
        ipaddress.ip_network("10.1.2.3/32"),
        ipaddress.ip_network("192.168.0.0/16"),
        ipaddress.ip_network("fd00::/8"),
    )


def test_a_whole_configuration_loads():
    assert [block.unit_id for block in load_configuration().installation.modbus.blocks] == [11]


def test_mistakes_of_the_environment_and_of_the_file_are_told_together(monkeypatch, tmp_path: Path):
    (tmp_path / "dotbus.toml").write_text(TOML + 'plants = ["siera"]\n')
    monkeypatch.setenv("MODBUS_GATEWAY_PORT", "0")
    monkeypatch.setenv("MODBUS_GATEWAY_ALLOW_CLIENTS", "10.0.0.0/99")
    monkeypatch.setenv("MODBUS_GATEWAY_MQTT_HOST", "broker.example")
    with pytest.raises(ConfigurationRefused) as refused:
        load_configuration()
    assert {mistake.key for mistake in refused.value.mistakes} == {
        "MODBUS_GATEWAY_PORT",
        "MODBUS_GATEWAY_ALLOW_CLIENTS",
        "MODBUS_GATEWAY_MQTT_CA_FILE",
        "modbus.block[0].plants",
    }
