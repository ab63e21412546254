import contextlib
import math
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin

from dotbus.contracts.quality import Level, Quality, Reason
from dotbus.readings.reading import Reading
from dotbus.runtime.installation.modbus import OnBad, RegisterType, WordOrder
from modbus_gateway.map.form import DoesNotFit, Form, encode_value
from modbus_gateway.values.fitting import fits
from modbus_gateway.wire.images.encode import encode_bit, encode_reading

BAD = Quality.of([Reason.STALE])
UNCERTAIN = Quality.of([Reason.SOURCE_FAILING])
WIDE = [RegisterType.FLOAT32, RegisterType.UINT32, RegisterType.INT32]
NUMBERS = [*WIDE, RegisterType.UINT16, RegisterType.INT16]


def words(content: bytes) -> list[int]:
    return [int.from_bytes(content[i : i + 2], "big") for i in range(0, len(content), 2)]


def pymodbus_words(value: float, kind: RegisterType, order: WordOrder) -> list[int]:
    datatype = getattr(ModbusClientMixin.DATATYPE, kind.name)
    number = value if kind is RegisterType.FLOAT32 else int(value)
    return ModbusClientMixin.convert_to_registers(number, datatype, word_order=order.value)


def test_the_classic_map_writes_12_5_mw_low_word_first():
    assert words(encode_value(12.5, Form(RegisterType.FLOAT32, WordOrder.LITTLE))) == [0x0000, 0x4148]


def test_big_order_writes_the_high_word_first():
    assert words(encode_value(12.5, Form(RegisterType.FLOAT32))) == [0x4148, 0x0000]
    assert words(encode_value(0x0001_0203, Form(RegisterType.UINT32))) == [0x0001, 0x0203]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(WordOrder))
def test_floats_are_written_as_pymodbus_writes_them(value, order):
    assert words(encode_value(value, Form(RegisterType.FLOAT32, order))) == pymodbus_words(value, RegisterType.FLOAT32, order)


@given(st.integers(-0x7FFF, 0x7FFF), st.sampled_from(WordOrder), st.sampled_from([RegisterType.INT16, RegisterType.INT32]))
def test_integers_are_written_as_pymodbus_writes_them(value, order, kind):
    assert words(encode_value(value, Form(kind, order))) == pymodbus_words(value, kind, order)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (RegisterType.UINT16, -1),
        (RegisterType.UINT16, 0xFFFF),
        (RegisterType.INT16, 0x8000),
        (RegisterType.INT16, -0x8000),
        (RegisterType.UINT32, 0xFFFF_FFFF),
        (RegisterType.INT32, -0x8000_0000),
        (RegisterType.FLOAT32, 1e39),
        (RegisterType.FLOAT32, math.nan),
        (RegisterType.INT32, math.inf),
    ],
)
def test_a_number_that_does_not_fit_is_refused_not_wrapped(kind, value):
    with pytest.raises(DoesNotFit):
        encode_value(value, Form(kind))
    assert not fits(Reading(value), Form(kind))
    assert fits(Reading(value, BAD), Form(kind)), "nobody is shown it"


@pytest.mark.parametrize(
    ("value", "scale", "shown"),
    [
        (12.345, 100, 1235),
        (12.344, 100, 1234),
        (0.5, 1, 1),
        (-0.5, 1, -1),
        (1.5, 1, 2),
        (2.5, 1, 3),
        (-12.25, 10, -123),
        (2.675, 100, 268),
    ],
)
def test_an_integer_shows_the_value_times_its_scale_rounded_half_away_from_zero(value, scale, shown):
    assert words(encode_value(value, Form(RegisterType.INT16, scale=scale))) == [shown % 0x10000]


@given(st.decimals(-3000, 3000, places=4), st.sampled_from([1, 10, 0.1, -1]))
def test_rounding_is_that_of_decimal_arithmetic(value, scale):
    expected = int((value * Decimal(str(scale))).to_integral_value(ROUND_HALF_UP))
    assert words(encode_value(float(value), Form(RegisterType.INT16, scale=scale))) == [expected % 0x10000]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (RegisterType.FLOAT32, [0x7FC0, 0x0000]),
        (RegisterType.UINT16, [0xFFFF]),
        (RegisterType.INT16, [0x8000]),
        (RegisterType.UINT32, [0xFFFF, 0xFFFF]),
        (RegisterType.INT32, [0x8000, 0x0000]),
    ],
)
def test_what_is_absent_shows_no_value_whatever_bad_shows(kind, expected):
    for on_bad in (OnBad.HOLD, OnBad.NAN, OnBad.EXCEPTION):
        assert words(encode_reading(Reading(None), Form(kind, on_bad=on_bad), b"held") or b"") == expected


def test_a_bad_value_shows_what_was_chosen():
    reading = Reading(12.5, BAD)
    assert encode_reading(reading, Form(RegisterType.FLOAT32, on_bad=OnBad.HOLD), b"held") == b"held"
    assert words(encode_reading(reading, Form(RegisterType.FLOAT32, on_bad=OnBad.NAN), b"held") or b"") == [0x7FC0, 0]
    assert encode_reading(reading, Form(RegisterType.FLOAT32, on_bad=OnBad.EXCEPTION), b"held") is None
    chosen = Form(RegisterType.INT16, on_bad=OnBad.VALUE, bad_value=-1, scale=10)
    assert words(encode_reading(reading, chosen, b"held") or b"") == [0x10000 - 10]


@pytest.mark.parametrize("on_bad", OnBad)
def test_an_uncertain_value_is_still_shown(on_bad):
    form = Form(RegisterType.FLOAT32, on_bad=on_bad, bad_value=0.0)
    assert words(encode_reading(Reading(12.5, UNCERTAIN), form, b"held") or b"") == [0x4148, 0]


def test_a_bad_flag_is_0_at_once_even_when_values_are_held():
    held = Form(RegisterType.BIT, on_bad=OnBad.HOLD)
    assert encode_bit(Reading(1), held) is True
    assert encode_bit(Reading(1, BAD), held) is False
    assert encode_bit(Reading(None), held) is False
    assert encode_bit(Reading(1, BAD), Form(RegisterType.BIT, on_bad=OnBad.EXCEPTION)) is None


ANY_NUMBERS = st.one_of(st.integers(), st.booleans(), st.floats(), st.sampled_from(list(Level)), st.integers(10**300, 10**320))


@given(ANY_NUMBERS, st.sampled_from(NUMBERS), st.floats(allow_nan=False, allow_infinity=False))
def test_whatever_number_comes_it_is_written_or_does_not_fit(number, kind, scale):
    with contextlib.suppress(DoesNotFit):
        assert len(encode_value(number, Form(kind, scale=scale))) == 2 * Form(kind).registers
