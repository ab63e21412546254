"""Settings come from the environment, are refused by the variable's name, and never talk in clear to another machine."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from dotbus.runtime.settings.mistakes import Collector, ConfigurationRefused
from dotbus.runtime.settings.settings import BusSettings, KeepingSettings, ServiceSettings, check_names, load_settings


@dataclass(frozen=True)
class Pem:
    """Paths of an authority, of a client with its key, and of somebody else's key."""

    authority: str
    client: str
    other: str


@pytest.fixture
def pem(tmp_path: Path) -> Pem:
    authority = trustme.CA()
    made = Pem(*(str(tmp_path / f"{name}.pem") for name in ("authority", "client", "other")))
    authority.cert_pem.write_to_path(made.authority)
    authority.issue_cert("client").private_key_and_cert_chain_pem.write_to_path(made.client)
    authority.issue_cert("other").private_key_pem.write_to_path(made.other)
    return made


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


def test_another_machine_is_spoken_to_with_tls_only(load, pem: Pem):
    with pytest.raises(ConfigurationRefused, match=r"X_MQTT_CA_FILE: is missing: broker\.plant\.example is not this machine"):
        load(HOST="broker.plant.example")
    assert load(HOST="broker.plant.example", CA_FILE=pem.authority).ca_file == Path(pem.authority)


def test_a_password_comes_from_one_place_and_is_not_shown(load, tmp_path: Path):
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    settings = load(USERNAME="historian", PASSWORD_FILE=str(file))
    assert settings.read_password() == "s3cret"
    assert "s3cret" not in repr(load(PASSWORD_FILE="", PASSWORD="s3cret"))
    with pytest.raises(ConfigurationRefused, match="keep one") as refusal:
        load(PASSWORD_FILE=str(file))
    file.write_bytes(b"\xe9t\xe9")
    with pytest.raises(ConfigurationRefused, match="X_MQTT_PASSWORD_FILE: must name a file that holds a text in UTF-8"):
        load(USERNAME="historian", PASSWORD_FILE=str(file))
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("variables", "mistake"),
    [
        ({"PASSWORD": "hunter2"}, "X_MQTT_PASSWORD: needs a username, too"),
        (
            {"USERNAME": "u", "PASSWORD_FILE": "hunter2"},
            "X_MQTT_PASSWORD_FILE: must name a file that can be read: No such file or directory; `dotbus certificates init`",
        ),
        (
            {"USERNAME": "u", "PASSWORD_FILE": "hunter2" * 99},
            "X_MQTT_PASSWORD_FILE: must name a file that can be read: File name",
        ),
        ({"CA_FILE": "/"}, "X_MQTT_CA_FILE: must name a file that can be read: Is a directory"),
        ({"CA_FILE": __file__}, "X_MQTT_CA_FILE: holds no certificate in PEM form"),
        ({"CERTIFICATE_FILE": "{client}"}, "X_MQTT_CERTIFICATE_FILE: is for TLS only: give ca_file, too"),
        ({"CA_FILE": "{authority}", "KEY_FILE": "{client}"}, "X_MQTT_CERTIFICATE_FILE: is missing: a key_file is given"),
        (
            {"CA_FILE": "{authority}", "CERTIFICATE_FILE": "{client}", "KEY_FILE": "{other}"},
            "X_MQTT_CERTIFICATE_FILE: and its key are no PEM, do not belong together, or the key has a passphrase",
        ),
    ],
)
def test_what_could_not_be_used_is_refused_before_it_is_needed(load, pem: Pem, variables: dict[str, str], mistake: str):
    with pytest.raises(ConfigurationRefused) as refusal:
        load(**{name: value.format(**vars(pem)) for name, value in variables.items()})
    (told,) = refusal.value.mistakes
    assert str(told).startswith(f"environment: {mistake}")
    assert "hunter2" not in str(told)


def test_a_certificate_with_its_key_is_taken(load, pem: Pem):
    assert load(CA_FILE=pem.authority, CERTIFICATE_FILE=pem.client).certificate_file == Path(pem.client)


def test_a_file_in_place_of_a_folder_is_refused(load, tmp_path: Path):
    (tmp_path / "file").write_text("")
    for wrong in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigurationRefused, match="Y_STATE_DIR: must name a folder"):
            load(KeepingSettings, "Y_", STATE_DIR=str(wrong), OUTBOX_MAX_AGE_DAYS="1", OUTBOX_MAX_MB="1")
    assert load(KeepingSettings, "Y_", STATE_DIR=str(tmp_path / "to be made")).state_dir.name == "to be made"


def test_an_empty_variable_is_as_good_as_none(load):
    assert load(HOST="", PORT="", CA_FILE="").host == "127.0.0.1"


def test_a_slip_of_the_pen_is_told_and_what_is_somebody_else_s_is_not(monkeypatch: pytest.MonkeyPatch):
    for name in ("S_SERVICE_HOST", "S_SERVICE_PORT", "S_PORT_5020_TCP_ADDR", "S_PORT_5020_TCP_PROTO", "S_MQTT_HOST", "s_port"):
        monkeypatch.setenv(name, "x")
    check_names("S_", BusSettings)
    monkeypatch.setenv("S_LOG_LEVL", "debug")
    monkeypatch.setenv("S_MQTT_USER_NAME", "u")
    monkeypatch.setenv("S_HEALTH", "8080")
    with pytest.raises(ConfigurationRefused) as refusal:
        check_names("S_", BusSettings)
    assert {str(mistake) for mistake in refusal.value.mistakes} == {
        "environment: S_HEALTH: is no setting; did you mean S_HEALTH_HOST?",
        "environment: S_LOG_LEVL: is no setting; did you mean S_LOG_LEVEL?",
        "environment: S_MQTT_USER_NAME: is no setting; did you mean S_MQTT_USERNAME?",
    }


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
