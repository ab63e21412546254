"""The hash of a unit's map: SCADA reads it to know that what it was commissioned with still stands where it stood."""

import hashlib

import pytest
from gateway_story import INSTALLATION, Gateway, installation

from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from modbus_gateway.map.draft import check_map, read_map

BLOCK = {"profile": "plant", "unit_id": 11, "resources": ["SOLAR", "BESS"]}
POINT = {"unit_id": 20, "address": 8, "quantity": "dot_mw", "resource": "BESS", "type": "int16", "scale": 10}
QUALITY = {"unit_id": 20, "address": 4, "quantity": "dot_quality", "resource": "BESS"}


def hashes(*, plants: object = None, blocks: object = (BLOCK,), points: object = (POINT, QUALITY), **modbus: object):
    given = {**INSTALLATION, "modbus": {"block": list(blocks), "point": list(points), **modbus}}
    return read_map(Installation.model_validate(given | ({"plant": plants} if plants else {}))).hashes


@pytest.mark.parametrize(
    "change",
    [
        {"blocks": [{**BLOCK, "address": 2}]},
        {"blocks": [{**BLOCK, "resources": ["BESS", "SOLAR"]}]},
        {"blocks": [{**BLOCK, "resources": ["SOLAR", "HYDRO"]}]},
        {"blocks": [{**BLOCK, "resources": ["SOLAR", "BESS", ""]}]},
        {"blocks": [{**BLOCK, "word_order": "little"}]},
        {"blocks": [{**BLOCK, "on_bad": "exception"}]},
        {"blocks": [{**BLOCK, "lmp_market": "DAM"}]},
        {"points": [POINT, QUALITY, {**QUALITY, "unit_id": 11, "address": 900}]},
    ],
)
def test_whatever_moves_at_a_unit_changes_its_hash_and_no_other(change):
    before, after = hashes(), hashes(**change)
    assert before[11] != after[11]
    assert before[20] == after[20]


@pytest.mark.parametrize(
    "change",
    [
        {"address": 9},
        {"scale": 100},
        {"type": "int32"},
        {"resource": "SOLAR"},
        {"quantity": "set_point_mw"},
        {"on_bad": "exception"},
    ],
)
def test_a_point_that_is_written_otherwise_changes_the_hash(change):
    before, after = hashes(), hashes(points=[{**POINT, **change}, QUALITY])
    assert before[20] != after[20]
    assert before[11] == after[11]


def test_what_no_reader_relies_on_leaves_the_hash_alone():
    sierra, delta = INSTALLATION["plant"]
    other_plants = [{**delta, "name": "renamed"}, {**sierra, "resource": sierra["resource"][::-1]}]
    assert hashes(plants=other_plants) == hashes()
    assert hashes(stale_after_s=30.0, points=[QUALITY, POINT]) == hashes()
    assert (
        hashes(plants=[{"name": "sierra", "resource": [{**r, "pmax_mw": 7.0} for r in sierra["resource"]]}, delta]) == hashes()
    )


def test_what_follows_another_schedule_is_another_quantity():
    sierra, delta = INSTALLATION["plant"]
    hourly = [{**one, "schedule": "hourly"} if one["id"] == "BESS" else one for one in sierra["resource"]]
    before, after = hashes(), hashes(plants=[{**sierra, "resource": hourly}, delta])
    assert (before[11] != after[11], before[20] != after[20]) == (True, True)
    point = {**POINT, "quantity": "hourly_dot_mw"}
    of_hour = {"points": [point, {**QUALITY, "quantity": "hourly_dot_quality"}]}
    assert hashes(**of_hour)[20] == hashes(plants=[{**sierra, "resource": hourly}, delta], **of_hour)[20]


def test_must_follow_of_a_variable_resource_is_another_quantity():
    sierra, delta = INSTALLATION["plant"]
    turned = [{**one, "variable": not one.get("variable", False)} if one["id"] == "BESS" else one for one in sierra["resource"]]
    before, after = hashes(), hashes(plants=[{**sierra, "resource": turned}, delta])
    assert (before[11] != after[11], before[20] != after[20]) == (True, False), "unit 20 shows no `must_follow`"


def test_the_order_in_which_a_file_names_its_plants_moves_only_blocks_without_places():
    sierra, delta = INSTALLATION["plant"]
    without = [{"profile": "plant", "unit_id": 11}]
    assert hashes(plants=[delta, sierra], blocks=without)[11] != hashes(blocks=without)[11]


def test_the_hash_is_the_one_that_was_written_down():
    """By every process, Python and release: worked out here from the lines that make it up, and as a number of its own."""
    lines = (
        "holding\t4\t(served from here)\t\t1 registers",
        "holding\t4\tdot_quality\tBESS\tuint16 nan",
        "holding\t8\t(served from here)\t\t1 registers",
        "holding\t8\tdot_mw\tBESS\tint16 times 10.0 nan",
    )
    digest = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).digest()
    assert hashes()[20] == 1 + int.from_bytes(digest[:8], "big") % 2147483646 == 315915546


def test_the_hash_is_never_no_value_nor_nothing():
    numbers = [read_map(installation(block=[{**BLOCK, "address": i}])).hashes[11] for i in range(50)]
    assert len(set(numbers)) == 50
    assert all(0 < number < 0x7FFF_FFFF for number in numbers)


def test_the_plant_header_shows_the_hash_of_its_unit():
    gateway = Gateway(block=[BLOCK, {**BLOCK, "unit_id": 12}], point=[{"unit_id": 13, "address": 0, "quantity": "map_hash"}])
    shown = {}
    for unit_id, address in ((11, 10), (12, 10), (13, 0)):
        high, low = gateway.words(0, unit_id, address, 2)
        shown[unit_id] = high << 16 | low
    assert shown == gateway.map.hashes
    assert len(set(shown.values())) == 2, "units that serve the same have the same hash"


@pytest.mark.parametrize("change", [{"type": "uint16"}, {"type": "float32"}])
def test_a_point_that_cannot_carry_every_digit_of_the_hash_is_a_mistake(change):
    point = {"unit_id": 13, "address": 0, "quantity": "map_hash", **change}
    with pytest.raises(ConfigurationRefused) as refused:
        check_map(InstallationFile(installation(point=[point]), "plant.toml"))
    assert [mistake.key for mistake in refused.value.mistakes] == ["modbus.point[0].type"]
