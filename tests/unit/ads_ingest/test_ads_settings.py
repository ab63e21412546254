from pathlib import Path

import pytest
import trustme

from ads_ingest.accounts import load_configuration
from ads_ingest.settings import PREFIX, AdsSettings
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from dotbus.runtime.settings.settings import load_settings


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    """ca.pem, client.pem with its key."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("client").private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    return tmp_path


@pytest.fixture
def variables(pki: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("ADS_INGEST_URL", "https://ads.example/ADS/APIWebService/v7")
    monkeypatch.setenv("ADS_INGEST_CERTIFICATE_FILE", str(pki / "client.pem"))
    monkeypatch.setenv("ADS_INGEST_CA_FILE", str(pki / "ca.pem"))
    return monkeypatch


def test_three_variables_are_enough(variables: pytest.MonkeyPatch) -> None:
    del variables
    settings = load_settings(AdsSettings, PREFIX)
    assert (settings.poll_s, settings.timeout_s, settings.recheck_s) == (10.0, 30.0, 30.0)
    assert settings.namespace == "urn-com-caiso-ads-webservices-api"
    assert settings.max_reply_bytes == 64 * 1024 * 1024


def test_caiso_is_told_of_validations_only_when_the_configuration_says_so(variables: pytest.MonkeyPatch) -> None:
    assert not load_settings(AdsSettings, PREFIX).validate_batches
    variables.setenv("ADS_INGEST_VALIDATE_BATCHES", "true")
    assert load_settings(AdsSettings, PREFIX).validate_batches


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("URL", "http://ads.example", "must be a web address that begins with https://"),
        ("URL", "https://ads.example/ADS/APIWebService", "must end as CAISO writes it, in /APIWebService/v8"),
        ("URL", "https://ads.example/ADS/v8", "must end as CAISO writes it, in /APIWebService/v8"),
        ("CA_FILE", "/not/there.pem", "must name a file that can be read: No such file"),
        ("CERTIFICATE_FILE", "/not/there.pem", "must name a file that can be read: No such file"),
        ("KEY_FILE", "/not/there.pem", "must name a file that can be read: No such file"),
        ("POLL_S", "0", "greater than or equal to 0.1"),
        ("TIMEOUT_S", "soon", "valid number"),
    ],
)
def test_a_wrong_variable_is_refused_by_its_name(variables: pytest.MonkeyPatch, name: str, value: str, reason: str) -> None:
    variables.setenv(f"ADS_INGEST_{name}", value)
    with pytest.raises(ConfigurationRefused) as refused:
        load_settings(AdsSettings, PREFIX)
    (mistake,) = refused.value.mistakes
    assert reason in mistake.reason


@pytest.mark.parametrize("name", ["CA_FILE", "CERTIFICATE_FILE", "KEY_FILE"])
def test_a_file_that_cannot_be_read_is_named(variables: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    file = tmp_path / "none.pem"
    variables.setenv(f"ADS_INGEST_{name}", str(file))
    with pytest.raises(ConfigurationRefused) as refused:
        load_settings(AdsSettings, PREFIX)
    assert [mistake.reason for mistake in refused.value.mistakes] == [
        f"must name a file that can be read: No such file or directory: {file}"
    ]


def test_a_ca_file_that_holds_no_certificate_is_named(variables: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("garbage")
    variables.setenv("ADS_INGEST_CA_FILE", str(file))
    with pytest.raises(ConfigurationRefused) as refused:
        load_settings(AdsSettings, PREFIX)
    assert [mistake.reason for mistake in refused.value.mistakes] == [f"holds no certificate in PEM form: {file}"]


@pytest.mark.parametrize(
    "secret", ["hunter2", "hunter2/x", "/hunter2/hunter2", "/hunter2", "hunter2" * 99, "/" + "hunter2" * 99]
)
def test_a_secret_in_the_place_of_a_file_is_not_repeated(variables: pytest.MonkeyPatch, secret: str) -> None:
    variables.setenv("ADS_INGEST_KEY_FILE", secret)
    with pytest.raises(ConfigurationRefused) as refused:
        load_settings(AdsSettings, PREFIX)
    assert "hunter2" not in str(refused.value)


def test_every_mistake_of_every_part_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ADS_INGEST_CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.setenv("ADS_INGEST_MQTT_PORT", "0")
    with pytest.raises(ConfigurationRefused) as refused:
        load_configuration()
    told = {mistake.key or mistake.where for mistake in refused.value.mistakes}
    assert told == {
        "ADS_INGEST_URL",
        "ADS_INGEST_CERTIFICATE_FILE",
        "ADS_INGEST_CA_FILE",
        "ADS_INGEST_MQTT_PORT",
        str(tmp_path / "none.toml"),
    }


def test_the_readme_names_every_setting_with_its_default() -> None:
    readme = (Path(__file__).parents[3] / "services" / "ads_ingest" / "README.md").read_text(encoding="utf-8")
    for name, field in AdsSettings.model_fields.items():
        (row,) = [line for line in readme.splitlines() if line.startswith(f"| `{PREFIX}{name.upper()}` |")]
        default = row.split("|")[2].strip().strip("`")
        if field.is_required():
            assert default == "required"
        elif isinstance(field.default, bool):
            assert default == str(field.default).lower()
        elif isinstance(field.default, float):
            assert float(default) == field.default
        else:
            assert default == str(field.default or "")
