"""`dotbus check` tells everything that is wrong in one go, each with its place, and nothing of a secret."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dotbus.runtime.settings.mistakes import ConfigurationRefused
from launcher.commands import app
from launcher.setup.authority import Authority
from launcher.setup.check import SERVICES, check_configuration
from modbus_gateway.map_commands import load_map

EXAMPLE = Path(__file__).parents[4] / "config/dotbus.example.toml"


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


@pytest.fixture
def ads_variables(tmp_path: Path, set_variables):
    """Variables of ads_ingest beside those that it needs."""
    pem = tmp_path / "client.pem"
    now = datetime.now(UTC)
    pem.write_bytes(Authority.create(now).issue_client("participant", now).pem)
    needed = {
        "URL": "https://ads.example/ADS/APIWebService/v7",
        "CERTIFICATE_FILE": str(pem),
        "CA_FILE": str(pem),
        "STATE_DIR": str(tmp_path),
    }

    def set_all(**variables: str) -> None:
        set_variables(**{f"ADS_INGEST_{name}": value for name, value in (needed | variables).items()})

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


def line(key: str) -> str:
    """Where the example says a key."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    return f"line {next(number for number, text in enumerate(lines, 1) if text.startswith(f'{key} ='))}"


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
    "modbus.block[1].resources": ("\nunit_id = 11", '\nunit_id = 11\nplants = ["sierra"]'),
    "modbus.block[2].bad_value": ("unit_id = 12", "unit_id = 12\nbad_value = 0.0"),
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


PLANTS = """
[[plant]]
name = "unit1"
resource = [{ id = "R_1", node = "N1", pmin_mw = -50, pmax_mw = 50 }, { id = "R_2" }]
[[plant]]
name = "unit2"
resource = [{ id = "R_3" }]
"""
BLOCK = '[[modbus.block]]\nprofile = "plant"\nunit_id = 1\n'
TWO_BLOCKS = PLANTS + BLOCK + BLOCK
CLASSIC = '[[modbus.block]]\nprofile = "classic"\nunit_id = 1\n'
POINT = "[[modbus.point]]\nunit_id = 9\naddress = 65535\n"
DOT = POINT.replace("65535", "0") + 'quantity = "dot_mw"\nresource = "R_1"\n'
DAM_ONLY = '[prices]\nmarkets = ["DAM"]\n'


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("modbus.block[0].profile", PLANTS + BLOCK.replace("plant", "clasic") + 'lmp_node = "N1"\naddress = 65400'),
        ("modbus.point[0].table", PLANTS + DOT + 'table = "discret"\ntype = "bit"'),
        ("modbus.point[0].type", PLANTS + POINT + 'quantity = "dot_mw"\nresource = "R_1"\ntype = "unit16"'),
        ("modbus.point[0].scale", PLANTS + DOT + 'type = "int16"\nscale = nan'),
        ("modbus.point[0].resorce", PLANTS + DOT.replace("dot_mw", "lmp_age_s").replace("resource", "resorce")),
        ("plant[0].resource[1].id", PLANTS.replace('id = "R_2"', "") + DOT.replace("R_1", "R_2")),
        ("plant[0].nam", PLANTS.replace('name = "unit1"', 'nam = "unit1"') + BLOCK + 'plants = ["unit1"]'),
        ("plant[0].resource[0].nod", PLANTS.replace("node", "nod") + CLASSIC + 'lmp_node = "N1"'),
        ("plant[0].resource[0].node", PLANTS.replace('"N1"', "7") + CLASSIC + 'lmp_node = "N1"'),
        ("price", PLANTS + CLASSIC + 'lmp_node = "N9"\n[price]\nnodes = ["N9"]'),
        ("modbu", PLANTS + BLOCK.replace("modbus", "modbu")),
        ("modbus.block[0].lmp_market", PLANTS + BLOCK + DAM_ONLY),
        ("modbus.block[0].lmp_markt", PLANTS + DAM_ONLY + BLOCK + 'lmp_markt = "DAM"'),
        ("modbus.block[0].plants", PLANTS + BLOCK + 'plants = ["unit1", "unit1"]'),
        ("plant[1].resource[0].id", PLANTS.replace("R_3", "R_1") + BLOCK + 'resources = ["R_1", "R_3"]'),
        ("plant[0].resource[1].id", PLANTS.replace('id = "R_2"', "") + BLOCK + 'resources = ["R_1", "R_2"]'),
        ("modbus.block[0].resources[1]", PLANTS + CLASSIC + 'resources = ["R_1", 2, "R_2"]'),
        ("modbus.block[0].resources", PLANTS + CLASSIC + "resources = []"),
        ("modbus.block[0].plants", PLANTS + '[[plant]]\nname = "u3"\npatterns = ["Z*"]\n' + BLOCK + 'plants = ["u3"]'),
        ("plant[1].resource[0].id", PLANTS.replace("R_3", "R_1") + DOT + 'plant = "unit1"'),
        ("plants", PLANTS.replace("[[plant]]", "[[plants]]") + BLOCK),
        ("plant", '[plant]\nname = "unit1"\n' + BLOCK),
        ("modbus.block", PLANTS + BLOCK.replace("[[modbus.block]]", "[modbus.block]")),
        ("modbus.stale_after_s", PLANTS + BLOCK + "[modbus]\nstale_after_s = inf"),
        ("modbus.block[0].unit_id", PLANTS + BLOCK.replace("unit_id = 1", "unit_id = true")),
        ("modbus.block[0].unit_id", PLANTS + BLOCK.replace("unit_id = 1", 'unit_id = "1"')),
        ('modbus.block[0]."a b"', PLANTS + BLOCK + '"a b" = 1'),
    ],
)
def test_a_mistake_is_told_once_and_not_again_as_what_follows_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, text: str
):
    config = tmp_path / "dotbus.toml"
    config.write_text(f'environment = "production"\n{text}\n', encoding="utf-8")
    monkeypatch.setenv("LMP_INGEST_CONFIG", str(config))
    (told,) = mistakes(config)
    assert told.startswith(f"{config}: {key}: ")


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (("modbus.block[1].lmp_market", "modbus.block[1]"), TWO_BLOCKS + 'lmp_market = "HASP"'),
        (("modbus.block[1].bad_value", "modbus.block[1]"), TWO_BLOCKS + "bad_value = 0.0"),
        (("modbus.point[1].scale", "modbus.point[1]"), PLANTS + DOT + DOT + "scale = 0"),
        (
            ("plant[1].resource", "modbus.block[1]"),
            TWO_BLOCKS.replace(BLOCK, BLOCK + 'plants = ["unit1"]\n').replace('[{ id = "R_3" }]', "3"),
        ),
        (("plant[1].name", "modbus.point[0]"), PLANTS.replace("unit2", "unit1") + BLOCK + DOT.replace("= 9", "= 1")),
        (("modbus.stale_after_s", "modbus"), PLANTS + "[modbus]\nstale_after_s = -1"),
        (("prices.nodes[0]", "modbus.block[0].lmp_market"), PLANTS + BLOCK + DAM_ONLY + "nodes = [7]"),
    ],
)
def test_a_place_with_a_mistake_is_looked_at_for_others(tmp_path: Path, keys: tuple[str, str], text: str):
    config = tmp_path / "dotbus.toml"
    config.write_text(f'environment = "production"\n{text}\n', encoding="utf-8")
    told = [line.removeprefix(f"{config}: ").split(": ")[0] for line in mistakes(config)]
    assert sorted(told) == sorted(keys)


@pytest.mark.parametrize(
    ("variables", "keys"),
    [
        ({"LMP_INGEST_LOG_LEVEL": "verbose"}, {"LMP_INGEST_LOG_LEVEL", "environment"}),
        (
            {"LMP_INGEST_SPACING_S": "often", "LMP_INGEST_RTM_EVERY_S": "1200"},
            {"LMP_INGEST_SPACING_S", "modbus.price_stale_after_s"},
        ),
        ({"LMP_INGEST_SPACNG_S": "7", "LMP_INGEST_TIMEOUT_S": "0"}, {"LMP_INGEST_SPACNG_S", "LMP_INGEST_TIMEOUT_S"}),
        ({"MODBUS_GATEWAY_ALLOW_CLIENTS": "10.0.0.0/33, bogus"}, {"MODBUS_GATEWAY_ALLOW_CLIENTS"}),
        ({"HISTORIAN_LOG_LEVEL": "verbose"}, {"HISTORIAN_LOG_LEVEL", "HISTORIAN_DATABASE_URL"}),
        ({"historian_queue_size": "0"}, {"HISTORIAN_QUEUE_SIZE", "HISTORIAN_DATABASE_URL"}),
        ({"ADS_INGEST_URL": "https://[bad", "ADS_INGEST_POLL_S": "120"}, {"ADS_INGEST_URL", "modbus.stale_after_s"}),
    ],
)
def test_a_wrong_variable_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], keys: set[str]
):
    config = written(tmp_path, ('environment = "simulator"', 'environment = "mars"')) if "environment" in keys else EXAMPLE
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    told = {
        line.removeprefix(f"{config}: " if str(config) in line else "environment: ").split(": ")[0] for line in mistakes(config)
    }
    assert told - {"ADS_INGEST_CERTIFICATE_FILE", "ADS_INGEST_CA_FILE"} == keys


def test_the_same_file_by_another_path_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = written(tmp_path, ('environment = "simulator"', 'environment = "mars"'))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODBUS_GATEWAY_CONFIG", str(config))
    assert len(mistakes(Path("dotbus.toml"))) == 1


@pytest.mark.parametrize("text", ["unit_id = " + "9" * 5000, "x = " + "[" * 5000, "= 3"], ids=["digits", "depth", "nonsense"])
def test_a_file_that_python_cannot_read_is_one_mistake(tmp_path: Path, text: str):
    config = tmp_path / "dotbus.toml"
    config.write_text(text, encoding="utf-8")
    (told,) = mistakes(config)
    assert told.startswith(f"{config}: is not TOML: ")


def test_a_file_of_windows_is_read_like_any_other(tmp_path: Path):
    config = tmp_path / "dotbus.toml"
    config.write_bytes(b"\xef\xbb\xbf" + EXAMPLE.read_bytes().replace(b"\n", b"\r\n"))
    check_configuration(config)


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
        f"values would be stale in between ({line('price_stale_after_s')})"
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


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"POLL_S": "120"}, "ADS is asked only every 120 s (ADS_INGEST_POLL_S)"),
        (
            {"RECHECK_S": "70"},
            "ADS tells whether a batch still holds only every 90 s (ADS_INGEST_RECHECK_S + 2 * ADS_INGEST_POLL_S)",
        ),
    ],
)
def test_ads_must_be_asked_more_often_than_a_dot_goes_stale(ads_variables, variables: dict[str, str], told: str):
    ads_variables(**variables)
    reason = f"is 90 s, but {told}: values would be stale in between ({line('stale_after_s')})"
    assert mistakes(EXAMPLE) == [f"{EXAMPLE}: modbus.stale_after_s: {reason}"]


def test_each_ads_account_must_be_asked_more_often_than_a_dot_goes_stale(ads_variables, tmp_path: Path):
    accounts = tmp_path / "accounts.toml"
    tables = [f'[[account]]\nname = "{name}"\ncertificate_file = "client.pem"\n' for name in ("east", "west")]
    accounts.write_text("".join([*tables, "recheck_s = 70\n"]))
    ads_variables(ACCOUNTS_FILE=str(accounts), CERTIFICATE_FILE="")
    told = "ADS tells whether a batch still holds only every 90 s (recheck_s of account west + 2 * poll_s of account west)"
    reason = f"is 90 s, but {told}: values would be stale in between ({line('stale_after_s')})"
    assert mistakes(EXAMPLE) == [f"{EXAMPLE}: modbus.stale_after_s: {reason}"]


def test_ads_may_be_asked_as_seldom_as_keeps_a_dot_fresh(ads_variables):
    ads_variables(RECHECK_S="69")
    check_configuration(EXAMPLE)


def test_the_command_prints_each_mistake_on_a_line_and_exits_with_two(tmp_path: Path):
    config = written(tmp_path, ('environment = "simulator"', 'environment = "prodution"'), ("unit_id = 12", "unit_id = 1200"))
    result = CliRunner().invoke(app, ["check", "--config", str(config)])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 2
    good = CliRunner().invoke(app, ["check", "--config", str(EXAMPLE)])
    assert (good.exit_code, good.stdout) == (0, f"{EXAMPLE}: no mistakes (simulator; plants sierra, delta)\n")


def test_nothing_moves_against_the_file_itself(tmp_path: Path):
    same = CliRunner().invoke(app, ["check", "--config", str(EXAMPLE), "--against", str(EXAMPLE)])
    assert same.exit_code == 0
    assert [line.split(": ")[0] for line in same.stdout.splitlines()[1:]] == ["unit 1", "unit 11", "unit 12"]
    assert all(line.endswith(", nothing moves") for line in same.stdout.splitlines()[1:])
    written(tmp_path, ("unit_id = 12", "unit_id = 1200"))
    refused = CliRunner().invoke(app, ["check", "--config", str(EXAMPLE), "--against", str(tmp_path / "dotbus.toml")])
    assert refused.exit_code == 2
    assert "modbus.block[2].unit_id" in refused.stderr


def test_what_values_come_from_is_told_when_it_changes(tmp_path: Path):
    new = written(tmp_path, ('accept_environments = ["simulator"]', 'accept_environments = ["simulator", "production"]'))
    result = CliRunner().invoke(app, ["check", "--config", str(new), "--against", str(EXAMPLE)])
    assert result.exit_code == 3
    assert "all units: values come from simulator -> production, simulator" in result.stdout.splitlines()


def test_a_resource_that_follows_another_schedule_is_told_where_it_is_shown(tmp_path: Path):
    new = written(tmp_path, ('schedule = "five-minute"', 'schedule = "hourly"'))
    result = CliRunner().invoke(app, ["check", "--config", str(new), "--against", str(EXAMPLE)])
    assert result.exit_code == 3
    assert any(
        "dot_mw SIERRA_2_SOLAR1" in line and "-> dot_mw (hourly) SIERRA_2_SOLAR1" in line for line in result.stdout.splitlines()
    )


def test_what_a_new_file_moves_is_told_with_the_hashes_before_and_after(tmp_path: Path):
    """The status differs from that of mistakes, so that a script can ask before it restarts a gateway."""
    swapped = '"SIERRA_2_BESS1", "SIERRA_2_SOLAR1"]'
    new = written(
        tmp_path, ('unit_id = 11\nresources = ["SIERRA_2_SOLAR1", "SIERRA_2_BESS1"]', f"unit_id = 11\nresources = [{swapped}")
    )
    result = CliRunner().invoke(app, ["check", "--config", str(new), "--against", str(EXAMPLE)])
    assert result.exit_code == 3
    lines = result.stdout.splitlines()
    assert (
        "unit 11, holding 102: dot_mw SIERRA_2_SOLAR1 float32 big nan (now at 202) -> "
        "dot_mw SIERRA_2_BESS1 float32 big nan (before at 202)"
    ) in lines
    told = {unit_id: next(line for line in lines if line.startswith(f"unit {unit_id}: ")) for unit_id in (1, 11, 12)}
    before, after = (load_map(config)[1].register_map.hashes for config in (EXAMPLE, new))
    assert told[11].startswith(f"unit 11: map_hash {before[11]} -> map_hash {after[11]}, ")
    assert told[1] == f"unit 1: map_hash {before[1]}, nothing moves"
    assert before[11] != after[11]


def test_the_whole_network_is_told_with_what_it_means(tmp_path: Path) -> None:
    config = tmp_path / "dotbus.toml"
    config.write_text(EXAMPLE.read_text().replace('nodes = ["TH_NP15_GEN-APND"]', 'nodes = ["ALL", "TH_NP15_GEN-APND"]'))

    good = CliRunner().invoke(app, ["check", "--config", str(config)])

    assert good.exit_code == 0
    (told,) = [line for line in good.stdout.splitlines() if line.startswith("[prices] ALL is every node that CAISO prices")]
    named = len(load_map(config)[0].price_nodes)
    assert f"states of the {named} that are named" in told
