"""A bad configuration is refused at start, all mistakes together."""

import re
from pathlib import Path

import pytest

from caiso.oasis import SHORT_NAMES, Market
from dotbus.runtime.installation.toml_values import SHORT_NODES
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from lmp_ingest.settings import Configuration, OasisSettings, load_configuration

INSTALLATION = """
environment = "{environment}"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "R1"
{node}
[prices]
markets = {markets}
nodes = {nodes}
"""


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def load(*, environment="production", node='node = "N1"', markets='["DAM"]', nodes="[]", **variables: str) -> Configuration:
        file = tmp_path / "dotbus.toml"
        file.write_text(INSTALLATION.format(environment=environment, node=node, markets=markets, nodes=nodes))
        for name, value in {"CONFIG": str(file), "INSTANCE": "test", **variables}.items():
            monkeypatch.setenv(f"LMP_INGEST_{name}", value)
        return load_configuration()

    return load


def mistakes(refused: pytest.ExceptionInfo[ConfigurationRefused]) -> list[str]:
    return [str(mistake) for mistake in refused.value.mistakes]


def test_the_defaults_are_caiso_s_production_within_its_rate(configure) -> None:
    oasis = configure().own

    assert oasis.url == "https://oasis.caiso.com/oasisapi"
    assert oasis.spacing_s >= 5
    assert oasis.versions == {Market.DAM: 12, Market.RUC: 1, Market.HASP: 3, Market.RTPD: 3, Market.RTM: 3}


def test_caiso_is_never_asked_faster_than_it_allows(configure) -> None:
    with pytest.raises(ConfigurationRefused) as refused:
        configure(SPACING_S="4.9")

    assert "less than the 5 s that CAISO allows" in mistakes(refused)[0]


def test_a_simulator_may_be_asked_faster(configure) -> None:
    assert configure(environment="simulator", URL="http://127.0.0.1:8448/oasisapi/", SPACING_S="0.1").own.spacing_s == 0.1


def test_prices_that_somebody_on_the_way_could_change_are_not_asked_for(configure) -> None:
    with pytest.raises(ConfigurationRefused) as refused:
        configure(URL="http://oasis.example.org/oasisapi")

    assert "neither asked by HTTPS nor this machine" in mistakes(refused)[0]


def test_all_mistakes_are_told_together(configure, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationRefused) as refused:
        configure(URL="oasis", TIMEOUT_S="soon", MQTT_PORT="99999")

    told = " ".join(mistakes(refused))
    for name in ("LMP_INGEST_URL", "LMP_INGEST_TIMEOUT_S", "LMP_INGEST_MQTT_PORT"):
        assert name in told


@pytest.mark.parametrize("change", [{"node": ""}, {"markets": "[]"}])
def test_nothing_to_ask_for_is_a_mistake(configure, change: dict[str, str]) -> None:
    with pytest.raises(ConfigurationRefused) as refused:
        configure(**change)

    assert "nothing to ask for" in mistakes(refused)[0]


@pytest.mark.parametrize(
    ("nodes", "group"), [(["ALL"], "ALL"), (["ALL_APNODES", "N2"], "ALL_APNODES"), (["ALL_APNODES", "ALL"], "ALL")]
)
def test_the_whole_network_is_enough_to_ask_for_and_is_no_node(configure, nodes: list[str], group: str) -> None:
    installation = configure(node="", nodes=str(nodes)).installation

    assert installation.prices.group == group
    assert not {"ALL", "ALL_APNODES"} & set(installation.price_nodes)


def test_a_hub_may_be_named_as_everybody_names_it_and_is_known_by_caiso_s_name(configure) -> None:
    installation = configure(node='node = "pgae"', nodes='["NP15", "TH_NP15_GEN-APND", "N1"]').installation

    assert installation.price_nodes == ("DLAP_PGAE-APND", "TH_NP15_GEN-APND", "N1")
    assert SHORT_NODES == SHORT_NAMES


def test_the_default_bound_of_a_reply_admits_a_day_of_the_whole_network(configure) -> None:
    assert configure().own.max_reply_bytes >= 2 * 21_000_000, "what it may unpack to is the library's: see test_oasis_reply"


def test_a_ca_file_that_is_not_there_is_a_mistake(configure) -> None:
    with pytest.raises(ConfigurationRefused) as refused:
        configure(CA_FILE="/nowhere/ca.pem")

    assert "LMP_INGEST_CA_FILE: must name a file that can be read" in mistakes(refused)[0]


def test_the_readme_names_every_setting_with_its_default() -> None:
    lines = (Path(__file__).parents[3] / "services" / "lmp_ingest" / "README.md").read_text().splitlines()

    for name, field in OasisSettings.model_fields.items():
        entry = next((line for line in lines if re.search(rf"`(LMP_INGEST)?_?{name.upper()}`", line)), None)
        assert entry, f"the README does not name {name}"
        default = entry.split("|")[2]
        if isinstance(field.default, int | float):
            assert re.search(rf"\b{field.default:g}\b", default), f"the README's default of {name} is not {field.default:g}"
        elif field.default is not None:
            assert str(field.default) in default
