"""How values stand in registers, held against pymodbus, which knows nothing of ours."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin

from dotbus.runtime.installation.modbus import ByteOrder, RegisterType, WordOrder
from modbus_gateway.map.form import DoesNotFit, Form, carries, encode_value, number_shown

FLOATS = {
    RegisterType.FLOAT32: st.floats(width=32, allow_nan=False, allow_infinity=False),
    RegisterType.FLOAT64: st.floats(allow_nan=False, allow_infinity=False),
}
INTEGERS = {
    RegisterType.UINT16: (0, 0xFFFE),
    RegisterType.INT16: (-0x7FFF, 0x7FFF),
    RegisterType.UINT32: (0, 0xFFFF_FFFE),
    RegisterType.INT32: (-0x7FFF_FFFF, 0x7FFF_FFFF),
    RegisterType.UINT64: (0, 2**64 - 2),
    RegisterType.INT64: (1 - 2**63, 2**63 - 1),
    RegisterType.BITS: (0, 0xFFFE),
    RegisterType.BOOL: (0, 1),
}
DATATYPE = {RegisterType.BITS: "UINT16", RegisterType.BOOL: "UINT16"}
NUMBERS = st.one_of(
    *(values.map(lambda value, kind=kind: (kind, value)) for kind, values in FLOATS.items()),
    *(st.integers(*limits).map(lambda value, kind=kind: (kind, value)) for kind, limits in INTEGERS.items()),
)
ORDERS = st.tuples(st.sampled_from(WordOrder), st.sampled_from(ByteOrder))
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


def as_pymodbus_reads(content: bytes, kind: RegisterType, words: WordOrder, order: ByteOrder) -> float | str:
    """The number in registers, by a client that was told the orders. Of the order of bytes pymodbus knows nothing."""
    layout = ">H" if order is ByteOrder.BIG else "<H"
    registers = [number for (number,) in struct.iter_unpack(layout, content)]
    datatype = ModbusClientMixin.DATATYPE[DATATYPE.get(kind, kind.name)]
    value = ModbusClientMixin.convert_from_registers(registers, datatype, word_order=words.value)
    assert isinstance(value, int | float | str)
    return value


@given(NUMBERS, ORDERS)
def test_pymodbus_reads_every_number_back_in_each_of_the_four_orders(number, orders):
    (kind, value), (words, order) = number, orders
    content = encode_value(value, Form(kind, words, byte_order=order))
    assert as_pymodbus_reads(content, kind, words, order) == value


@given(NUMBERS, ORDERS)
def test_pymodbus_writes_every_number_with_the_same_words(number, orders):
    (kind, value), (words, order) = number, orders
    datatype = ModbusClientMixin.DATATYPE[DATATYPE.get(kind, kind.name)]
    registers = ModbusClientMixin.convert_to_registers(value, datatype, word_order=words.value)
    content = encode_value(value, Form(kind, words, byte_order=order))
    assert content == b"".join(one.to_bytes(2, order.value) for one in registers)


@pytest.mark.parametrize(
    ("words", "order", "expected"),
    [("big", "big", "ABCD"), ("little", "big", "CDAB"), ("big", "little", "BADC"), ("little", "little", "DCBA")],
)
def test_the_four_orders_of_a_32_bit_number_are_those_that_scada_packages_name(words, order, expected):
    form = Form(RegisterType.UINT32, WordOrder(words), byte_order=ByteOrder(order))
    assert encode_value(int.from_bytes(b"ABCD", "big"), form) == expected.encode()


@given(TEXTS, ORDERS)
def test_a_string_is_utf8_with_zeros_behind_it_whatever_the_order_of_words(text, orders):
    words, order = orders
    form = Form(RegisterType.STRING, words, byte_order=order, length=24)
    content = encode_value(text, form)
    assert len(content) == 48
    assert as_pymodbus_reads(content, RegisterType.STRING, WordOrder.BIG, order) == text


@pytest.mark.parametrize("text", ["12345", "ab\0c", "\ud800", "äöü"])
def test_a_string_that_is_too_long_or_no_text_is_refused_not_cut(text):
    with pytest.raises(DoesNotFit):
        encode_value(text, Form(RegisterType.STRING, length=2))


def test_a_number_is_no_text_and_text_no_number():
    with pytest.raises(DoesNotFit):
        number_shown(0.0, Form(RegisterType.STRING, length=2))
    assert not carries(Form(RegisterType.STRING, length=2), 1)
    assert not carries(Form(RegisterType.INT64), "1")


@pytest.mark.parametrize(
    ("kind", "nothing"),
    [
        (RegisterType.FLOAT64, "7ff8000000000000"),
        (RegisterType.UINT64, "ffffffffffffffff"),
        (RegisterType.INT64, "8000000000000000"),
        (RegisterType.BITS, "ffff"),
        (RegisterType.BOOL, "0000"),
        (RegisterType.STRING, "00000000"),
    ],
)
def test_what_is_absent_has_a_pattern_of_its_own_but_where_there_is_no_third_state(kind, nothing):
    assert Form(kind, length=2).no_value.hex() == nothing


@pytest.mark.parametrize(
    ("kind", "value"),
    [(RegisterType.UINT64, 2**64 - 1), (RegisterType.INT64, -(2**63)), (RegisterType.BITS, 0xFFFF), (RegisterType.BOOL, 2)],
)
def test_the_patterns_of_no_value_are_never_a_value(kind, value):
    assert not carries(Form(kind), value)


@given(st.integers(-(10**6), 10**6), st.sampled_from([0.1, 1.0, 10.0, -2.0]), st.sampled_from([0.0, 0.5, -40.0, 273.15]))
def test_a_register_shows_the_value_times_its_scale_plus_its_offset(value, scale, offset):
    form = Form(RegisterType.FLOAT64, scale=scale, offset=offset)
    assert number_shown(value, form) == pytest.approx(value * scale + offset)
