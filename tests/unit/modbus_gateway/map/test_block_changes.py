"""A plant takes a profile and has some of it otherwise, line by line."""

import pytest
from gateway_story import Gateway, dot, installation, interval, status

from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.installation.modbus import RegisterType, Table
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from modbus_gateway.map.draft import check_map, read_map
from modbus_gateway.map.register_map import Cell

PLANT = {"profile": "plant", "unit_id": 11, "resources": ["SOLAR", "BESS"]}
CLASSIC = {"profile": "classic", "unit_id": 1, "resources": ["SOLAR"]}


def cells(block: dict[str, object], **modbus: object) -> dict[tuple[Table, int], Cell]:
    spans = read_map(installation(block=[block], **modbus)).spans
    return {(span.table, cell.address): cell for span in spans for cell in span.cells}


def changed(*changes: dict[str, object], add: tuple[dict[str, object], ...] = (), **block: object) -> dict[str, object]:
    return {**PLANT, **block, "change": list(changes), "add": list(add)}


def mistakes(block: dict[str, object], **modbus: object) -> dict[str, str]:
    with pytest.raises(ConfigurationRefused) as refused:
        check_map(InstallationFile(installation(block=[block], **modbus), "plant.toml"))
    return {mistake.key: mistake.reason for mistake in refused.value.mistakes}


def test_a_change_of_a_quantity_is_of_every_resource_or_of_one():
    kinds = {"quantity": "dot_mw", "type": "int16", "scale": 10.0}
    for resource, expected in ((None, {102: "int16", 202: "int16"}), ("BESS", {102: "float32", 202: "int16"})):
        change = kinds if resource is None else {**kinds, "resource": resource}
        found = cells(changed(change))
        assert {address: found[Table.HOLDING, address].form.type.value for address in (102, 202)} == expected


def test_what_a_change_does_not_name_stays_as_the_block_has_it():
    before, after = (
        cells(block)[Table.HOLDING, 102].form
        for block in (PLANT | {"word_order": "little"}, changed({"quantity": "dot_mw", "type": "int32"}, word_order="little"))
    )
    assert (after.type, after.word_order, after.on_bad) == (RegisterType.INT32, before.word_order, before.on_bad)


def test_a_line_moves_within_its_block_and_beyond_it_and_its_old_place_is_reserved():
    gateway = Gateway(
        block=[
            changed(
                {"quantity": "dot_mw", "resource": "SOLAR", "address": 90},
                {"quantity": "dot_start", "resource": "SOLAR", "address": 400},
            )
        ]
    )
    gateway.hear(status(0), dot(interval(0, 12.5)))
    assert gateway.words(0, 11, 102, 4) == [0xFFFF] * 4
    assert gateway.words(0, 11, 90, 2) == [0x4148, 0]
    assert gateway.words(0, 11, 400, 2) != [0xFFFF] * 2


def test_what_is_removed_is_reserved():
    gateway = Gateway(block=[changed({"quantity": "dot_mw", "remove": True})])
    gateway.hear(status(0), dot(interval(0, 12.5)))
    assert gateway.words(0, 11, 102, 2) == [0xFFFF] * 2


def test_an_addition_stands_where_it_says_in_each_table_of_its_block():
    add = {"quantity": "trajectory_fresh", "resource": "SOLAR", "address": 90}
    flag = {"quantity": "broker_connected", "table": "discrete", "address": 7}
    found = cells(changed(add=(add, flag)))
    assert found[Table.HOLDING, 90].quantity.name == "trajectory_fresh"
    views = read_map(installation(block=[changed(add=(add, flag))])).views
    assert {(view.table, view.start, view.length) for view in views} == {(Table.INPUT, 0, 300), (Table.COIL, 7, 1)}


def test_a_change_has_limits_of_its_own():
    gateway = Gateway(block=[changed({"quantity": "dot_mw", "resource": "SOLAR", "max": 12.0})])
    gateway.hear(status(0), dot(interval(0, 12.5)))
    assert gateway.words(0, 11, 100, 1) == [64]


def test_the_classic_map_takes_a_flag_for_every_dop_that_it_holds():
    flag = {"quantity": "trajectories_fresh", "remove": True}
    found = mistakes({**CLASSIC, "change": [flag]})
    assert list(found) == ["modbus.block[0].change"]
    assert "latest_dop_mw keeps showing its last value while it is bad" in found["modbus.block[0].change"]
    read_map(installation(block=[{**CLASSIC, "change": [flag, {"quantity": "latest_dop_mw", "on_bad": "nan"}]}]))
    fresh = {"quantity": "trajectory_fresh", "resource": "SOLAR", "table": "discrete", "address": 8}
    read_map(installation(block=[{**CLASSIC, "change": [flag], "add": [fresh]}]))


@pytest.mark.parametrize(
    ("change", "key", "reason"),
    [
        ({"quantity": "dot_wm", "type": "int16"}, "quantity", "did you mean 'dot_mw'"),
        ({"quantity": "trajectory_fresh", "remove": True}, "quantity", "is no longer quantity"),
        ({"quantity": "dot_mw", "resource": "HYDRO", "remove": True}, "resource", "dot_mw of HYDRO has no place in this block"),
        ({"quantity": "dot_mw"}, "quantity", "neither moved, changed nor removed"),
        ({"quantity": "dot_mw", "remove": True, "scale": 2.0}, "remove", "goes without scale"),
        ({"quantity": "dot_mw", "address": 190}, "address", "moves one line, and 2 are dot_mw"),
        ({"quantity": "dot_mw", "type": "uint16", "resource": "BESS"}, "type", "cannot show the resource's pmin_mw, -50"),
        ({"quantity": "dot_start", "scale": 2.0}, "scale", "takes no scale"),
        ({"quantity": "dot_mw", "on_bad": "hold", "stale_after_s": 100}, "stale_after_s", "is longer than"),
    ],
)
def test_what_is_wrong_with_a_change_is_told(change, key, reason):
    found = mistakes(changed(change))
    assert list(found) == [f"modbus.block[0].change[0].{key}"]
    assert reason in found[f"modbus.block[0].change[0].{key}"]


def test_lines_that_overlap_after_changes_are_told_by_name():
    wide = {"quantity": "dot_mw", "resource": "SOLAR", "type": "float64"}
    assert mistakes(changed(wide)) == {"modbus.block[0].change[0]": "dot_start of SOLAR at 104 overlaps dot_mw of SOLAR"}
    add = {"quantity": "broker_connected", "address": 100}
    assert list(mistakes(changed(add=(add,)))) == ["modbus.block[0].add[0]"]


def test_what_goes_beyond_its_block_may_not_stand_where_another_does():
    moved = {"quantity": "dot_mw", "resource": "SOLAR", "address": 400}
    point = {"unit_id": 11, "address": 401, "quantity": "broker_connected"}
    assert mistakes(changed(moved), point=[point]).keys() == {"modbus.point[0]"}


def test_an_addition_in_a_table_that_its_block_is_not_in_is_told():
    add = {"quantity": "broker_connected", "table": "input", "address": 400}
    assert "none of the block's tables" in mistakes(changed(add=(add,), tables=["holding"]))["modbus.block[0].add[0].table"]


def test_changes_write_addresses_as_their_file_does():
    moved = {"quantity": "dot_mw", "resource": "SOLAR", "address": 40091}
    add = {"quantity": "broker_connected", "address": 40401}
    found = cells(changed(moved, add=(add,)), addresses="4xxxx")
    assert found[Table.HOLDING, 90].quantity.name == "dot_mw"
    assert found[Table.HOLDING, 400].quantity.name == "broker_connected"


def test_a_change_changes_the_hash_of_its_unit():
    hashes = {
        read_map(installation(block=[block])).hashes[11] for block in (PLANT, changed({"quantity": "dot_mw", "remove": True}))
    }
    assert len(hashes) == 2
