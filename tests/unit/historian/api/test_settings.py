"""The API's configuration: closed unless told, and refused where it would be open by accident."""

from pathlib import Path

import pytest

from dotbus.runtime.settings.mistakes import ConfigurationRefused
from historian.api.settings import load_api_configuration
from historian.settings import load_configuration
from launcher.setup.check import check_configuration

CONFIG = """
environment = "simulator"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "R"
"""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    config = tmp_path / "dotbus.toml"
    config.write_text(CONFIG)
    monkeypatch.setenv("HISTORIAN_API_CONFIG", str(config))
    monkeypatch.setenv("HISTORIAN_API_DATABASE_URL", "postgresql://historian_api@db/dotbus")
    return monkeypatch


def refused() -> list[str]:
    with pytest.raises(ConfigurationRefused) as refusal:
        load_api_configuration()
    return [str(mistake) for mistake in refusal.value.mistakes]


def test_unless_told_it_listens_on_this_machine_asks_for_keys_and_answers_pages_of_no_other_origin(
    environment: pytest.MonkeyPatch,
):
    own = load_api_configuration().own

    assert (own.host, own.without_keys, own.origins) == ("127.0.0.1", False, ())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "api.example.com"])
def test_beyond_this_machine_it_needs_a_certificate_and_keys(environment: pytest.MonkeyPatch, host: str):
    environment.setenv("HISTORIAN_API_HOST", host)
    assert [mistake for mistake in refused() if "HISTORIAN_API_HOST: is beyond this machine: name" in mistake]


def test_with_a_certificate_keys_are_still_needed_beyond_this_machine(environment: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "server.pem").write_text("any")
    environment.setenv("HISTORIAN_API_CERTIFICATE_FILE", str(tmp_path / "server.pem"))
    environment.setenv("HISTORIAN_API_HOST", "0.0.0.0")
    assert load_api_configuration().own.host == "0.0.0.0"
    environment.setenv("HISTORIAN_API_WITHOUT_KEYS", "true")

    assert refused() == [
        "environment: HISTORIAN_API_WITHOUT_KEYS: is for this machine only: with a HISTORIAN_API_HOST beyond it, make keys"
    ]


def test_every_mistake_is_told_at_once_and_no_secret(environment: pytest.MonkeyPatch):
    environment.setenv("HISTORIAN_API_DATABASE_URL", "mysql://u:very-secret@db/x")
    environment.setenv("HISTORIAN_API_PORT", "70000")
    environment.setenv("HISTORIAN_API_STATEMENT_TIMEOUT", "5")
    said = refused()

    assert len(said) == 3
    assert "HISTORIAN_API_STATEMENT_TIMEOUT: is no setting; did you mean HISTORIAN_API_STATEMENT_TIMEOUT_S?" in " ".join(said)
    assert "very-secret" not in " ".join(said)


def test_what_the_api_is_told_is_no_slip_of_the_historians(environment: pytest.MonkeyPatch, tmp_path: Path):
    """One file of variables may be both services'."""
    environment.setenv("HISTORIAN_CONFIG", str(tmp_path / "dotbus.toml"))
    environment.setenv("HISTORIAN_DATABASE_URL", "postgresql://historian@db/dotbus")

    assert load_configuration().own.database_url.get_secret_value().startswith("postgresql://historian@")


def test_dotbus_check_with_variables_of_the_api_alone_checks_the_api_alone(environment: pytest.MonkeyPatch):
    example = Path(__file__).parents[4] / "config/dotbus.example.toml"
    check_configuration(example)
    environment.setenv("HISTORIAN_API_PORT", "0")

    with pytest.raises(ConfigurationRefused) as refusal:
        check_configuration(example)
    assert [mistake.key for mistake in refusal.value.mistakes] == ["HISTORIAN_API_PORT"]


def test_processes_share_the_connections_that_there_may_be_and_have_one_each(environment: pytest.MonkeyPatch):
    environment.setenv("HISTORIAN_API_CONNECTIONS", "8")
    environment.setenv("HISTORIAN_API_PROCESSES", "3")
    own = load_api_configuration().own
    assert [own.part(number).connections for number in range(3)] == [3, 3, 2]
    environment.setenv("HISTORIAN_API_PROCESSES", "9")

    assert refused() == [
        "environment: HISTORIAN_API_PROCESSES: is more than HISTORIAN_API_CONNECTIONS, of which each process needs one"
    ]


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "*",
            "https://charts.example/",
            "charts.example",
            "https://Charts.example",
            "https://charts.example:443",
            "http://a:80",
        ),
        *(
            "https://*.example",
            "https://charts.example/lmp",
            "null",
            "ftp://charts.example",
            "https://a https://b",
            "http://a:9x",
        ),
    ],
)
def test_an_origin_that_no_browser_says_so_is_refused_and_not_passed_over(environment: pytest.MonkeyPatch, origin: str):
    environment.setenv("HISTORIAN_API_CORS_ORIGINS", f"https://good.example, {origin}")

    (told,) = refused()
    assert "HISTORIAN_API_CORS_ORIGINS" in told
    assert f"{origin!r} is no origin as a browser says one" in told


def test_origins_are_taken_as_browsers_say_them(environment: pytest.MonkeyPatch):
    environment.setenv("HISTORIAN_API_CORS_ORIGINS", "https://charts.example,http://localhost:3000 , http://[::1]:3000, ")

    assert load_api_configuration().own.origins == ("https://charts.example", "http://localhost:3000", "http://[::1]:3000")
