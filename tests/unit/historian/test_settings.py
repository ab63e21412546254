"""The historian's configuration is refused as a whole, each mistake with its name, no secret told."""

import pytest

from dotbus.runtime.settings.mistakes import ConfigurationRefused
from historian.settings import load_configuration

CONFIG = """
environment = "simulator"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "R"
"""


@pytest.fixture
def environment(monkeypatch, tmp_path):
    config = tmp_path / "dotbus.toml"
    config.write_text(CONFIG)
    monkeypatch.setenv("HISTORIAN_CONFIG", str(config))
    monkeypatch.setenv("HISTORIAN_DATABASE_URL", "postgresql://historian@db/dotbus")
    return monkeypatch


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u@h/d",
        "postgresql://u:p@h:5432/d",
        "postgresql+psycopg2://u@/d?host=/tmp",
        "postgresql://u@h/d?sslmode=verify-full",
    ],
)
def test_an_address_of_a_postgresql_is_taken(environment, url):
    environment.setenv("HISTORIAN_DATABASE_URL", url)
    assert load_configuration().own.database_url.get_secret_value() == url


@pytest.mark.parametrize("url", ["sqlite:///x", "host=db", "postgresql://u@h", "postgresql://u@h:port/d", "mysql://u@h/d"])
def test_an_address_of_anything_else_is_refused(environment, url):
    environment.setenv("HISTORIAN_DATABASE_URL", url)
    with pytest.raises(ConfigurationRefused, match="no PostgreSQL address"):
        load_configuration()


def test_every_mistake_is_told_at_once_and_no_secret(environment):
    environment.setenv("HISTORIAN_DATABASE_URL", "mysql://u:hunter2@h/d")
    environment.setenv("HISTORIAN_MQTT_PORT", "0")
    environment.setenv("HISTORIAN_CONFIG", "/nowhere/dotbus.toml")
    with pytest.raises(ConfigurationRefused) as refused:
        load_configuration()
    told = str(refused.value)
    assert all(part in told for part in ("HISTORIAN_DATABASE_URL: ", "HISTORIAN_MQTT_PORT", "/nowhere/dotbus.toml"))
    assert "hunter2" not in told


def test_the_password_comes_from_its_file(environment, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("p@ss:word/\n")
    environment.setenv("HISTORIAN_DATABASE_PASSWORD_FILE", str(secret))
    assert load_configuration().own.read_database_password() == "p@ss:word/"


def test_two_passwords_are_one_too_many(environment, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("one")
    environment.setenv("HISTORIAN_DATABASE_URL", "postgresql://u:hunter2@h/d")
    environment.setenv("HISTORIAN_DATABASE_PASSWORD_FILE", str(secret))
    with pytest.raises(ConfigurationRefused, match="keep one") as refused:
        load_configuration()
    assert "hunter2" not in str(refused.value)


def test_a_password_file_that_is_not_there_is_a_mistake(environment):
    environment.setenv("HISTORIAN_DATABASE_PASSWORD_FILE", "/nowhere/password")
    with pytest.raises(ConfigurationRefused, match="HISTORIAN_DATABASE_PASSWORD_FILE: must name a file that can be read"):
        load_configuration()
