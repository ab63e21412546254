"""What a map lets SCADA write: where it stands, and every mistake in it at once."""

import re
import struct
from ipaddress import ip_network
from pathlib import Path

import pytest
from gateway_story import installation
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin

from dotbus.runtime.installation.file import InstallationFile, read_installation
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.modbus import ByteOrder, RegisterType, Table, WordOrder
from dotbus.runtime.installation.modbus_writes import is_within
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from modbus_gateway.map.checks.file_facts import FileFacts
from modbus_gateway.map.checks.write_check import never_written, not_of_plant
from modbus_gateway.map.documents.write_text import WRITES
from modbus_gateway.map.draft import check_draft, check_map, draft_map, read_map
from modbus_gateway.map.form import Form, encode_value
from modbus_gateway.map.writable import NoValue, read_words, show_words

POINT = {"unit_id": 1, "address": 1000, "resource": "BESS", "point": "actual_mw", "expires_after_s": 30}
COMMIT = {"unit_id": 1, "address": 1100}
BLOCK = {"profile": "plant", "unit_id": 1, "plants": ["sierra"]}
DATA = ModbusClientMixin.DATATYPE
ORACLE = {
    RegisterType.FLOAT32: DATA.FLOAT32,
    RegisterType.FLOAT64: DATA.FLOAT64,
    RegisterType.INT16: DATA.INT16,
    RegisterType.UINT16: DATA.UINT16,
    RegisterType.INT32: DATA.INT32,
    RegisterType.UINT32: DATA.UINT32,
    RegisterType.INT64: DATA.INT64,
    RegisterType.UINT64: DATA.UINT64,
}


def mistakes(**modbus: object) -> dict[str, str]:
    with pytest.raises(ConfigurationRefused) as refused:
        check_map(InstallationFile(installation(**modbus), "plant.toml"))
    return {mistake.key: mistake.reason for mistake in refused.value.mistakes}


def writable(**modbus: object):
    file: Installation = installation(**modbus)
    return check_draft(InstallationFile(file, "plant.toml")).writables


def test_nothing_is_writable_unless_it_is_declared():
    assert writable(block=[BLOCK]).is_empty


def test_a_point_stands_where_the_file_says_and_is_of_its_resources_plant():
    (point,) = writable(write=[{**POINT, "type": "int16", "scale": 10, "min": -60, "max": 60, "quality": True}]).points
    assert (point.place.start, point.place.end, point.place.table) == (1000, 1001, Table.HOLDING)
    assert (point.plant, point.key, point.unit) == ("sierra", ("BESS", "actual_mw"), "MW")


def test_a_map_that_only_takes_writes_serves_its_unit():
    register_map = read_map(installation(write=[POINT]))
    assert register_map.units == {1}
    assert register_map.hashes.keys() == {1}


@pytest.mark.parametrize("change", [{"address": 1002}, {"type": "int32"}, {"resource": "SOLAR"}, {"point": "available_mw"}])
def test_what_moves_of_the_written_registers_changes_the_hash_of_the_unit(change):
    assert read_map(installation(write=[POINT])).hashes != read_map(installation(write=[{**POINT, **change}])).hashes


def test_addresses_are_in_the_notation_of_the_file():
    coil = {**POINT, "address": "00011", "point": "agc_on"}
    found = writable(addresses="4xxxx", write=[{**POINT, "address": 41001}, coil])
    assert [(point.place.table, point.place.start) for point in found.points] == [(Table.HOLDING, 1000), (Table.COIL, 10)]
    assert "holding" in mistakes(addresses="4xxxx", write=[{**POINT, "address": 31001}])["modbus.write[0].address"]


def test_who_may_write_is_by_default_whom_the_gateway_allows():
    roles, own, usual = writable(
        allow_writes_from=["10.0.0.0/8"],
        write=[
            {**POINT, "roles": ["scada"]},
            {**POINT, "address": 1010, "point": "a", "roles": ["scada"], "allow_from": ["10.1.1.1"]},
            {**POINT, "address": 1020, "point": "b"},
        ],
    ).points
    assert (roles.writers.roles, roles.writers.networks) == ({"scada"}, ())
    assert (own.writers.roles, own.writers.networks) == ({"scada"}, (ip_network("10.1.1.1"),))
    assert (usual.writers.roles, usual.writers.networks) == (None, (ip_network("10.0.0.0/8"),))


@pytest.mark.parametrize(
    ("change", "key", "told"),
    [
        ({"resource": "BES"}, "resource", "did you mean 'BESS'"),
        ({"table": "input"}, "table", "cannot be written"),
        ({"table": "discrete"}, "table", "cannot be written"),
        ({"type": "string"}, "type", "a number or a flag"),
        ({"type": "int16", "scale": 1000, "max": 60}, "type", "cannot hold max, 60"),
        ({"type": "uint16", "min": -1}, "type", "cannot hold min, -1"),
        ({"min": 2, "max": 1}, "max", "below min"),
        ({"scale": 0}, "scale", "is not between"),
        ({"unit": "kW"}, "point", "its unit is MW"),
        ({"type": "bool"}, "point", "is a number"),
        ({"point": "agc_on", "type": "float32"}, "point", "true or false"),
        ({"point": "agc_on", "max": 1}, "max", "means nothing"),
        ({"table": "coil", "point": "x", "type": "int16"}, "type", "a coil is on or off"),
        ({"address": 65535}, "address", "does not end before"),
        ({"expires_after_s": None}, "expires_after_s", "is missing"),
        ({"commit": True}, "commit", "needs a [[modbus.commit]] at unit 1"),
        ({"roles": ["a", "a"]}, "roles", "named twice"),
    ],
)
def test_each_mistake_of_a_write_has_its_key_and_says_what_to_do(change, key, told):
    write = {name: value for name, value in {**POINT, **change}.items() if value is not None}
    assert told in mistakes(block=[BLOCK], write=[write])[f"modbus.write[0].{key}"]


def test_what_is_wrong_with_another_units_commit_hides_nothing_of_a_point(tmp_path):
    text = """environment = "production"
[[plant]]
name = "sierra"
resource = [{ id = "BESS" }]
[modbus]
allow_writes_from = ["127.0.0.1"]
[[modbus.write]]
unit_id = 1
address = 0
resource = "BESS"
point = "a"
commit = true
[[modbus.write]]
unit_id = 2
address = 0
resource = "BESS"
point = "b"
[[modbus.commit]]
unit_id = 2
address = 10
watchdog_s = 0
"""
    (tmp_path / "dotbus.toml").write_text(text)
    _, found = draft_map(read_installation(tmp_path / "dotbus.toml"))
    assert {mistake.key for mistake in found} == {"modbus.write[0].commit", "modbus.write[0].expires_after_s"}


def test_mistakes_are_told_all_at_once():
    found = mistakes(
        block=[BLOCK],
        write=[{**POINT, "resource": "X"}, {**POINT, "address": 1001, "point": "a_mw"}, {**POINT, "address": 10, "point": "b"}],
        commit=[COMMIT, {**COMMIT, "address": 1200}, {**COMMIT, "unit_id": 2}],
        answer=[{"unit_id": 1, "address": 2000, "resource": "Y"}],
    )
    assert found.keys() == {
        "modbus.write[0].resource",
        "modbus.write[1]",
        "modbus.write[2]",
        "modbus.commit[1].unit_id",
        "modbus.commit[2].unit_id",
        "modbus.answer[0].resource",
    }


def test_registers_that_are_written_overlap_none_that_are_read():
    found = mistakes(block=[BLOCK], write=[{**POINT, "address": 10}])
    assert any("overlaps" in reason for reason in found.values())
    assert not draft_map(InstallationFile(installation(block=[BLOCK], write=[{**POINT, "unit_id": 2, "address": 10}]), "f"))[1]


def test_a_point_has_one_place_and_so_one_writer():
    found = mistakes(block=[BLOCK], write=[POINT, {**POINT, "address": 1010}])
    assert "modbus.write[0] already" in found["modbus.write[1].point"]


def test_a_gateway_speaks_for_the_plant_that_it_is_called_after():
    facts = FileFacts(InstallationFile(installation(write=[POINT, {**POINT, "resource": "HYDRO"}]), "plant.toml"))
    (mistake,) = not_of_plant(facts, "sierra")
    assert mistake.key == "modbus.write[1].resource"
    assert "delta" in mistake.reason


def test_what_nobody_could_ever_write_is_a_mistake():
    lines = [{**POINT, "roles": ["operator", "viewer"]}, {**POINT, "address": 1010, "point": "a"}]
    facts = FileFacts(InstallationFile(installation(write=lines), "plant.toml"))
    assert [mistake.key for mistake in never_written(facts, ())] == [
        "modbus.write[0].roles",
        "modbus.write[0].roles",
        "modbus.write[1].allow_from",
    ]
    assert [mistake.reason[:8] for mistake in never_written(facts, ["operator"])] == ["'viewer'"]
    open_to_some = FileFacts(InstallationFile(installation(write=lines[1:], allow_writes_from=["10.0.0.0/8"]), "plant.toml"))
    assert list(never_written(open_to_some, ())) == []


def test_a_mistake_has_its_line_and_whose_it_is(tmp_path):
    path = tmp_path / "dotbus.toml"
    path.write_text(
        'environment = "simulator"\n[[plant]]\nname = "sierra"\n[[plant.resource]]\nid = "BESS"\n[modbus]\n'
        'accept_environments = ["simulator"]\nallow_writes_from = ["10.0.0.0/8"]\n[[modbus.write]]\nunit_id = 1\naddress = 0\n'
        'resource = "BESS"\npoint = "actual_mw"\nunit = "kW"\nexpires_after_s = 5.0\n'
    )
    _, (mistake,) = draft_map(read_installation(path))
    assert (mistake.line, mistake.whose) == (13, "plant sierra, resource BESS")


@pytest.mark.parametrize("network", ["10.0.0.1/8", "sierra", 5])
def test_what_is_no_network_is_refused(tmp_path, network):
    path = tmp_path / "dotbus.toml"
    path.write_text(
        'environment = "simulator"\n[[plant]]\nname = "sierra"\n[[plant.resource]]\nid = "BESS"\n[modbus]\n'
        f"allow_writes_from = [{network!r}]\n"
    )
    (mistake,) = read_installation(path).mistakes
    assert mistake.key == "modbus.allow_writes_from[0]"


def test_an_address_is_found_in_networks_whichever_way_it_is_written():
    networks = (ip_network("10.0.0.0/8"), ip_network("fe80::/10"))
    assert is_within("10.1.2.3", networks)
    assert is_within("::ffff:10.1.2.3", networks)
    assert is_within("fe80::1%eth0", networks)
    assert not is_within("11.1.2.3", networks)
    assert not is_within("", networks)


@given(
    kind=st.sampled_from(sorted(ORACLE)),
    word=st.sampled_from(WordOrder),
    byte=st.sampled_from(ByteOrder),
    number=st.integers(0, 32000),
    scale=st.sampled_from([1.0, 10.0, -1.0]),
    offset=st.sampled_from([0.0, 5.0]),
)
def test_words_are_read_as_others_write_them(kind, word, byte, number, scale, offset):
    if scale < 0 and kind.startswith("uint"):
        scale = 1.0
    form = Form(kind, word, scale=scale, offset=offset, byte_order=byte)
    raw = number if "int" in kind else float(number)
    registers = ModbusClientMixin.convert_to_registers(raw, ORACLE[kind], word_order=word.value)
    words = b"".join(one.to_bytes(2, byte.value) for one in registers)
    value = read_words(words, form)
    assert value == pytest.approx((number - offset) / scale)
    assert show_words(value, form) == words


@given(number=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_whatever_float_is_written_reads_back_as_it_was_written(number):
    words, form = struct.pack(">f", number), Form(RegisterType.FLOAT32)
    value = read_words(words, form)
    assert struct.unpack(">f", show_words(value, form)) == (number,)


@given(number=st.integers(-(2**63) + 1, 2**63 - 1))
def test_a_whole_number_reads_back_as_it_was_written_or_is_refused(number):
    words, form = number.to_bytes(8, signed=True), Form(RegisterType.INT64)
    value = read_words(words, form)
    assert isinstance(value, NoValue) or show_words(value, form) == words
    assert abs(number) > 2**53 or value == number


@pytest.mark.parametrize("number", [48.2, 0.1, 60.1, 1e30, -50.05])
def test_a_float_is_the_decimal_that_was_meant(number):
    assert read_words(struct.pack(">f", number), Form(RegisterType.FLOAT32)) == number


@pytest.mark.parametrize("kind", sorted(ORACLE))
@pytest.mark.parametrize("byte", ByteOrder)
@pytest.mark.parametrize("word", WordOrder)
def test_no_value_is_none_and_reads_back_as_it_was(kind, word, byte):
    form = Form(kind, word, byte_order=byte)
    assert isinstance(read_words(form.no_value, form), NoValue)
    assert show_words(None, form) == form.no_value


@pytest.mark.parametrize("words", ["7F800000", "FF800000", "7FC00001", "FFC00000"])
def test_what_is_not_finite_is_no_value(words):
    assert isinstance(read_words(bytes.fromhex(words), Form(RegisterType.FLOAT32)), NoValue)


def test_a_flag_in_a_register_is_1_or_0_and_nothing_else():
    form = Form(RegisterType.BOOL)
    assert [read_words(words, form) for words in (b"\0\1", b"\0\0")] == [True, False]
    assert isinstance(read_words(b"\0\2", form), NoValue)
    assert encode_value(1, form) == b"\0\1"


EXAMPLE = (Path(__file__).parents[4] / "config/dotbus.example.toml").read_text(encoding="utf-8")
DOCUMENTED = re.findall(r"```toml\n(.*?)```", WRITES, re.DOTALL)[0]
OF_EXAMPLE = "\n".join(
    re.findall(
        r"^# ((?:\[\[modbus\.(?:write|commit|answer)\]\]|[a-z_]+ = ).*)$",
        EXAMPLE.split("What SCADA may write")[1],
        re.MULTILINE,
    )
)


@pytest.mark.parametrize("lines", [DOCUMENTED.replace("[modbus]\n", "", 1), OF_EXAMPLE], ids=["registers.md", "example"])
def test_what_the_documents_show_is_a_map_of_the_example(tmp_path, lines):
    first, *more = lines.split("[[modbus.write]]", 1)
    path = tmp_path / "dotbus.toml"
    path.write_text(EXAMPLE.replace("[modbus]\n", f"[modbus]\n{first}", 1) + "[[modbus.write]]" + "".join(more))
    found = read_installation(path)
    assert found.mistakes == ()
    assert check_draft(found).writables.plants == {"sierra"}
    assert found.installation.modbus.allow_writes_from == (ip_network("10.20.0.0/24"),)
