"""Form: how a number stands in registers, and which numbers they cannot carry. Pure.

32-bit values are two registers. BIG (ABCD) puts the high word first, LITTLE (CDAB) the low word; inside a word the high byte
is always first. 12.5 as LITTLE float32 is [0x0000, 0x4148].

"No value" is NaN for float32 and, as SunSpec and others have it, 0xFFFF, 0x8000, 0xFFFFFFFF and 0x80000000 for uint16, int16,
uint32 and int32. These patterns are never a value.
"""

import math
import struct
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import Final

from dotbus.runtime.installation.modbus import OnBad, RegisterType, WordOrder


class DoesNotFit(ValueError):
    """A number that its register type cannot carry. It is never wrapped or clipped: its quality is bad."""


@dataclass(frozen=True)
class Form:
    """How a value is written, and what is written in place of a bad one."""

    type: RegisterType
    word_order: WordOrder = WordOrder.BIG
    on_bad: OnBad = OnBad.NAN
    bad_value: float | None = None
    scale: float = 1.0

    @cached_property
    def registers(self) -> int:
        """How many registers (or bits) the value takes."""
        return 2 if self.type in _WIDE else 1

    @cached_property
    def layout(self) -> struct.Struct:
        """How its number is packed, before the words are put into their order."""
        return struct.Struct(_FORMAT[self.type])

    @cached_property
    def no_value(self) -> bytes:
        """What a register shows when there is nothing to show."""
        return _in_order(_NO_VALUE[self.type], self.word_order)


_WIDE: Final = frozenset({RegisterType.FLOAT32, RegisterType.UINT32, RegisterType.INT32})
_FORMAT: Final = {
    RegisterType.FLOAT32: ">f",
    RegisterType.UINT16: ">H",
    RegisterType.INT16: ">h",
    RegisterType.UINT32: ">I",
    RegisterType.INT32: ">i",
}
_RANGE: Final = {
    RegisterType.UINT16: (0, 0xFFFE),
    RegisterType.INT16: (-0x7FFF, 0x7FFF),
    RegisterType.UINT32: (0, 0xFFFF_FFFE),
    RegisterType.INT32: (-0x7FFF_FFFF, 0x7FFF_FFFF),
}
_DIGITS_MOST: Final = 20
"""More than any integer type has; a number with more digits needs no rounding to be refused."""
_NO_VALUE: Final = {
    RegisterType.FLOAT32: bytes.fromhex("7FC00000"),
    RegisterType.UINT16: bytes.fromhex("FFFF"),
    RegisterType.INT16: bytes.fromhex("8000"),
    RegisterType.UINT32: bytes.fromhex("FFFFFFFF"),
    RegisterType.INT32: bytes.fromhex("80000000"),
}


def encode_value(value: float, form: Form) -> bytes:
    """The bytes of a number, as they stand in the reply.

    Raises:
        DoesNotFit: it is not finite, too large for the type, or would read as "no value".
    """
    return _in_order(_packed(value, form), form.word_order)


def number_shown(value: float, form: Form) -> float:
    """The number that SCADA reads where a value is written: scaled and rounded, for float32 to the nearest that it has.

    Raises:
        DoesNotFit: as `encode_value` does.
    """
    (number,) = form.layout.unpack(_packed(value, form))
    return float(number)


def carries(form: Form, value: float) -> bool:
    """Whether registers of a form can show a value."""
    if form.type is RegisterType.BIT:
        return True
    try:
        encode_value(value, form)
    except DoesNotFit:
        return False
    return True


def _packed(value: float, form: Form) -> bytes:
    try:
        scaled = value * form.scale
        if not math.isfinite(scaled):
            raise DoesNotFit(f"{value} times {form.scale:g} is not a finite number")
        number = scaled if form.type is RegisterType.FLOAT32 else _whole(value, form)
        return form.layout.pack(number)
    except OverflowError as error:
        raise DoesNotFit(f"the value is too large for {form.type}") from error


def _whole(value: float, form: Form) -> int:
    """A scaled value rounded as on paper, half away from zero: 0.125 times 100 is 13, and 2.675 times 100 is 268."""
    plain = int(value) if isinstance(value, int) else float(value)  # a flag or a level is written as its number, not its name
    number = plain if isinstance(plain, int) and form.scale == 1 else _rounded(Decimal(repr(plain)) * Decimal(repr(form.scale)))
    least, most = _RANGE[form.type]
    if not least <= number <= most:
        raise DoesNotFit(f"{number} is outside {least} to {most} of {form.type}")
    return number


def _rounded(number: Decimal) -> int:
    return int(number.quantize(Decimal(1), ROUND_HALF_UP) if number.adjusted() < _DIGITS_MOST else number)


def _in_order(packed: bytes, word_order: WordOrder) -> bytes:
    return packed if word_order is WordOrder.BIG else packed[2:] + packed[:2]
