"""A wrong configuration is refused with every mistake in it, each with its file, key and reason."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from dotbus.contracts.messages import Environment
from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.settings.mistakes import ConfigurationRefused

EXAMPLE = Path(__file__).parents[4] / "config/dotbus.example.toml"


def refused(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "dotbus.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationRefused) as refusal:
        load_installation(file)
    return [f"{mistake.key}: {mistake.reason}" for mistake in refusal.value.mistakes if mistake.where == str(file)]


def plant(text: str = "", resource: str = 'id = "R"') -> str:
    return f'environment = "stage"\n{text}\n[[plant]]\nname = "p"\n[[plant.resource]]\n{resource}\n'


def test_the_example_is_right_and_says_what_it_shows():
    installation = load_installation(EXAMPLE)
    assert installation.environment is Environment.SIMULATOR
    assert [plant.name for plant in installation.plants] == ["sierra", "delta"]
    assert installation.price_nodes == ("BAYSHOR2_1_N001", "CATALYST_7_N002", "TH_NP15_GEN-APND")
    assert installation.plant_of("DELTA_6_HYDRO1") == "delta"
    assert installation.plant_of("NOBODYS") == "unassigned"


def test_a_gateway_accepts_only_production_unless_told(tmp_path: Path):
    file = tmp_path / "dotbus.toml"
    file.write_text(plant())
    assert load_installation(file).modbus.accept_environments == (Environment.PRODUCTION,)


def test_all_mistakes_are_told_at_once(tmp_path: Path):
    mistakes = refused(
        tmp_path,
        """
environment = "mars"
colour = "blue"
[[plant]]
name = "p"
[[plant.resource]]
id = "R"
pmin_mw = "a lot"
[prices]
markets = ["DAMN"]
[modbus]
stale_after_s = -1
""",
    )
    keys = {mistake.split(":")[0] for mistake in mistakes}
    assert keys == {"environment", "colour", "plant[0].resource[0].pmin_mw", "prices.markets[0]", "modbus.stale_after_s"}


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (plant(resource='id = "R"\npmin_mw = 5\npmax_mw = 2'), "plant[0].resource[0].pmax_mw: 2.0 is below pmin_mw 5.0"),
        (plant(resource='id = " R"'), "plant[0].resource[0].id: begins or ends with a space"),
        (plant(resource='id = "R"\nnod = "N"'), "plant[0].resource[0].nod: is no key of this table; did you mean 'node'?"),
        ('environment = "stage"\nplant = [3]', "plant[0]: must be a table"),
        ('environment = "stage"\nplant = []', "plant: must have at least one entry"),
        (plant() + '[[modbus.block]]\nprofile = "plant"\nunit_id = 1\non_bad = "value"\n', "modbus.block[0].bad_value: goes"),
        (plant(resource='id = "R"\npmax_mw = nan'), "plant[0].resource[0].pmax_mw"),
        (plant('topic_root = "a//b"'), "is not a topic root"),
        (
            plant() + '[[plant]]\nname = "p"\n[[plant.resource]]\nid = "S"\n',
            "plant[1].name: 'p' is given twice, first as plant[0].name",
        ),
        (plant() + '[[plant]]\nname = "q"\n[[plant.resource]]\nid = "R"\n', "plant[1].resource[0].id: 'R' is given twice"),
        (plant().replace('"p"', '"unassigned"'), "choose another name"),
        ('environment = "stage"\n', "plant: "),
        ('environment = "stage"\n[[plant]]\nname = "p"\n', "plant[0].resource: is missing: a plant has resources, or patterns"),
        (plant().replace('"p"', '"p"\npatterns = ["A"]'), "plant[0].patterns[0]: has neither * nor ?"),
        (plant().replace('"p"', '"p"\npatterns = ["A[12]"]'), "plant[0].patterns[0]: knows * (any text) and ?"),
        (
            plant().replace('"p"', '"p"\npatterns = ["A*1"]') + '[[plant]]\nname = "q"\npatterns = ["B*", "AB_?"]\n',
            "plant[1].patterns[1]: 'AB_?' and 'A*1' (plant[0].patterns[0]) may match one resource",
        ),
    ],
)
def test_a_mistake_says_what_and_where(tmp_path: Path, text: str, mistake: str):
    assert any(mistake in told for told in refused(tmp_path, text))


def test_a_file_that_is_not_there_or_not_toml_is_one_mistake(tmp_path: Path):
    with pytest.raises(ConfigurationRefused, match=r"nowhere\.toml: cannot be read: No such file"):
        load_installation(tmp_path / "nowhere.toml")
    assert "is not TOML" in refused(tmp_path, "= 3")[0]


def test_a_mistake_does_not_repeat_the_value_it_is_about(tmp_path: Path):
    assert not any("s3cret" in told for told in refused(tmp_path, plant().replace("stage", "s3cret")))


def test_a_name_counts_before_a_pattern_and_a_pattern_before_nobody(tmp_path: Path):
    file = tmp_path / "dotbus.toml"
    patterns = '[[plant]]\nname = "q"\npatterns = ["R*", "AVENAL_?_*", "A.C*"]\n'
    file.write_text(plant() + patterns)
    installation = load_installation(file)
    claimed = {name: installation.plant_of(name) for name in ("R", "RX", "AVENAL_6_AVSLR1", "AVENAL_66_X", "A.C", "ABC", "r")}
    assert claimed == {
        "R": "p",
        "RX": "q",
        "AVENAL_6_AVSLR1": "q",
        "AVENAL_66_X": "unassigned",
        "A.C": "q",
        "ABC": "unassigned",
        "r": "unassigned",
    }


def test_finding_a_plant_takes_as_long_for_a_thousand_resources_as_for_one():
    steps = {}
    for count in (1, 1000):
        plants = [{"name": f"p{i}", "resource": [{"id": f"R{i}"}]} for i in range(count)]
        installation = Installation.model_validate({"environment": "stage", "plant": plants})
        installation.plant_of("R0")
        steps[count] = calls_of(lambda installation=installation, last=f"R{count - 1}": installation.plant_of(last))
    assert steps[1] == steps[1000]


def calls_of(work: Callable[[], object]) -> int:
    """How many lines and calls of Python a piece of work takes."""
    seen = 0

    def count(_frame: FrameType, _event: str, _arg: object) -> object:
        nonlocal seen
        seen += 1
        return count

    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(None)
    return seen
