"""Form: how a value stands in registers, and which values they cannot carry. Pure.

A wide value is several registers. With words in BIG order the high word is first (ABCD), in LITTLE order the low word (CDAB);
bytes in LITTLE order are exchanged within each register (BADC, DCBA). 12.5 as float32 in CDAB is [0x0000, 0x4148].

"No value" is NaN for floats and, as SunSpec and others have it, the highest number for uint16, uint32, uint64 and a mask, the
lowest for int16, int32 and int64. These patterns are never a value. A flag in a register has no third state, as one in a bit
has none: without a value it is 0. A string without a value is empty.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import Final

from dotbus.runtime.installation.modbus import ByteOrder, OnBad, RegisterType, WordOrder


def digits_of(number: float) -> str:
    """A number as people write it, with all the digits that it has: 60.000004 is not 60."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


class DoesNotFit(ValueError):
    """A value that its register type cannot carry. It is never wrapped, clipped or cut: its quality is bad."""


@dataclass(frozen=True)
class Form:
    """How a value is written, and what is written in place of a bad one. `length` is a string's, in registers."""

    type: RegisterType
    word_order: WordOrder = WordOrder.BIG
    on_bad: OnBad = OnBad.NAN
    bad_value: float | None = None
    scale: float = 1.0
    offset: float = 0.0
    byte_order: ByteOrder = ByteOrder.BIG
    length: int = 0

    @cached_property
    def registers(self) -> int:
        """How many registers (or bits) the value takes."""
        if self.type is RegisterType.BIT:
            return 1
        return self.length if self.type is RegisterType.STRING else self.layout.size // 2

    @cached_property
    def layout(self) -> struct.Struct:
        """How its number is packed, before the words are put into their order."""
        return struct.Struct(_FORMAT[self.type])

    @cached_property
    def no_value(self) -> bytes:
        """What a register shows when there is nothing to show."""
        if self.type is RegisterType.STRING:
            return bytes(2 * self.length)
        return _in_order(bytes.fromhex(_NO_VALUE[self.type]), self)

    @cached_property
    def carries_between(self) -> tuple[float, float]:
        """Between which numbers it carries every one, wherever else it may carry some."""
        if self.scale != 1 or self.offset:
            return math.inf, -math.inf
        return _FLOAT_RANGE if self.is_float else _RANGE.get(self.type, (math.inf, -math.inf))

    @cached_property
    def in_words(self) -> str:
        """What a reader of the registers relies on."""
        if self.type is RegisterType.BIT:
            return f"bit {OnBad.EXCEPTION.value}" if self.on_bad is OnBad.EXCEPTION else "bit"
        told = (self.type.value, *_order_in_words(self), *_scale_in_words(self), self.on_bad.value, _instead_in_words(self))
        return " ".join(part for part in told if part)

    @property
    def is_flag(self) -> bool:
        """Whether it is 1 or 0 and has no third state, in a bit or a register."""
        return self.type in (RegisterType.BIT, RegisterType.BOOL)

    @property
    def is_float(self) -> bool:
        """Whether it keeps what is behind the point."""
        return self.type in (RegisterType.FLOAT32, RegisterType.FLOAT64)


_FORMAT: Final = {
    RegisterType.FLOAT32: ">f",
    RegisterType.FLOAT64: ">d",
    RegisterType.UINT16: ">H",
    RegisterType.INT16: ">h",
    RegisterType.UINT32: ">I",
    RegisterType.INT32: ">i",
    RegisterType.UINT64: ">Q",
    RegisterType.INT64: ">q",
    RegisterType.BOOL: ">H",
    RegisterType.BITS: ">H",
}
_RANGE: Final = {
    RegisterType.UINT16: (0, 0xFFFE),
    RegisterType.INT16: (-0x7FFF, 0x7FFF),
    RegisterType.UINT32: (0, 0xFFFF_FFFE),
    RegisterType.INT32: (-0x7FFF_FFFF, 0x7FFF_FFFF),
    RegisterType.UINT64: (0, 0xFFFF_FFFF_FFFF_FFFE),
    RegisterType.INT64: (-0x7FFF_FFFF_FFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF),
    RegisterType.BOOL: (0, 1),
    RegisterType.BITS: (0, 0xFFFE),
}
_FLOAT32: Final = struct.Struct(">f")
(_FLOAT32_MOST,) = _FLOAT32.unpack(bytes.fromhex("7F7FFFFF"))
_FLOAT_RANGE: Final = (-3e38, 3e38)
"""What a float32 has room for, and a float64, too."""
_DIGITS_MOST: Final = 20
"""As many as the widest integer type has; a number with more needs no rounding to be refused."""
_NO_VALUE: Final = {
    RegisterType.FLOAT32: "7FC00000",
    RegisterType.FLOAT64: "7FF8000000000000",
    RegisterType.UINT16: "FFFF",
    RegisterType.INT16: "8000",
    RegisterType.UINT32: "FFFFFFFF",
    RegisterType.INT32: "80000000",
    RegisterType.UINT64: "FFFFFFFFFFFFFFFF",
    RegisterType.INT64: "8000000000000000",
    RegisterType.BOOL: "0000",
    RegisterType.BITS: "FFFF",
}


def encode_value(value: float | str, form: Form) -> bytes:
    """The bytes of a value, as they stand in the reply.

    Raises:
        DoesNotFit: it is not finite, too large or too long for the type, of another kind, or would read as "no value".
    """
    if isinstance(value, str) or form.type is RegisterType.STRING:
        return _in_order(_text(value, form), form)
    return _in_order(_packed(value, form), form)


def number_shown(value: float, form: Form) -> float:
    """The number that SCADA reads where a value is written: scaled and rounded, for a float to the nearest that it has.

    Raises:
        DoesNotFit: as `encode_value` does.
    """
    if form.type is RegisterType.STRING:
        raise DoesNotFit(f"{value} is no text")
    (number,) = form.layout.unpack(_packed(value, form))
    return float(number)


def number_in(words: bytes, form: Form) -> float:
    """The number that registers hold, before scale and offset: the inverse of how a number is packed.

    Of a float32 it is the shortest decimal that is this one: whoever writes 48.2 means it, not 48.20000076.
    """
    number: float = form.layout.unpack(high_first(words, form))[0]
    return _as_written(number) if form.type is RegisterType.FLOAT32 else number


def high_first(words: bytes, form: Form) -> bytes:
    """Registers as they were read, with the high word and the high byte first."""
    return _in_order(words, form)  # reversing and exchanging undo themselves


def carries(form: Form, value: float | str) -> bool:
    """Whether registers of a form can show a value."""
    if form.type is RegisterType.BIT:
        return True
    least, most = form.carries_between
    if not isinstance(value, str) and least <= value <= most:  # nearly all
        return True
    try:
        encode_value(value, form)
    except DoesNotFit:
        return False
    return True


def _as_written(number: float) -> float:
    if not math.isfinite(number):
        return number
    bits, shorter = _FLOAT32.pack(number), (float(f"{number:.{digits}g}") for digits in range(1, 10))
    return next((each for each in shorter if abs(each) <= _FLOAT32_MOST and _FLOAT32.pack(each) == bits), number)


def _order_in_words(form: Form) -> Iterator[str]:
    if form.type is RegisterType.STRING:
        yield f"of {form.length} registers"
    elif form.registers > 1:
        yield form.word_order.value
    if form.byte_order is ByteOrder.LITTLE:
        yield "bytes exchanged"


def _scale_in_words(form: Form) -> Iterator[str]:
    if form.scale != 1:
        yield f"times {float(form.scale)!r}"
    if form.offset:
        yield f"plus {float(form.offset)!r}"


def _instead_in_words(form: Form) -> str:
    return f"{float(form.bad_value)!r}" if form.on_bad is OnBad.VALUE and form.bad_value is not None else ""


def _text(value: float | str, form: Form) -> bytes:
    """A string in UTF-8, with zeros behind it."""
    if not isinstance(value, str) or form.type is not RegisterType.STRING:
        raise DoesNotFit(f"{value!r} cannot be written as {form.type}")
    try:
        text = value.encode()
    except UnicodeEncodeError as error:
        raise DoesNotFit(f"{value!r} is no text") from error
    room = 2 * form.length
    if len(text) > room or "\0" in value:
        raise DoesNotFit(f"{value!r} has {len(text)} bytes, {form.length} registers have room for {room}, without zeros")
    return text.ljust(room, b"\0")


def _packed(value: float, form: Form) -> bytes:
    try:
        scaled = value * form.scale + form.offset if form.offset else value * form.scale  # -0.0 stays what it is
        if not math.isfinite(scaled):
            raise DoesNotFit(f"{value} times {form.scale:g} is not a finite number")
        number = scaled if form.is_float else _whole(value, form)
        return form.layout.pack(number)
    except OverflowError as error:
        raise DoesNotFit(f"the value is too large for {form.type}") from error


def _whole(value: float, form: Form) -> int:
    """A scaled value rounded as on paper, half away from zero: 0.125 times 100 is 13, and 2.675 times 100 is 268."""
    plain = int(value) if isinstance(value, int) else float(value)  # a flag or a level is written as its number, not its name
    number = plain if isinstance(plain, int) and form.scale == 1 and not form.offset else _rounded(_scaled(plain, form))
    least, most = _RANGE[form.type]
    if not least <= number <= most:
        raise DoesNotFit(f"{number} is outside {least} to {most} of {form.type}")
    return number


def _scaled(plain: float, form: Form) -> Decimal:
    return Decimal(repr(plain)) * Decimal(repr(form.scale)) + Decimal(repr(form.offset))


def _rounded(number: Decimal) -> int:
    return int(number.quantize(Decimal(1), ROUND_HALF_UP) if number.adjusted() < _DIGITS_MOST else number)


def _in_order(packed: bytes, form: Form) -> bytes:
    """The bytes of a value whose high byte is first, in the order of their form. A string has no high word."""
    exchanged = form.byte_order is ByteOrder.LITTLE
    reverses = form.word_order is WordOrder.LITTLE and form.type is not RegisterType.STRING
    ordered = packed[::-1] if reverses else packed  # which exchanges the bytes of each word, too
    return ordered if reverses == exchanged else _exchanged(ordered)


def _exchanged(content: bytes) -> bytes:
    swapped = bytearray(content)
    swapped[::2], swapped[1::2] = content[1::2], content[::2]
    return bytes(swapped)
