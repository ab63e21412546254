from pathlib import Path

import pytest
from gateway_story import INSTALLATION, installation

from dotbus.contracts.topics import Topics
from dotbus.runtime.installation.file import InstallationFile, load_installation, read_installation
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.modbus import Profile, Table
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from modbus_gateway.map.draft import check_map, read_map
from modbus_gateway.map.layouts import PLANT_HEADER, PLANT_RESOURCE, PLANT_STRIDE, lay_out
from modbus_gateway.map.quantities import QUANTITIES

EXAMPLE = Path(__file__).parents[4] / "config" / "dotbus.example.toml"
BLOCK = {"profile": "plant", "unit_id": 1}
POINT = {"unit_id": 1, "address": 0, "quantity": "dot_mw", "resource": "SOLAR"}
STORED = {"quantity": "must_follow", "table": "discrete", "resource": "BESS"}


def mistakes(**modbus: object) -> dict[str, str]:
    with pytest.raises(ConfigurationRefused) as refused:
        check_map(InstallationFile(installation(**modbus), "plant.toml"))
    assert {mistake.where for mistake in refused.value.mistakes} == {"plant.toml"}
    return {mistake.key: mistake.reason for mistake in refused.value.mistakes}


def test_the_example_configuration_has_a_map():
    register_map = read_map(load_installation(EXAMPLE))
    assert register_map.units == {1, 11, 12}
    assert {member.resource.id for member in register_map.members} == {"SIERRA_2_SOLAR1", "SIERRA_2_BESS1", "DELTA_6_HYDRO1"}


def test_every_mistake_is_told_at_once_with_its_key():
    found = mistakes(
        block=[
            {**BLOCK, "plants": ["siera"]},
            {**BLOCK, "profile": "plant", "lmp_node": "NODE1"},
            {**BLOCK, "unit_id": 2, "lmp_market": "DAM"},
        ],
        point=[{**POINT, "quantity": "dot_wm"}, {**POINT, "unit_id": 3, "resource": "SOLR"}],
    )
    assert found.keys() == {
        "modbus.block[0].plants",
        "modbus.block[1].lmp_node",
        "modbus.point[0].quantity",
        "modbus.point[1].resource",
    }
    assert "did you mean 'sierra'" in found["modbus.block[0].plants"]
    assert "did you mean 'dot_mw'" in found["modbus.point[0].quantity"]


def test_a_map_that_serves_nothing_is_a_mistake():
    assert "serves nothing" in mistakes()["modbus"]


def test_overlaps_name_both_places():
    found = mistakes(
        block=[BLOCK, {**BLOCK, "address": 499}, {"profile": "classic", "unit_id": 2}],
        point=[{**POINT, "unit_id": 2, "address": 0x3E}, {**POINT, "unit_id": 2, "address": 0x40}],
    )
    assert found.keys() == {"modbus.block[1]", "modbus.point[0]"}
    assert "modbus.block[0] (unit 1, holding registers 0 to 499)" in found["modbus.block[1]"]


def test_an_area_inside_another_does_not_hide_the_next_overlap():
    found = mistakes(
        block=[BLOCK],
        point=[{**POINT, "address": 10}, {**POINT, "address": 498}],
    )
    assert found.keys() == {"modbus.point[0]", "modbus.point[1]"}


def test_the_two_tables_of_a_unit_do_not_overlap():
    flag = {"unit_id": 1, "address": 0, "quantity": "ads_polling_works"}
    read_map(installation(point=[flag, {**flag, "table": "discrete"}]))


def test_more_than_ten_resources_do_not_fit_the_classic_map():
    many = [{"id": f"R{i}"} for i in range(11)]
    place = Installation.model_validate(
        {**INSTALLATION, "plant": [{"name": "p", "resource": many}], "modbus": {"block": [{**BLOCK, "profile": "classic"}]}}
    )
    with pytest.raises(ConfigurationRefused, match="room for 10 resources, these plants have 11"):
        read_map(place)


@pytest.mark.parametrize(
    ("point", "key", "reason"),
    [
        ({"resource": None}, "resource", "is missing"),
        ({"quantity": "worst_quality", "resource": None}, "plant", "is missing"),
        ({"quantity": "lmp_age_s", "resource": None}, "node", "is missing"),
        ({"quantity": "heartbeat"}, "resource", "takes no resource"),
        ({"node": "NODE1"}, "node", "takes no node"),
        ({"plant": "delta"}, "resource", "does not belong to plant 'delta'"),
        ({"plant": "dleta"}, "plant", "did you mean 'delta'"),
        ({"quantity": "lmp_age_s", "resource": "PUMP"}, "resource", "has no node"),
        ({"quantity": "lmp_age_s", "resource": None, "node": "NODE9"}, "node", "no price would come"),
        ({"type": "bit"}, "type", "belongs in table"),
        ({"table": "discrete"}, "quantity", "is no flag"),
        ({**STORED, "type": "uint16"}, "type", "is a bit, not a uint16"),
        ({"quantity": "must_follow", "table": "discrete"}, "table", "which a bit cannot show"),
        ({"type": "uint16", "on_bad": "value", "bad_value": -1}, "bad_value", "outside 0 to 65534"),
        ({"on_bad": "value", "bad_value": 1e39}, "bad_value", "too large for float32"),
        ({"type": "int16", "scale": 10, "on_bad": "value", "bad_value": -4000}, "bad_value", "-40000 is outside -32767"),
        ({"address": 65535}, "address", "takes two registers"),
        ({"scale": 0}, "scale", "0 is not between 1e-06 and 1e+09"),
        ({"scale": 1e-7}, "scale", "float32 would lose the value"),
        ({"scale": -1e10}, "scale", "or their negatives"),
        ({"type": "int16", "scale": 1e-9}, "scale", "1e-09 is not between 1 and 1e+09"),
        ({"type": "int32", "scale": -0.5}, "scale", "int32 would lose the value"),
        ({"quantity": "dot_end", "type": "float32"}, "type", "needs uint32, int32 or 64 bits"),
        ({"quantity": "dot_end", "type": "uint16"}, "type", "no other type keeps every digit"),
        ({"type": "uint16", "resource": "BESS"}, "type", "uint16 with scale 1 cannot show the resource's pmin_mw, -50"),
        ({"type": "int16", "offset": 32700}, "type", "scale 1 and offset 32700 cannot show the resource's pmax_mw, 100"),
        ({"type": "int16", "scale": 100, "max": 400}, "type", "cannot show its own max, 400"),
        ({"min": 10, "max": 9.5}, "max", "9.5 is below min 10"),
        ({"type": "bool"}, "type", "is no flag"),
        (
            {"quantity": "must_follow", "resource": "BESS", "type": "bool", "on_bad": "value", "bad_value": 0.0},
            "bad_value",
            "must_follow is a bool, which is 0 while it is bad",
        ),
        ({"type": "bits"}, "type", "is no bit mask"),
        ({"type": "string"}, "type", "is a number"),
        ({"quantity": "dot_end", "offset": 1}, "offset", "takes no offset"),
        ({"quantity": "dot_end", "min": 1}, "min", "takes no min"),
        ({"stale_after_s": 91}, "stale_after_s", "91 is longer than stale_after_s of [modbus], 90"),
        ({"quantity": "dot_age_s", "stale_after_s": 9}, "stale_after_s", "dot_age_s is never stale"),
        ({"type": "float64", "address": 65533}, "address", "a float64 takes four registers"),
        ({"quantity": "must_follow", "resource": "BESS", "table": "coil", "max": 1}, "max", "means nothing for a bit"),
        ({"table": "coil"}, "quantity", "cannot be a coil"),
    ],
)
def test_what_a_point_lacks_or_has_too_much_is_told(point, key, reason):
    given = {name: value for name, value in {**POINT, **point}.items() if value is not None}
    found = mistakes(point=[given])
    assert list(found) == [f"modbus.point[0].{key}"]
    assert reason in found[f"modbus.point[0].{key}"]


@pytest.mark.parametrize(
    ("block", "key", "reason"),
    [
        ({"plants": ["delta", "delta"]}, "plants", "named twice"),
        ({"address": 65400}, "address", "would end at 65899"),
        ({"profile": "classic", "lmp_node": "NODE9"}, "lmp_node", "no price would come"),
        ({"on_bad": "value", "bad_value": 1e39}, "bad_value", "too large"),
    ],
)
def test_what_is_wrong_with_a_block_is_told(block, key, reason):
    found = mistakes(block=[{**BLOCK, **block}])
    assert list(found) == [f"modbus.block[0].{key}"]
    assert reason in found[f"modbus.block[0].{key}"]


def test_a_market_that_is_not_followed_is_a_mistake():
    place = Installation.model_validate({**INSTALLATION, "prices": {"markets": ["DAM"]}, "modbus": {"block": [BLOCK]}})
    with pytest.raises(ConfigurationRefused, match="RTM is not among"):
        read_map(place)


def test_neighbouring_blocks_can_be_read_across():
    blocks = [{**BLOCK, "plants": ["sierra"]}, {**BLOCK, "plants": ["delta"], "address": 300}]
    spans = read_map(installation(block=blocks)).spans
    assert [(span.start, span.length) for span in spans] == [(0, 600)]


def test_a_gateway_follows_only_what_it_shows_and_services_last():
    topics = Topics()
    register_map = read_map(installation(block=[{**BLOCK, "plants": ["delta"]}]))
    assert register_map.filters(topics) == [
        topics.dot("delta", "HYDRO"),
        topics.trajectory("delta", "HYDRO"),
        topics.dot("delta", "PUMP"),
        topics.trajectory("delta", "PUMP"),
        topics.instructions("delta", "HYDRO"),
        topics.instructions("delta", "PUMP"),
        topics.lmp("RTM", "NODE2"),
        topics.alarm_summary("delta"),
        "dotbus/v1/service/+/+",
    ]


@pytest.mark.parametrize("layout", [PLANT_HEADER, PLANT_RESOURCE])
def test_plant_values_neither_overlap_nor_leave_their_stride_and_wide_ones_are_even(layout):
    taken: list[int] = []
    for address, name in layout.items():
        wide = QUANTITIES[name].type.value.endswith("32")
        assert not (wide and address % 2)
        taken += [address, address + 1] if wide else [address]
    assert len(taken) == len(set(taken))
    assert max(taken) < PLANT_STRIDE <= 125


def test_classic_values_do_not_overlap():
    slots = lay_out(Profile.CLASSIC, 10).slots
    holding = [slot.address + i for slot in slots if slot.table is Table.HOLDING for i in (0, 1)]
    assert len(holding) == len(set(holding)) == 2 * (10 + 10 + 2)


def test_a_mistake_names_the_line_of_the_file_and_whose_registers_it_is_about(tmp_path):
    path = tmp_path / "plant.toml"
    path.write_text(
        """environment = "production"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "SOLAR"
pmax_mw = 100.0
[[modbus.block]]
profile = "plant"
unit_id = 1
resources = ["SOLAR"]
[[modbus.block.change]]
quantity = "dot_mw"
type = "int16"
scale = 1000.0
[[modbus.point]]
unit_id = 1
address = 199
quantity = "dot_mw"
resource = "SOLAR"
"""
    )
    with pytest.raises(ConfigurationRefused) as refused:
        check_map(read_installation(path))
    change, point = (str(mistake) for mistake in refused.value.mistakes)
    assert change.startswith(f"{path}: modbus.block[0].change[0].type: int16 with scale 1000 cannot show")
    assert change.endswith("(line 13, plant sierra)")
    assert point.startswith(f"{path}: modbus.point[0]: unit 1, holding registers 199 to 200, overlaps modbus.block[0]")
    assert point.endswith("(line 15, plant sierra, resource SOLAR)")
