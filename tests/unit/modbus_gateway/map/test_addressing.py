"""Addresses as a file writes them: the same place in three notations."""

import pytest
from gateway_story import installation
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.installation.modbus import Addresses, Point, Table
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from modbus_gateway.map.addressing import written
from modbus_gateway.map.draft import check_map, read_map

POINT = {"unit_id": 20, "quantity": "broker_connected"}
PLANT = {"profile": "plant", "unit_id": 11, "resources": ["SOLAR"]}


def place(notation: str, address: object, **more: object) -> tuple[Table, int]:
    (span,) = read_map(installation(addresses=notation, point=[{**POINT, "address": address, **more}])).spans
    return span.table, span.start


def mistakes(**modbus: object) -> dict[str, str]:
    with pytest.raises(ConfigurationRefused) as refused:
        check_map(InstallationFile(installation(**modbus), "plant.toml"))
    return {mistake.key: mistake.reason for mistake in refused.value.mistakes}


@pytest.mark.parametrize(
    ("notation", "address", "expected"),
    [
        ("0-based", 0, (Table.HOLDING, 0)),
        ("1-based", 1, (Table.HOLDING, 0)),
        ("1-based", 65536, (Table.HOLDING, 65535)),
        ("4xxxx", 40001, (Table.HOLDING, 0)),
        ("4xxxx", 49999, (Table.HOLDING, 9998)),
        ("4xxxx", 410000, (Table.HOLDING, 9999)),
        ("4xxxx", 400001, (Table.HOLDING, 0)),
        ("4xxxx", 465536, (Table.HOLDING, 65535)),
        ("4xxxx", 30008, (Table.INPUT, 7)),
        ("4xxxx", 10001, (Table.DISCRETE, 0)),
        ("4xxxx", 165536, (Table.DISCRETE, 65535)),
        ("4xxxx", 1, (Table.COIL, 0)),
        ("4xxxx", "00010", (Table.COIL, 9)),
        ("4xxxx", "000010", (Table.COIL, 9)),
        ("4xxxx", "010001", (Table.COIL, 10000)),
    ],
)
def test_an_address_is_read_as_its_file_says(notation, address, expected):
    assert place(notation, address) == expected


@given(st.sampled_from(Table), st.integers(0, 65535), st.sampled_from(Addresses))
def test_what_is_written_of_an_address_is_read_as_the_same(table, address, notation):
    text = written(notation, table, address)
    given_as = text if text.startswith("0") and len(text) > 4 else int(text)
    more = {} if notation is Addresses.CLASSIC else {"table": table}
    assert place(notation.value, given_as, **more) == (table, address)


@pytest.mark.parametrize(
    ("notation", "address", "reason"),
    [
        ("0-based", 65536, "65536 is not between 0 and 65535, as addresses that are 0-based are"),
        ("1-based", 0, "0 is not between 1 and 65536"),
        ("4xxxx", 20001, "20001 is no address in 4xxxx"),
        ("4xxxx", 40000, "40000 is no address"),
        ("4xxxx", 465537 - 65537, "400000 is no address"),
        ("4xxxx", 370000, "370000 is no address"),
        ("0-based", 40001 + 65536, "is not between"),
    ],
)
def test_what_is_no_address_in_the_notation_of_the_file_is_told(notation, address, reason):
    found = mistakes(addresses=notation, point=[{**POINT, "address": address}])
    assert list(found) == ["modbus.point[0].address"]
    assert reason in found["modbus.point[0].address"]


@pytest.mark.parametrize("address", [-1, 465537, "40001", "1", "0000010", True, 1.0, "\u0660" * 5])
def test_what_is_an_address_in_no_notation_is_no_address(address):
    with pytest.raises(ValidationError):
        Point.model_validate({**POINT, "address": address})


def test_the_first_digit_names_the_table_so_another_table_beside_it_is_a_mistake():
    found = mistakes(addresses="4xxxx", point=[{**POINT, "address": 30001, "table": "holding"}])
    assert found == {
        "modbus.point[0].address": "30001 is in table input, and table says holding: leave table out, the first digit says it"
    }


def test_a_block_begins_where_its_address_says_in_all_its_tables():
    one = read_map(installation(addresses="4xxxx", block=[{**PLANT, "address": 40101}]))
    assert one.entries == read_map(installation(block=[{**PLANT, "address": 100}])).entries
    assert read_map(installation(addresses="1-based", block=[PLANT])).entries == read_map(installation(block=[PLANT])).entries


def test_a_block_that_is_not_in_the_table_of_its_address_is_a_mistake():
    found = mistakes(addresses="4xxxx", block=[{**PLANT, "address": 30101, "tables": ["holding"]}])
    assert "in which this block is not: its first digit is 4" in found["modbus.block[0].address"]


def test_mistakes_speak_of_addresses_as_the_file_does():
    blocks = [{**PLANT, "address": 40001}, {**PLANT, "address": 40100}, {**PLANT, "address": 465500}]
    found = mistakes(addresses="4xxxx", block=blocks)
    assert (
        "holding registers 40100 to 40299, overlaps modbus.block[0] (unit 11, holding registers 40001 to 40200)"
        in (found["modbus.block[1]"])
    )
    assert "would end at 465699, the last register of a unit is 465536" in found["modbus.block[2].address"]


def test_an_address_that_is_refused_is_told_once():
    found = mistakes(
        addresses="4xxxx", point=[{**POINT, "address": 20001}, {**POINT, "address": 40001}, {**POINT, "address": 1}]
    )
    assert list(found) == ["modbus.point[0].address"]
