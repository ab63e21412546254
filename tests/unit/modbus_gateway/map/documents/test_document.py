"""The register map as a document, and a table of registers as a map."""

import csv
import io
import json
import tomllib
from dataclasses import replace

import pytest
from gateway_story import installation
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.modbus import Addresses, Table, WordOrder
from dotbus.runtime.process import command_line
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from modbus_gateway.map.documents.document import Format, as_csv, write_document
from modbus_gateway.map.documents.imports import import_lines
from modbus_gateway.map.documents.rows import COLUMNS, Row, places_of, rows_of
from modbus_gateway.map.documents.tags import Reader, as_ignition, as_kepware, mbpoll_line, write_tags
from modbus_gateway.map.draft import read_map
from modbus_gateway.map.quantities import QUANTITIES, Scope
from modbus_gateway.map.register_map import Cell, RegisterMap
from modbus_gateway.map_commands import add_map_commands

PLANT = {"profile": "plant", "unit_id": 11, "plants": ["sierra"]}
CLASSIC = {"profile": "classic", "unit_id": 1, "plants": ["sierra"]}
FIELD = {"topic": "dot", "path": "intervals[0].instruction_uid", "resource": "SOLAR", "length": 10}
DOT = {"unit_id": 20, "address": 102, "quantity": "dot_mw", "resource": "SOLAR"}
KINDS = ("float32", "float64", "int16", "int32", "int64", "uint16", "uint32", "uint64")


def rows(**modbus: object) -> list[Row]:
    place = installation(**modbus)
    return rows_of(read_map(place), place)


def imported(text: str, notation: Addresses = Addresses.FROM_0) -> Installation:
    toml, mistakes = import_lines(text, "map.csv", notation)
    assert mistakes == []
    assert f'addresses = "{notation}"' in toml.splitlines()[0]
    return installation(addresses=notation, point=tomllib.loads(toml)["modbus"]["point"])


def cells(register_map: RegisterMap) -> dict[tuple[int, Table, int], Cell]:
    """What stands where."""
    return {(unit_id, table, cell.address): as_read(cell) for unit_id, table, cell in places_of(register_map)}


def as_read(cell: Cell) -> Cell:
    """Without what nothing is read from: the order of words of one register or bit, prices beside a flag of trajectories."""
    form = cell.form if cell.form.registers > 1 else replace(cell.form, word_order=WordOrder.BIG)
    about = replace(cell.about, prices=()) if cell.quantity.name in ("dots_fresh", "trajectories_fresh") else cell.about
    return replace(cell, form=form, about=about)


def mistakes(text: str) -> list[str]:
    return [str(mistake) for mistake in import_lines(text, "map.csv")[1]]


@st.composite
def points(draw: st.DrawFn) -> dict[str, object]:
    quantity = draw(st.sampled_from([one for one in QUANTITIES.values() if one.scope is Scope.RESOURCE]))
    point: dict[str, object] = {"quantity": quantity.name, "resource": draw(st.sampled_from(["SOLAR", "BESS", "HYDRO"]))}
    point["table"] = draw(st.sampled_from(["holding", "input"]))
    point["word_order"], point["byte_order"] = draw(st.tuples(*[st.sampled_from(["big", "little"])] * 2))
    if quantity.is_measured:
        point["type"] = draw(st.sampled_from(KINDS))
        point["scale"] = draw(st.sampled_from([1.0, 10.0, 2.5, -100.0]))
        point["offset"] = draw(st.sampled_from([0.0, 0.5, -40.0]))
        point["unit"] = draw(st.sampled_from(["MW", "100 kW", 'of "power"', "Ω, or \\"]))
        point["min"], point["max"] = draw(st.sampled_from([(-5.0, 9.5), (0.0, 100.0)]))
        point["on_bad"] = draw(st.sampled_from(["nan", "exception", "hold"]))
    if quantity.told_by:
        point["stale_after_s"] = draw(st.sampled_from([1.5, 90.0]))
    return point


@given(st.lists(points(), min_size=1, max_size=8), st.sampled_from(Addresses), st.integers(0, 65400))
def test_a_map_comes_back_from_its_csv_as_it_was_in_each_notation(drawn, notation, first):
    given_points = [{**point, "unit_id": i % 3, "address": first + 10 * i} for i, point in enumerate(drawn)]
    try:
        place = installation(point=given_points)
        before = read_map(place)
    except ConfigurationRefused:
        return  # a map that nobody would be served
    assert cells(read_map(imported(as_csv(rows_of(before, place)), notation))) == cells(before)


@pytest.mark.parametrize("notation", Addresses)
@pytest.mark.parametrize(
    "modbus", [{"block": [PLANT]}, {"block": [CLASSIC]}, {"point": [{**FIELD, "unit_id": 1, "address": 0}]}]
)
def test_profiles_and_fields_come_back_from_their_csv(modbus, notation):
    place = installation(**modbus)
    before = read_map(place)
    after = cells(read_map(imported(as_csv(rows_of(before, place)), notation)))
    assert after.keys() == cells(before).keys()
    assert [cell for place, cell in cells(before).items() if after[place] != cell] == []


def test_a_spreadsheet_with_classic_addresses_alone_names_its_tables_by_them():
    text = (
        "unit_id,address_4xxxx,quantity,resource\n1,40103,dot_mw,SOLAR\n1,300005,dot_start,SOLAR\n1,000009,broker_connected,\n"
    )
    assert {(table, address) for _, table, address in cells(read_map(imported(text)))} == {
        (Table.HOLDING, 102),
        (Table.INPUT, 4),
        (Table.COIL, 8),
    }


def test_every_mistake_of_a_csv_is_told_with_its_line():
    columns = "unit_id,address,quantity,resource,scale,table\n"
    text = f"{columns}1,0,dot_mw,SOLAR,much,\n\n300,x,dot_mw,BESS,,\n1,4,dot_mw,BESS,1,holdin\n"
    assert mistakes(text) == [
        "map.csv: scale: 'much' is no number (line 2, SOLAR)",
        "map.csv: address: 'x' is no address (line 4, BESS)",
        "map.csv: unit_id: must be less than or equal to 255 (line 4, BESS)",
        "map.csv: table: must be 'holding', 'input', 'discrete' or 'coil' (line 5, BESS)",
    ]


def test_one_mistake_of_a_line_hides_no_other_one():
    columns = "unit_id,address_4xxxx,quantity,resource,type,word_order\n"
    text = f"{columns}abc,40009,dot_mw,BESS,int16,sideways\n1,x,nothing,BESS,float32,\n1,40005,dot_nw,BESS,,\n"
    told = mistakes(text)
    assert [one.partition(": ")[2].partition(":")[0] for one in told] == ["unit_id", "word_order", "address_4xxxx", "quantity"]


def test_lines_that_stand_at_one_address_are_told_with_the_other_line():
    text = "unit_id,address,quantity,resource\n1,0,dot_mw,BESS\n2,0,dot_mw,BESS\n1,1,dot_quality,BESS\n1,2,dot_quality,BESS\n"
    assert mistakes(text) == ["map.csv: address: overlaps with what line 2 has there (line 4, BESS)"]


def test_a_spreadsheet_that_writes_semicolons_is_read_too():
    place = imported("unit_id;address;quantity\r\n1;5;broker_connected\r\n")
    assert set(cells(read_map(place))) == {(1, Table.HOLDING, 5)}


def test_columns_that_are_not_known_or_missing_are_told_and_nothing_is_read():
    assert mistakes("adress,quantty\n1,dot_mw\n") == [
        "map.csv: adress: is no column; did you mean 'address'? (line 1)",
        "map.csv: quantty: is no column; did you mean 'quantity'? (line 1)",
        "map.csv: unit_id: is missing: each register has a unit id (line 1)",
        "map.csv: address: is missing: give one of address, address_1_based, address_4xxxx (line 1)",
    ]
    assert mistakes("")[0].startswith("map.csv: unit_id: is missing")


def test_what_is_about_several_plants_or_some_resources_comes_back():
    blocks = [{**CLASSIC, "plants": ["sierra", "delta"]}, {"profile": "plant", "unit_id": 11, "resources": ["BESS", "SOLAR"]}]
    place = installation(block=blocks)
    before = read_map(place)
    assert cells(read_map(imported(as_csv(rows_of(before, place))))) == cells(before)


def test_a_row_tells_all_three_addresses_the_order_and_what_bad_shows():
    (row,) = rows(point=[{**DOT, "word_order": "little", "byte_order": "little", "table": "input", "on_bad": "exception"}])
    assert (row.address, row.address_1_based, row.address_4xxxx) == (102, 103, "30103")
    assert (row.swap, row.bad_shows, row.counts_in) == ("DCBA", "exception 04", "MW")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "NaN"),
        ({"type": "int16"}, "0x8000"),
        ({"on_bad": "value", "bad_value": -9.5}, "-9.5"),
        ({"quantity": "dot_quality"}, "never bad"),
        ({"quantity": "must_follow", "resource": "BESS", "table": "coil"}, "0"),
        ({"quantity": "must_follow", "resource": "BESS", "type": "bool"}, "0"),
    ],
)
def test_what_bad_shows_is_told_as_registers_show_it(changed, expected):
    (row,) = rows(point=[{**DOT, **changed}])
    assert row.bad_shows == expected


def test_csv_and_json_say_the_same():
    found = rows(block=[CLASSIC])
    listed = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert list(listed[0]) == list(COLUMNS)
    objects = json.loads(write_document(found, Format.JSON))
    assert [{name: str(value) for name, value in one.items()} for one in objects] == [
        {name: value for name, value in one.items() if value or name in objects[i]} for i, one in enumerate(listed)
    ]


def test_markdown_and_table_have_a_line_for_each_row():
    found = rows(block=[CLASSIC])
    assert len(write_document(found, Format.MARKDOWN).splitlines()) == len(found) + 2
    table = write_document(found, Format.TABLE).splitlines()
    assert len(table) == len(found) + 1
    assert table[1].split()[:5] == ["1", "holding", "0", "1", "40001"]


@pytest.mark.parametrize(
    ("changed", "item"),
    [
        ({}, "20.HRF103"),
        ({"type": "uint16"}, "20.HRUS103"),
        ({"type": "int64"}, "20.HRI_64103"),
        ({"type": "float64", "table": "input"}, "20.IRD103"),
        ({"quantity": "must_follow", "table": "coil"}, "20.C103"),
        ({"quantity": "must_follow", "table": "discrete"}, "20.DI103"),
    ],
)
def test_ignition_asks_for_the_type_at_an_address_from_1_of_the_unit(changed, item):
    tags = json.loads(as_ignition(rows(point=[{**DOT, "resource": "HYDRO", **changed}]), "plant"))["tags"]
    assert tags[0]["name"] == "unit 20"
    assert tags[0]["tags"][0]["name"] == "HYDRO"
    assert tags[0]["tags"][0]["tags"][0]["opcItemPath"] == f"ns=1;s=[plant]{item}"


def test_ignition_and_kepware_have_a_text_with_its_length_in_bytes():
    found = rows(point=[{**FIELD, "unit_id": 20, "address": 0}])
    assert "20.HRS1:20" in as_ignition(found, "plant")
    assert "400001.20H,String" in as_kepware(found)


def test_kepware_has_the_columns_of_its_own_export_and_six_digits():
    (tag,) = csv.DictReader(io.StringIO(as_kepware(rows(point=[{**DOT, "type": "uint32", "unit": "kW", "scale": 1000.0}]))))
    assert (tag["Tag Name"], tag["Address"], tag["Data Type"], tag["Client Access"]) == (
        "SOLAR.dot_mw_holding",
        "400103",
        "DWord",
        "RO",
    )
    assert tag["Eng Units"] == "kW"
    assert "register = value x 1000 + 0" in tag["Description"]
    assert tag["Negate Value"] == ""


@pytest.mark.parametrize(
    ("changed", "how"),
    [
        ({}, "-c 1 -t 4:float -B"),
        ({"word_order": "little"}, "-c 1 -t 4:float"),
        ({"type": "int32", "table": "input"}, "-c 1 -t 3:int -B"),
        ({"type": "int16"}, "-c 1 -t 4"),
        ({"type": "float64"}, "-c 4 -t 4:hex"),
        ({"byte_order": "little"}, "-c 2 -t 4:hex"),
        ({"quantity": "must_follow", "table": "coil"}, "-c 1 -t 0"),
        ({"quantity": "must_follow", "table": "discrete"}, "-c 1 -t 1"),
    ],
)
def test_mbpoll_is_told_how_to_read_what_it_knows_and_reads_the_rest_in_hex(changed, how):
    (row,) = rows(point=[{**DOT, "resource": "HYDRO", **changed}])
    line = mbpoll_line(row, "10.0.0.5", 502) or ""
    assert line.startswith(f"mbpoll -m tcp -p 502 -a 20 -r 103 {how} -1 10.0.0.5  # ")


def test_no_two_tags_of_a_unit_have_one_name_whatever_the_case():
    twice = [{**DOT, "address": 10}, DOT, {**DOT, "address": 200, "type": "int16"}, {**DOT, "table": "input"}]
    found = rows(point=[*twice, {**FIELD, "unit_id": 20, "address": 300}, {**FIELD, "unit_id": 20, "address": 320}])
    names = [tag["Tag Name"] for tag in csv.DictReader(io.StringIO(as_kepware(found)))]
    assert len({name.casefold() for name in names}) == len(found)
    assert {"SOLAR.dot_mw_holding_11", "SOLAR.dot_mw_holding_103", "SOLAR.dot_mw_input"} < set(names)
    (unit,) = json.loads(as_ignition(found, "plant"))["tags"]
    (folder,) = unit["tags"]
    assert len({tag["name"].casefold() for tag in folder["tags"]}) == len(found)


def test_resources_that_a_tag_cannot_tell_apart_have_their_addresses_in_it():
    found = rows(point=[{**DOT, "address": 10}, DOT])
    alike = [replace(row, resource=name) for row, name in zip(found, ("A.1", "a 1"), strict=True)]
    names = [tag["Tag Name"] for tag in csv.DictReader(io.StringIO(as_kepware(alike)))]
    assert names == ["A_1.dot_mw_holding_11", "a_1.dot_mw_holding_103"]


def test_every_row_of_every_profile_is_written_for_every_reader():
    found = rows(block=[PLANT, CLASSIC])
    for reader in Reader:
        text = write_tags(found, reader, "d", "h", 502)
        assert len(json.loads(text)["tags"]) == 2 if reader is Reader.IGNITION else len(text.splitlines()) >= len(found)


TOML = """environment = "production"
[[plant]]
name = "sierra"
resource = [{ id = "SOLAR" }]
[[modbus.point]]
unit_id = 1
address = 102
quantity = "dot_mw"
resource = "SOLAR"
[[modbus.point]]
unit_id = 2
address = 102
quantity = "broker_connected"
"""


def test_the_commands_print_the_map_and_read_it_back(tmp_path):
    app = command_line("test")
    add_map_commands(app)
    config, table = tmp_path / "dotbus.toml", tmp_path / "map.csv"
    config.write_text(TOML)
    shown = CliRunner().invoke(app, ["map", "--config", str(config), "--format", "csv"])
    table.write_text(shown.output)
    back = CliRunner().invoke(app, ["import-map", str(table)])
    assert tomllib.loads(back.output)["modbus"]["point"][1] == {
        "unit_id": 2,
        "address": 102,
        "quantity": "broker_connected",
        "type": "uint16",
    }
    several = CliRunner().invoke(app, ["map", "--config", str(config), "--for", "kepware"])
    assert (several.exit_code, "name one by --unit, of 1, 2" in several.output) == (2, True)
    one = CliRunner().invoke(app, ["map", "--config", str(config), "--for", "mbpoll", "--unit", "2"])
    assert one.output.count("mbpoll") == 1
    table.write_text("unit_id\n1\n")
    refused = CliRunner().invoke(app, ["import-map", str(table)])
    assert (refused.exit_code, "address: is missing" in refused.output) == (2, True)


CELLS = (
    st.sampled_from(["", "1", "-1", "0.5", "1e999", "nan", "9" * 5000, "40001", "\0", '"', "a\nb", "true", "dot_mw", "SOLAR"])
    | st.text()
)


@given(st.text() | st.just("unit_id,address,quantity\n"), st.sampled_from(Addresses))
def test_whatever_a_file_holds_it_is_read_or_its_mistakes_are_told(text, notation):
    import_lines(text, "map.csv", notation)


@given(st.lists(st.sampled_from(COLUMNS), unique=True), st.lists(st.lists(CELLS, max_size=8), max_size=3))
def test_whatever_stands_in_a_column_it_is_read_or_told_with_its_line(columns, lines):
    names = list(dict.fromkeys(["unit_id", "address", "quantity", *columns]))
    text = io.StringIO()
    csv.writer(text).writerows([names, *lines])
    toml, found = import_lines(text.getvalue(), "map.csv")
    assert all(mistake.line for mistake in found)
    if not found:
        tomllib.loads(toml)
