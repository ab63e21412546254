"""The four tables of a unit, and what stands in each."""

import pytest
from gateway_story import Gateway, dot, installation, interval, status

from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.installation.modbus import Table
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from modbus_gateway.map.draft import check_map, read_map
from modbus_gateway.wire.identification import Identification
from modbus_gateway.wire.images.image import Refusal
from modbus_gateway.wire.pdu import Served, answer
from modbus_gateway.wire.writing import Client, NothingWritable

PLANT = {"profile": "plant", "unit_id": 11, "resources": ["SOLAR"]}
CLASSIC = {"profile": "classic", "unit_id": 1}
POINT = {"unit_id": 20, "address": 8, "quantity": "dot_mw", "resource": "SOLAR"}
FLAG = {"unit_id": 20, "address": 8, "quantity": "ads_polling_works"}


def heard(**modbus: object) -> Gateway:
    gateway = Gateway(**modbus)
    gateway.hear(status(0), dot(interval(0, 12.5)))
    return gateway.render(0)


def ask(image: Gateway, function: int, unit_id: int, address: int, count: int) -> bytes:
    request = bytes((function,)) + address.to_bytes(2, "big") + count.to_bytes(2, "big")
    units, tables = frozenset({1, 11, 20}), image.images.look
    served = Served(units, tables, NothingWritable(), Identification.of("1", "sierra"))
    return answer(served, unit_id, request, Client("192.0.2.1"))


def mistakes(**modbus: object) -> dict[str, str]:
    with pytest.raises(ConfigurationRefused) as refused:
        check_map(InstallationFile(installation(**modbus), "plant.toml"))
    return {mistake.key: mistake.reason for mistake in refused.value.mistakes}


def test_a_block_is_shown_in_holding_and_input_alike_and_its_bits_in_discrete_and_coil():
    image = heard(block=[PLANT, CLASSIC])
    assert ask(image, 3, 11, 100, 100)[1:] == ask(image, 4, 11, 100, 100)[1:]
    assert ask(image, 4, 11, 102, 2) == bytes.fromhex("040441480000")
    assert ask(image, 1, 1, 0, 16)[1:] == ask(image, 2, 1, 0, 16)[1:] == bytes((2, 0b1_0001, 0))


@pytest.mark.parametrize(("table", "function"), [(Table.HOLDING, 3), (Table.INPUT, 4)])
def test_a_block_that_names_its_tables_is_in_no_other(table, function):
    image = heard(block=[{**PLANT, "tables": [table]}])
    for asked in (1, 2, 3, 4):
        refused = ask(image, asked, 11, 102, 2)[0] & 0x80
        assert bool(refused) == (asked != function)


@pytest.mark.parametrize(("point", "function"), [(POINT, 3), ({**POINT, "table": "input"}, 4)])
def test_a_register_of_a_point_stands_in_its_own_table_alone(point, function):
    image = heard(point=[point])
    told = {asked: ask(image, asked, 20, 8, 2) for asked in (1, 2, 3, 4)}
    assert told.pop(function) == bytes((function,)) + bytes.fromhex("0441480000")
    assert all(reply == bytes((asked | 0x80, Refusal.ADDRESS)) for asked, reply in told.items())


@pytest.mark.parametrize(("table", "function"), [("coil", 1), ("discrete", 2)])
def test_a_bit_of_a_point_stands_in_its_own_table_alone(table, function):
    image = heard(point=[{**FLAG, "table": table}])
    told = {asked: ask(image, asked, 20, 8, 1) for asked in (1, 2, 3, 4)}
    assert told.pop(function) == bytes((function, 1, 1))
    assert all(reply == bytes((asked | 0x80, Refusal.ADDRESS)) for asked, reply in told.items())


def test_one_address_may_say_another_thing_in_each_table():
    tables = {"holding": "dot_mw", "input": "dot_start", "coil": "ads_polling_works", "discrete": "broker_connected"}
    whose = {"dot_mw": {"resource": "SOLAR"}, "dot_start": {"resource": "SOLAR"}}
    points = [{"unit_id": 20, "address": 8, "table": t, "quantity": q, **whose.get(q, {})} for t, q in tables.items()]
    image = heard(point=points)
    assert ask(image, 3, 20, 8, 2) != ask(image, 4, 20, 8, 2)[1:]


def test_a_request_reads_across_a_block_and_a_point_behind_it_in_either_table():
    beside = [{**POINT, "unit_id": 11, "address": 200, "table": table} for table in ("holding", "input")]
    image = heard(block=[PLANT], point=beside)
    for function in (3, 4):
        assert ask(image, function, 11, 198, 4) == bytes((function, 8)) + bytes.fromhex("7fc0000041480000")


def test_a_point_where_a_block_is_shown_too_is_told_once_with_the_way_out():
    found = mistakes(block=[PLANT], point=[{**POINT, "unit_id": 11, "address": 102, "table": "input"}])
    assert found == {
        "modbus.point[0]": "unit 11, input registers 102 to 103, overlaps modbus.block[0] (unit 11, input registers 0 to 199)"
        "; modbus.block[0] need not be shown there: give it tables without input"
    }
    only_holding = {**PLANT, "tables": ["holding"]}
    read_map(installation(block=[only_holding], point=[{**POINT, "unit_id": 11, "address": 102, "table": "input"}]))


def test_a_table_that_a_profile_has_nothing_for_is_a_mistake():
    assert "it is registers" in mistakes(block=[{**PLANT, "tables": ["coil"]}])["modbus.block[0].tables"]


def test_a_block_that_holds_may_not_leave_the_tables_of_its_flags():
    found = mistakes(block=[{**CLASSIC, "tables": ["holding"]}])
    assert list(found) == ["modbus.block[0].tables"]
    assert "keeps showing its last value while it is bad, and nothing at unit 1 says so" in found["modbus.block[0].tables"]
    read_map(installation(block=[{**CLASSIC, "tables": ["holding", "coil"]}]))
    read_map(installation(block=[{**CLASSIC, "tables": ["discrete"]}]))
    read_map(installation(block=[{**CLASSIC, "tables": ["holding"], "on_bad": "nan"}]))


def test_a_block_that_leaves_a_table_is_another_map():
    before, after = (read_map(installation(block=[block])).hashes[11] for block in (PLANT, {**PLANT, "tables": ["holding"]}))
    assert before != after
