"""`dotbus check` tells everything that is wrong in one go, each with its place, and nothing of a secret."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dotbus.runtime.mistakes import ConfigurationRefused
from launcher.__main__ import app
from launcher.authority import Authority
from launcher.check import SERVICES, check_configuration

EXAMPLE = Path(__file__).parents[3] / "config/dotbus.example.toml"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("DOTBUS_", *SERVICES)):
            monkeypatch.delenv(name)


@pytest.fixture
def set_variables(monkeypatch: pytest.MonkeyPatch):
    """Variables of the services, every one of which reads the example."""

    def set_all(**variables: str) -> None:
        services = {prefix for prefix in SERVICES if any(name.startswith(prefix) for name in variables)}
        for name, value in (variables | {f"{prefix}CONFIG": str(EXAMPLE) for prefix in services}).items():
            monkeypatch.setenv(name, value)

    return set_all


def mistakes(config: Path) -> list[str]:
    with pytest.raises(ConfigurationRefused) as refused:
        check_configuration(config)
    return [str(mistake) for mistake in refused.value.mistakes]


def written(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """The example with some places changed."""
    text = EXAMPLE.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    config = tmp_path / "dotbus.toml"
    config.write_text(text, encoding="utf-8")
    return config


def test_the_example_has_no_mistakes():
    check_configuration(EXAMPLE)


def test_every_mistake_of_the_file_is_told_with_file_key_and_reason(tmp_path: Path):
    config = written(
        tmp_path,
        ('environment = "simulator"', 'environment = "prodution"'),
        ("pmin_mw = -50.0", 'pmin_mw = "low"'),
        ("stale_after_s = 90.0 ", "stale_after_s = -1 "),
    )
    told = mistakes(config)
    assert len(told) == 3
    for key in ("environment", "plant[0].resource[1].pmin_mw", "modbus.stale_after_s"):
        assert any(line.startswith(f"{config}: {key}: ") for line in told), told


MISTAKES = {
    "environment": ('environment = "simulator"', 'environment = "prodution"'),
    "topic_root": ('topic_root = "dotbus/v1"', 'topic_root = "dotbus//v1"'),
    "plant[0].resource[0].pmin": ("pmin_mw = 0.0", "pmin = 0.0"),
    "plant[0].resource[1].id": ('id = "SIERRA_2_BESS1"', 'id = "SIERRA_2_SOLAR1"'),
    "plant[0].resource[1].pmax_mw": ("pmax_mw = 50.0", "pmax_mw = -60.0"),
    "plant[1].resource[0].id": ('id = "DELTA_6_HYDRO1"', ""),
    "plant[1].resource[0].ramp_mw_per_min": ("ramp_mw_per_min = 10.0", "ramp_mw_per_min = 0"),
    "prices.nodes[0]": ('nodes = ["TH_NP15_GEN-APND"]', "nodes = [7]"),
    "modbus.stale_after_s": ("stale_after_s = 90.0 ", 'stale_after_s = "soon" '),
    "modbus.block[0].unit_id": ("unit_id = 1\n", "unit_id = 256\n"),
    "modbus.block[0].lmp_market": ('profile = "classic"', 'profile = "classic"\nlmp_market = "RTM5"'),
    "modbus.block[1].plants": ('plants = ["sierra"]', 'plants = ["siera"]'),
    "modbus.block[2].bad_value": ('plants = ["delta"]', 'plants = ["delta"]\nbad_value = 0.0'),
    "modbus.block[4]": ("# Any value", '[[modbus.block]]\nprofile = "plant"\nunit_id = 30\n' * 2 + "# Any value"),
    "modbus.point[0].quantity": (
        "# A block takes",
        '[[modbus.point]]\nunit_id = 20\naddress = 1\nquantity = "dot_mv"\n# A block takes',
    ),
}
"""For each key, a change of the example that makes it a mistake."""


@pytest.mark.parametrize("other", MISTAKES)
@pytest.mark.parametrize("key", MISTAKES)
def test_no_mistake_hides_another(tmp_path: Path, key: str, other: str):
    told = mistakes(written(tmp_path, *(MISTAKES[name] for name in {key, other})))
    keys = [line.removeprefix(f"{tmp_path / 'dotbus.toml'}: ").split(": ")[0] for line in told]
    assert sorted(keys) == sorted({key, other})


def test_all_mistakes_of_a_file_are_told_in_one_go(tmp_path: Path):
    told = mistakes(written(tmp_path, *MISTAKES.values()))
    for key in MISTAKES:
        assert sum(f": {key}: " in line for line in told) == 1, key
    assert len(told) == len(MISTAKES)


def test_mistakes_of_the_register_map_are_told_together(tmp_path: Path):
    config = written(
        tmp_path, ('plants = ["delta"]', 'plants = ["dleta"]'), ("unit_id = 11", "unit_id = 11\nlmp_market = 'DAN'")
    )
    told = mistakes(config)
    assert told == [line for line in told if line.startswith(f"{config}: modbus.block[")]
    config = written(tmp_path, ('plants = ["delta"]', 'plants = ["dleta"]'), ("unit_id = 12", "unit_id = 300"))
    assert len(mistakes(config)) >= 1


def test_variables_of_several_services_and_the_file_are_told_at_once(tmp_path: Path, set_variables):
    set_variables(
        MODBUS_GATEWAY_PORT="0x1f",
        MODBUS_GATEWAY_ALLOW_CLIENTS="10.0.0.0/33",
        HISTORIAN_DATABASE_URL="mysql://historian:hunter2@db/dotbus",
        LMP_INGEST_SPACING_S="often",
    )
    told = mistakes(written(tmp_path, ('environment = "simulator"', 'environment = "prodution"')))
    variables = ("MODBUS_GATEWAY_PORT", "MODBUS_GATEWAY_ALLOW_CLIENTS", "HISTORIAN_DATABASE_URL", "LMP_INGEST_SPACING_S")
    for place in ("dotbus.toml: environment", *(f"environment: {variable}" for variable in variables)):
        assert sum(f"{place}: " in line for line in told) == 1, (place, told)
    assert "hunter2" not in "".join(told)


def test_a_service_without_variables_is_not_asked_for_any():
    """A gateway's machine knows nothing of CAISO's addresses."""
    check_configuration(EXAMPLE)


def test_a_mistake_that_services_share_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = written(tmp_path, ('environment = "simulator"', 'environment = "prodution"'))
    for prefix in ("MODBUS_GATEWAY_", "HISTORIAN_"):
        monkeypatch.setenv(f"{prefix}CONFIG", str(config))
    monkeypatch.setenv("HISTORIAN_DATABASE_URL", "postgresql://historian@db/dotbus")
    assert len(mistakes(config)) == 1


def test_what_is_asked_for_more_rarely_than_it_counts_is_a_mistake(tmp_path: Path, set_variables):
    set_variables(LMP_INGEST_RTM_EVERY_S="1200", LMP_INGEST_RTPD_EVERY_S="1200", LMP_INGEST_STATE_DIR=str(tmp_path))
    (told,) = mistakes(EXAMPLE)
    assert told == (
        f"{EXAMPLE}: modbus.price_stale_after_s: is 900 s, but RTM is asked for only every 1200 s (LMP_INGEST_RTM_EVERY_S): "
        "values would be stale in between"
    ), "the map shows no price of RTPD"


def test_day_ahead_prices_must_outlast_the_hours_without_new_ones(tmp_path: Path, set_variables):
    set_variables(LMP_INGEST_STATE_DIR=str(tmp_path))
    told = mistakes(
        written(
            tmp_path,
            ("price_stale_after_s = 900.0", "price_stale_after_s = 400.0"),
            ("unit_id = 12", 'unit_id = 12\nlmp_market = "DAM"'),
        )
    )
    assert len(told) == 1
    assert "is 400 s, but DAM is asked for only every 600 s (LMP_INGEST_DAM_IDLE_EVERY_S)" in told[0]


def test_polling_of_ads_must_be_quicker_than_a_dot_goes_stale(tmp_path: Path, set_variables):
    pem = tmp_path / "client.pem"
    now = datetime.now(UTC)
    pem.write_bytes(Authority.create(now).issue_client("participant", now).pem)
    set_variables(
        ADS_INGEST_URL="https://ads.example/v7",
        ADS_INGEST_CERTIFICATE_FILE=str(pem),
        ADS_INGEST_CA_FILE=str(pem),
        ADS_INGEST_STATE_DIR=str(tmp_path),
        ADS_INGEST_POLL_S="120",
    )
    told = mistakes(EXAMPLE)
    assert any(
        "modbus.stale_after_s: is 90 s, but ADS is asked only every 120 s (ADS_INGEST_POLL_S)" in line for line in told
    ), told


def test_the_command_prints_each_mistake_on_a_line_and_exits_with_two(tmp_path: Path):
    config = written(tmp_path, ('environment = "simulator"', 'environment = "prodution"'), ("unit_id = 12", "unit_id = 1200"))
    result = CliRunner().invoke(app, ["check", "--config", str(config)])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 2
    good = CliRunner().invoke(app, ["check", "--config", str(EXAMPLE)])
    assert (good.exit_code, good.stdout) == (0, f"{EXAMPLE}: no mistakes\n")
