"""A mistake in dotbus.toml is told with its line, and with the plant and the resource that it is about."""

import os
import re
from pathlib import Path

import pytest

from dotbus.runtime.settings.mistakes import ConfigurationRefused, Mistake
from launcher.setup.check import SERVICES, check_configuration

PLANT = """environment = "simulator"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "SOLAR"
node = "N1"
[[plant.resource]]
id = "BESS"
"""
MODBUS = """[modbus]
accept_environments = ["simulator"]
[[modbus.block]]
profile = "plant"
unit_id = 11
"""
POINT = "[[modbus.point]]\nunit_id = 12\naddress = 1\n"
WRITE = "[[modbus.write]]\nunit_id = 12\naddress = 9\n"
SOLAR, BESS = "plant sierra, resource SOLAR", "plant sierra, resource BESS"
KINDS = {
    "a key that is none": (PLANT + "colour = 1\n", "colour", BESS),
    "a value of another type": (PLANT + 'pmin_mw = "low"\n', "pmin_mw", BESS),
    "two values that do not fit": (PLANT + "pmin_mw = 9.0\npmax_mw = 1.0\n", "pmax_mw", BESS),
    "a word that is none of those": (PLANT + 'schedule = "daily"\n', "schedule", BESS),
    "a name given twice": (PLANT.replace("BESS", "SOLAR"), 'id = "SOLAR"', SOLAR),
    "a key that is missing": (PLANT.replace('id = "BESS"', "variable = true"), "[[plant.resource]]", "plant sierra"),
    "a plant without resources": (PLANT + '[[plant]]\nname = "delta"\n', "[[plant]]", "plant delta"),
    "a plant's name that is taken": (PLANT.replace("sierra", "unassigned"), "name = ", "plant unassigned"),
    "a pattern without a wildcard": (
        PLANT.replace('name = "sierra"', 'name = "sierra"\npatterns = ["S"]'),
        "patterns",
        "plant sierra",
    ),
    "patterns of two plants": (
        PLANT.replace('name = "sierra"', 'name = "sierra"\npatterns = ["S*"]')
        + '[[plant]]\nname = "delta"\npatterns = ["S1*"]\n',
        'patterns = ["S1*"]',
        "plant delta",
    ),
    "an alarm of a plant": (
        PLANT.replace('name = "sierra"', 'name = "sierra"\nalarms.dot_stale.enabled = 1'),
        "alarms.",
        "plant sierra",
    ),
    "an alarm of a resource": (PLANT + '[plant.resource.alarms.dot_stale]\npriority = "urgent"\n', "priority", BESS),
    "a rule of acceptance": (
        PLANT + '[[automatic_acceptance]]\nname = "small"\nresources = ["S*"]\nmin_mw = 5.0\nmax_mw = 1.0\n',
        "max_mw",
        "rule small",
    ),
    "a plant that is none in a block": (PLANT + MODBUS + 'plants = ["siera"]\n', "plants", "plant siera"),
    "a resource that is none in a block": (PLANT + MODBUS + 'resources = ["SOLAR", "NONE"]\n', "resources", "plant sierra"),
    "a quantity that is none in a block": (
        PLANT + MODBUS + '[[modbus.block.change]]\nquantity = "dot_mww"\nresource = "BESS"\n',
        "quantity",
        BESS,
    ),
    "an address that is none": (
        PLANT + MODBUS + POINT.replace("= 1\n", "= 70000\n") + 'quantity = "dot_mw"\nresource = "SOLAR"\n',
        "address = 7",
        SOLAR,
    ),
    "a quantity that is none at a point": (
        PLANT + MODBUS + POINT + 'quantity = "dot_mww"\nresource = "SOLAR"\n',
        'quantity = "dot_mww"',
        SOLAR,
    ),
    "a type that is none at a point": (
        PLANT + MODBUS + POINT + 'quantity = "dot_mw"\nresource = "SOLAR"\ntype = "unit16"\n',
        "type",
        SOLAR,
    ),
    "a price of a point": (PLANT + MODBUS + POINT + 'quantity = "lmp_mw"\nnode = "N1"\n', "quantity", "node N1 in RTM"),
    "what is written and never stale": (
        PLANT + MODBUS + WRITE + 'resource = "BESS"\npoint = "actual_mw"\nallow_from = ["10.0.0.1"]\n',
        "[[modbus.write]]",
        BESS,
    ),
    "blocks that overlap": (
        PLANT + MODBUS + '[[modbus.block]]\nprofile = "plant"\nunit_id = 11\n',
        "[[modbus.block]]",
        "plant block",
    ),
    "environments of which none is shown": (PLANT + MODBUS.replace('"simulator"', '"stage"'), "accept_environments", ""),
    "environments that are left out": (
        PLANT + MODBUS.replace('[modbus]\naccept_environments = ["simulator"]\n', ""),
        "[[modbus.block]]",
        "",
    ),
    "a time that is none": (PLANT + MODBUS.replace("[[", "stale_after_s = -1\n[[", 1), "stale_after_s", ""),
    "a market that is none": (PLANT + '[prices]\nmarkets = ["DAMN"]\n', "markets", ""),
    "a table that is no table": (PLANT.replace("[[plant]]", "prices = 1\n[[plant]]"), "prices", ""),
}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch):
    for name in list(os.environ):
        if name.startswith(("DOTBUS_", *SERVICES)):
            monkeypatch.delenv(name)


def refused(tmp_path: Path, text: str) -> list[Mistake]:
    config = tmp_path / "dotbus.toml"
    config.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationRefused) as told:
        check_configuration(config)
    return list(told.value.mistakes)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_mistake_has_its_line_and_whose_it_is(tmp_path: Path, kind: str):
    text, at, whose = KINDS[kind]
    # Beside the mistake others may follow from it, as a map that is missing where only a plant is shown here.
    told = [(text.splitlines()[one.line - 1], one.whose, str(one)) for one in refused(tmp_path, text) if one.line]
    assert any(line.startswith(at) and (owner == whose or (whose and owner.startswith(whose))) for line, owner, _ in told), told


def test_the_last_of_two_tables_is_told_by_its_own_line(tmp_path: Path):
    text = PLANT + MODBUS + POINT * 2 + 'quantity = "dot_mww"\nresource = "SOLAR"\n'
    (mistake,) = [one for one in refused(tmp_path, text) if one.key == "modbus.point[1].quantity"]
    assert str(mistake).endswith(f"(line {len(text.splitlines()) - 1}, {SOLAR})")


def test_no_mistake_of_a_service_about_the_file_is_without_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LMP_INGEST_STATE_DIR", str(tmp_path))
    text = PLANT.replace('node = "N1"\n', "") + MODBUS + "[prices]\nmarkets = []\n"
    (mistake,) = [one for one in refused(tmp_path, text) if one.key == "prices"]
    assert text.splitlines()[(mistake.line or 0) - 1] == "[prices]"


def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path):
    (mistake,) = refused(tmp_path, PLANT + "colour =\n")
    assert re.search(r"is not TOML: .*line 9", str(mistake))
