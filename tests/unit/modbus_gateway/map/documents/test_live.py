"""Registers that were read, decoded with quality and age."""

import json

from gateway_story import Gateway, dot, interval, status
from hypothesis import given
from hypothesis import strategies as st

from dotbus.runtime.installation.modbus import ByteOrder, RegisterType, Table, WordOrder
from modbus_gateway.map.documents.live import decode, live_json, live_table
from modbus_gateway.map.documents.live_cells import ReadCell, read_cells
from modbus_gateway.map.documents.rows import places_of
from modbus_gateway.map.form import DoesNotFit, Form, encode_value

NUMBERS = [kind for kind in RegisterType if kind not in (RegisterType.BIT, RegisterType.BOOL, RegisterType.STRING)]
PLANT = {"profile": "plant", "unit_id": 11, "resources": ["SOLAR"], "tables": ["holding"]}


def read(gateway: Gateway, now_s: float) -> list[ReadCell]:
    image = gateway.render(now_s)
    found = []
    for unit_id, table, cell in places_of(gateway.map):
        content = image.read_registers(unit_id, cell.address, cell.form.registers, table)
        is_read = isinstance(content, bytes)
        found.append(ReadCell(unit_id, table, cell, content if is_read else None, None if is_read else int(content)))
    return found


@given(st.sampled_from(NUMBERS), st.integers(-30000, 30000), st.sampled_from(WordOrder), st.sampled_from(ByteOrder))
def test_what_is_written_is_read_back_in_every_order(kind, value, words, order):
    form = Form(kind, words, byte_order=order)
    try:
        content = encode_value(value, form)
    except DoesNotFit:
        return
    assert decode(content, form) == value


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=9),
    st.sampled_from(ByteOrder),
)
def test_a_text_is_read_back(text, order):
    form = Form(RegisterType.STRING, byte_order=order, length=18)
    assert decode(encode_value(text, form), form) == text


@given(st.sampled_from([*NUMBERS, RegisterType.STRING]), st.sampled_from(WordOrder), st.sampled_from(ByteOrder))
def test_no_value_is_read_as_none(kind, words, order):
    form = Form(kind, words, byte_order=order, length=3)
    assert decode(form.no_value, form) is None


def test_scale_and_offset_are_taken_back():
    form = Form(RegisterType.INT16, scale=10.0, offset=-40.0)
    assert decode(encode_value(12.5, form), form) == 12.5


def test_each_value_is_told_with_its_quality_its_reasons_and_its_age():
    gateway = Gateway(block=[PLANT])
    gateway.hear(status(0), dot(interval(0, 12.5), interval(300, 101.0)))
    lines = {tuple(line.split()[1:3]): line for line in live_table(list(read_cells(read(gateway, 7)))).splitlines()[1:]}
    assert lines["40103", "dot_mw"].split() == ["11", "40103", "dot_mw", "SOLAR", "12.5", "MW", "192", "good", "none", "7", "s"]
    assert "101 MW" in lines["40135", "next_dot_mw"]
    assert "64 uncertain  out_of_limits" in lines["40135", "next_dot_mw"]
    assert "0 bad" in lines["40173", "lmp_active_usd_per_mwh"]
    assert "no value" in lines["40173", "lmp_active_usd_per_mwh"]
    assert "2026-10-13 12:05:00 UTC" in lines["40107", "dot_end"]


def test_a_float32_is_told_as_whoever_wrote_it_means_it():
    form = Form(RegisterType.FLOAT32)
    assert decode(encode_value(48.2, form), form) == 48.2


def test_programs_get_each_value_with_its_unit_its_quality_and_its_age():
    gateway = Gateway(block=[PLANT])
    gateway.hear(status(0), dot(interval(0, 12.5)))
    told = json.loads(live_json(list(read_cells(read(gateway, 7)))))
    (one,) = [one for one in told if one["what"] == "dot_mw"]
    assert one["address_4xxxx"] == "40103"
    assert one["registers"] == ["4148", "0000"]
    assert (one["value"], one["unit"], one["said"]) == (12.5, "MW", "12.5 MW")
    assert (one["quality"], one["reasons"], one["age_least_s"], one["age_most_s"]) == (192, [], 7, 7)
    (price,) = [one for one in told if one["what"] == "lmp_active_usd_per_mwh"]
    assert (price["value"], price["quality"], price["age_most_s"]) == (None, 0, None)
    assert "never_received" in price["reasons"]


def test_a_refusal_is_told_as_its_exception():
    gateway = Gateway(point=[{"unit_id": 1, "address": 0, "quantity": "dot_mw", "resource": "SOLAR", "on_bad": "exception"}])
    assert "exception 04" in live_table(list(read_cells(read(gateway, 0))))
    assert Table.HOLDING in {one.table for one in read(gateway, 0)}
