import ipaddress
from pathlib import Path

import pytest
from modbus_pki import DAY, Authority
from prometheus_client import CollectorRegistry

from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from dotbus.runtime.settings.settings import load_settings
from modbus_gateway.entrances import entrances
from modbus_gateway.metrics import GatewayMetrics
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


def mistakes() -> dict[str, str]:
    with pytest.raises(ConfigurationRefused) as refused:
        load_settings(GatewaySettings, PREFIX)
    return {mistake.key: mistake.reason for mistake in refused.value.mistakes}


@pytest.fixture
def tls(monkeypatch, tmp_path: Path) -> Authority:
    """Everything that TLS needs."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("MODBUS_GATEWAY_TLS_PORT", "802")
    monkeypatch.setenv("MODBUS_GATEWAY_TLS_CERTIFICATE_FILE", str(authority.server()))
    monkeypatch.setenv("MODBUS_GATEWAY_TLS_CLIENT_CA_FILE", str(authority.file))
    return authority


def test_only_modbus_tcp_listens_unless_told_to():
    (only,) = entrances(load_settings(GatewaySettings, PREFIX), utc_now, lambda: 0.0, GatewayMetrics(CollectorRegistry()))
    assert (only.port, only.door.may_write, only.door.securing) == (5020, True, None)


def test_each_port_listens_where_its_settings_say_and_on_the_host_of_all_without_one(monkeypatch, tls):
    monkeypatch.setenv("MODBUS_GATEWAY_TLS_HOST", "10.1.2.3")
    monkeypatch.setenv("MODBUS_GATEWAY_RTU_PORT", "5021")
    registry = CollectorRegistry()
    plain, rtu, secure = entrances(load_settings(GatewaySettings, PREFIX), utc_now, lambda: 0.0, GatewayMetrics(registry))
    assert [(one.host, one.port) for one in (plain, rtu, secure)] == [
        ("127.0.0.1", 5020),
        ("127.0.0.1", 5021),
        ("10.1.2.3", 802),
    ]
    assert [one.host_setting for one in (plain, rtu, secure)] == [f"{PREFIX}HOST", f"{PREFIX}HOST", f"{PREFIX}TLS_HOST"]
    days = {
        one: registry.get_sample_value("dotbus_modbus_certificate_days_left", {"certificate": one})
        for one in ("server", "client authority")
    }
    assert {one: round(left or 0) for one, left in days.items()} == {"server": 30, "client authority": 365}


def test_tls_needs_a_certificate_and_authorities(monkeypatch):
    monkeypatch.setenv("MODBUS_GATEWAY_TLS_PORT", "802")
    reason = "is missing: MODBUS_GATEWAY_TLS_PORT is given"
    assert mistakes() == {f"{PREFIX}TLS_CERTIFICATE_FILE": reason, f"{PREFIX}TLS_CLIENT_CA_FILE": reason}


def test_certificates_without_the_port_are_a_mistake(monkeypatch, tls):
    monkeypatch.delenv("MODBUS_GATEWAY_TLS_PORT")
    assert set(mistakes()) == {f"{PREFIX}TLS_CERTIFICATE_FILE", f"{PREFIX}TLS_CLIENT_CA_FILE"}


def test_each_wrong_file_is_named_with_its_setting(monkeypatch, tls, tmp_path: Path):
    ended = tls.server("ended", ends_in=-DAY / 2)
    monkeypatch.setenv("MODBUS_GATEWAY_TLS_CERTIFICATE_FILE", str(ended))
    monkeypatch.setenv("MODBUS_GATEWAY_TLS_CLIENT_CA_FILE", str(tmp_path / "dotbus.toml"))
    told = mistakes()
    assert told[f"{PREFIX}TLS_CERTIFICATE_FILE"].startswith(f"{ended}: the certificate ended at 20")
    assert told[f"{PREFIX}TLS_CLIENT_CA_FILE"] == f"{tmp_path / 'dotbus.toml'}: no certificate in PEM form"

    monkeypatch.setenv("MODBUS_GATEWAY_TLS_CERTIFICATE_FILE", str(tls.server()))
    monkeypatch.setenv("MODBUS_GATEWAY_TLS_KEY_FILE", str(tls.server("other")))
    assert "belongs to another certificate" in mistakes()[f"{PREFIX}TLS_KEY_FILE"]


def test_roles_have_their_rights_by_name_and_no_role_has_two(monkeypatch):
    monkeypatch.setenv("MODBUS_GATEWAY_TLS_READ_WRITE_ROLES", "operator, engineer")
    monkeypatch.setenv("MODBUS_GATEWAY_TLS_READ_ONLY_ROLES", "viewer")
    monkeypatch.setenv("MODBUS_GATEWAY_TLS_OTHER_ROLES", "refused")
    roles = load_settings(GatewaySettings, PREFIX).roles
    assert [roles.may_write(role) for role in ("operator", "engineer", "viewer", None)] == [True, True, False, False]
    assert [roles.lets_in(role) for role in ("operator", "viewer", "janitor", None)] == [True, True, False, False]
    monkeypatch.setenv("MODBUS_GATEWAY_TLS_READ_ONLY_ROLES", "viewer,operator")
    assert mistakes()[f"{PREFIX}TLS_READ_ONLY_ROLES"].startswith("operator: may write by")


WRITES = """
[[modbus.write]]
unit_id = 11
address = 2000
resource = "SOLAR"
point = "actual_mw"
expires_after_s = 10.0
allow_from = ["10.0.0.1"]
[[modbus.answer]]
unit_id = 11
address = 2100
resource = "SOLAR"
roles = ["operator"]
"""


def test_a_map_with_writes_is_refused_where_nobody_could_write_or_hear_the_reply(monkeypatch, tmp_path: Path):
    (tmp_path / "dotbus.toml").write_text(TOML + WRITES)
    monkeypatch.setenv("MODBUS_GATEWAY_INSTANCE", "main")
    monkeypatch.setenv("MODBUS_GATEWAY_MQTT_PROTOCOL", "3.1.1")
    with pytest.raises(ConfigurationRefused) as refused:
        load_configuration()
    assert {(mistake.key, mistake.line) for mistake in refused.value.mistakes} == {
        ("modbus.write[0].resource", 14),
        ("modbus.answer[0].resource", 21),
        ("modbus.answer[0].roles", 22),
        ("modbus.answer", 18),
    }


@pytest.mark.usefixtures("tls")
def test_a_map_with_writes_is_taken_by_the_gateway_of_its_plant(monkeypatch, tmp_path: Path):
    (tmp_path / "dotbus.toml").write_text(TOML + WRITES)
    monkeypatch.setenv("MODBUS_GATEWAY_INSTANCE", "sierra")
    monkeypatch.setenv("MODBUS_GATEWAY_TLS_READ_WRITE_ROLES", "operator")
    told = load_configuration()
    assert len(told.installation.modbus.answers) == 1
    assert told.writables.plants == {"sierra"}
