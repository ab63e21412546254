"""Encode: a reading to the words of its registers, as good as it is. Pure."""

from typing import Final

from dotbus.readings.reading import Reading
from dotbus.runtime.installation.modbus import OnBad, RegisterType
from modbus_gateway.map.form import DoesNotFit, Form, encode_value

ZERO: Final = b"0"
ONE: Final = b"1"
"""A bit stands in the image as a byte that says its digit."""


def encode_shown(reading: Reading, form: Form) -> bytes | None:
    """What stands in the image for a reading, None for a Modbus exception."""
    if form.type is not RegisterType.BIT:
        return encode_reading(reading, form, form.no_value)
    bit = encode_bit(reading, form)
    return None if bit is None else ONE if bit else ZERO


def nothing_shown(form: Form) -> bytes:
    """What stands in the image where there is nothing to show."""
    return ZERO if form.type is RegisterType.BIT else form.no_value


def encode_reading(reading: Reading, form: Form, held: bytes) -> bytes | None:
    """The bytes that a reading's registers show, None for a Modbus exception.

    Args:
        reading: the value and its quality. A value that does not fit has a bad one, unless no quality belongs to it.
        form: how to write it.
        held: what a bad value shows with `on_bad = "hold"`.
    """
    if reading.quality.is_bad:
        return _instead(form, held)
    if reading.value is None:
        return form.no_value
    try:
        return encode_value(reading.value, form)
    except DoesNotFit:
        return form.no_value


def encode_bit(reading: Reading, form: Form) -> bool | None:
    """The bit that a flag shows, None for a Modbus exception. A bad or absent flag is 0 at once: a bit cannot say more."""
    if reading.quality.is_bad:
        return None if form.on_bad is OnBad.EXCEPTION else False
    return bool(reading.value)


def _instead(form: Form, held: bytes) -> bytes | None:
    match form.on_bad:
        case OnBad.HOLD:
            return held
        case OnBad.EXCEPTION:
            return None
        case OnBad.VALUE if form.bad_value is not None:
            return encode_value(form.bad_value, form)
        case _:
            return form.no_value
