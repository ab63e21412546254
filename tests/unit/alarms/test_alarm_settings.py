"""What a plant sets of its alarms: close to the subject counts, and a mistake is told with its place."""

from pathlib import Path

import pytest
from alarms_world import CONFIG, installation

from dotbus.contracts.alarms import AlarmPriority
from dotbus.runtime.installation.alarms import Alarms, settled_for_resource
from dotbus.runtime.installation.file import understand_installation

OF_RESOURCE = CONFIG.replace("[modbus]", "[plant.resource.alarms.dot_deviation]\nband_mw = 2.0\n[modbus]")


def test_a_resource_changes_what_is_said_for_its_plant_and_that_what_is_said_for_all():
    text = OF_RESOURCE.replace(
        "[[plant.resource]]", "[plant.alarms.dot_deviation]\nband_mw = 3.0\non_delay_s = 7.0\n[[plant.resource]]"
    )
    whole = understand_installation(text + '[alarms.dot_deviation]\npriority = "low"\nband_mw = 9.0\n', Path("f"))
    assert whole.mistakes == ()
    (plant,) = whole.installation.plants
    rule = settled_for_resource(whole.installation.alarms, plant.alarms, plant.resources[0].alarms).dot_deviation
    assert (rule.band_mw, rule.on_delay_s, rule.priority) == (2.0, 7.0, AlarmPriority.LOW)
    assert rule.deadband_mw == Alarms().dot_deviation.deadband_mw, "what nobody said is as it ships"


def test_what_is_said_nowhere_is_as_it_ships():
    assert installation().alarms == Alarms()


@pytest.mark.parametrize(
    ("more", "place", "reason"),
    [
        ("[alarms.dot_stal]\n", "alarms.dot_stal", "did you mean 'dot_stale'"),
        ("[alarms.dot_stale]\nband_mw = 1.0\n", "alarms.dot_stale.band_mw", "is no key of this table"),
        ('[alarms.dot_stale]\npriority = "urgent"\n', "alarms.dot_stale.priority", "critical"),
        ("[alarms.dot_stale]\non_delay_s = -1.0\n", "alarms.dot_stale.on_delay_s", "greater than or equal to 0"),
        ("[alarms.dot_deviation]\nband_mw = true\n", "alarms.dot_deviation.band_mw", "number"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_line(more: str, place: str, reason: str):
    file = understand_installation(CONFIG + more, Path("dotbus.toml"))
    (mistake,) = file.mistakes
    assert mistake.key == place
    assert reason in mistake.reason
    assert mistake.line is not None


def test_a_mistake_of_a_resources_own_is_told_at_that_resource():
    file = understand_installation(OF_RESOURCE.replace("band_mw = 2.0", "band_mw = 0.0"), Path("dotbus.toml"))
    (mistake,) = file.mistakes
    assert mistake.key == "plant[0].resource[0].alarms.dot_deviation.band_mw"
    assert mistake.line == 1 + OF_RESOURCE.splitlines().index("band_mw = 2.0")


def test_no_plant_is_called_as_the_alarms_of_none():
    file = understand_installation(CONFIG.replace('"sierra"', '"installation"'), Path("dotbus.toml"))
    assert "alarms that are of none" in file.mistakes[0].reason
