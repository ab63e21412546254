"""Settings come from the environment, are refused by the variable's name, and never talk in clear to another machine."""

from pathlib import Path

import pytest

from dotbus.runtime.mistakes import Collector, ConfigurationRefused
from dotbus.runtime.settings import BusSettings, ServiceSettings, load_settings


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):
    def load(kind=BusSettings, prefix="X_MQTT_", **variables: str):
        for name, value in variables.items():
            monkeypatch.setenv(prefix + name, value)
        return load_settings(kind, prefix)

    return load


def test_each_service_reads_its_own_variables(load):
    assert load(HOST="localhost", PORT="1884", PROTOCOL="3.1.1").port == 1884
    assert load_settings(BusSettings, "Y_MQTT_").port == 1883


def test_a_refusal_names_the_variables_and_all_of_them(load):
    with pytest.raises(ConfigurationRefused) as refusal:
        load(PORT="99999", PROTOCOL="4", KEEPALIVE_S="x")
    assert {mistake.key for mistake in refusal.value.mistakes} == {"X_MQTT_PORT", "X_MQTT_PROTOCOL", "X_MQTT_KEEPALIVE_S"}


def test_another_machine_is_spoken_to_with_tls_only(load, tmp_path: Path):
    with pytest.raises(ConfigurationRefused, match=r"X_MQTT_CA_FILE: is missing: broker\.plant\.example is not this machine"):
        load(HOST="broker.plant.example")
    ca = tmp_path / "ca.pem"
    ca.write_text("")
    assert load(HOST="broker.plant.example", CA_FILE=str(ca)).ca_file == ca


def test_a_password_comes_from_one_place_and_is_not_shown(load, tmp_path: Path):
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    settings = load(PASSWORD_FILE=str(file))
    assert settings.read_password() == "s3cret"
    with pytest.raises(ConfigurationRefused, match="keep one") as refusal:
        load(PASSWORD="other")
    assert "other" not in str(refusal.value)


def test_a_password_is_not_printed_with_its_settings(load):
    assert "s3cret" not in repr(load(PASSWORD="s3cret"))


def test_an_instance_has_a_name_without_being_given_one():
    assert load_settings(ServiceSettings, "Z_").instance


def test_a_collector_tells_the_mistakes_of_every_part(load):
    collector = Collector()
    assert collector.load(lambda: load(PORT="0")) is None
    assert collector.load(lambda: load_settings(BusSettings, "Y_MQTT_"))
    collector.load(lambda: load(kind=ServiceSettings, prefix="S_", LOG_LEVEL="loud"))
    with pytest.raises(ConfigurationRefused) as refusal:
        collector.finish()
    assert {mistake.key for mistake in refusal.value.mistakes} == {"X_MQTT_PORT", "S_LOG_LEVEL"}
