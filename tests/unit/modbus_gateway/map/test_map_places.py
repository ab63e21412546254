"""Which resource has which place of a block: as the file says, so that a change elsewhere moves nobody."""

import pytest
from gateway_story import INSTALLATION, Gateway, dot, installation, interval, status

from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from modbus_gateway.map.draft import check_map, read_map
from modbus_gateway.map.register_map import RegisterMap

PLANT = {"profile": "plant", "unit_id": 11}
CLASSIC = {"profile": "classic", "unit_id": 1}
WITHOUT_SOLAR = [{"name": "sierra", "resource": [{"id": "BESS", "node": "NODE1"}]}, INSTALLATION["plant"][1]]


def addresses(register_map: RegisterMap, quantity: str) -> dict[str, int]:
    """Where each resource's value stands."""
    cells = [cell for span in register_map.spans for cell in span.cells if cell.quantity.name == quantity]
    return {cell.about.members[0].resource.id: cell.address for cell in cells}


def of_plants(plants: list[dict[str, object]], block: dict[str, object]) -> RegisterMap:
    return read_map(Installation.model_validate({"environment": "production", "plant": plants, "modbus": {"block": [block]}}))


def mistakes(block: dict[str, object]) -> dict[str, str]:
    with pytest.raises(ConfigurationRefused) as refused:
        check_map(InstallationFile(installation(block=[block]), "plant.toml"))
    return {mistake.key: mistake.reason for mistake in refused.value.mistakes}


@pytest.mark.parametrize(("block", "quantity"), [(PLANT, "dot_mw"), (CLASSIC, "latest_dop_mw"), (CLASSIC, "supp_mw")])
def test_taking_a_resource_out_leaves_the_others_where_they_are(block, quantity):
    """What a SCADA reads as one unit's megawatts must not become another's because a third one was sold."""
    before = of_plants(INSTALLATION["plant"], {**block, "resources": ["SOLAR", "BESS", "HYDRO"]})
    after = of_plants(WITHOUT_SOLAR, {**block, "resources": ["", "BESS", "HYDRO"]})
    was, now = addresses(before, quantity), addresses(after, quantity)
    assert now == {name: address for name, address in was.items() if name != "SOLAR"}
    assert len(now) == 2


def test_a_list_gives_places_to_resources_of_several_plants_in_its_own_order():
    register_map = read_map(installation(block=[{**CLASSIC, "resources": ["HYDRO", "", "SOLAR"]}]))
    assert addresses(register_map, "latest_dop_mw") == {"HYDRO": 0, "SOLAR": 4}
    assert {member.plant for member in register_map.members} == {"delta", "sierra"}


def test_without_a_list_the_places_follow_the_order_of_the_file():
    register_map = read_map(installation(block=[{**PLANT, "plants": ["delta", "sierra"]}]))
    assert addresses(register_map, "dot_quality") == {"HYDRO": 100, "PUMP": 200, "SOLAR": 300, "BESS": 400}


def test_a_free_place_is_reserved_and_not_counted():
    gateway = Gateway(block=[{**PLANT, "resources": ["SOLAR", "", "BESS", ""]}])
    gateway.hear(status(0), dot(interval(0, 12.5), resource="BESS"))
    assert gateway.words(0, 11, 4, 1) == [2], "resource_count"
    assert gateway.words(0, 11, 200, 100) == [0xFFFF] * 100
    assert gateway.words(0, 11, 302, 2) == [0x4148, 0x0000]
    assert gateway.words(0, 11, 400, 100) == [0xFFFF] * 100, "one at the end is kept for whoever comes"


def test_free_places_of_the_classic_map_read_as_reserved():
    gateway = Gateway(block=[{**CLASSIC, "resources": ["", "BESS"]}])
    assert gateway.words(0, 1, 0, 2) == gateway.words(0, 1, 0x14, 2) == [0xFFFF, 0xFFFF]
    assert addresses(gateway.map, "latest_dop_mw") == {"BESS": 2}


@pytest.mark.parametrize(
    ("block", "key", "reason"),
    [
        ({"resources": ["SOLAR", "SOLAR"]}, "resources", "'SOLAR' is named twice"),
        ({"resources": ["SOLAR", "SOLD_LAST_YEAR"]}, "resources", 'is no resource: write "" in its place'),
        ({"resources": ["SOLAR", "BES"]}, "resources", "did you mean 'BESS'?"),
        ({"resources": ["", ""]}, "resources", "names no resource"),
        ({"resources": ["SOLAR"], "plants": ["sierra"]}, "resources", "goes in place of plants"),
        ({"profile": "classic", "resources": ["SOLAR", *[""] * 9, "BESS"]}, "resources", "room for 10 resources"),
        ({"address": 65400, "resources": ["SOLAR", ""]}, "address", "would end at 65699"),
    ],
)
def test_what_is_wrong_with_a_list_of_places_is_told(block, key, reason):
    found = mistakes({**PLANT, **block})
    assert list(found) == [f"modbus.block[0].{key}"]
    assert reason in found[f"modbus.block[0].{key}"]
