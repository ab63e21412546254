"""Image: what every register says at one time, as the bytes that a reply is cut from. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from dotbus.contracts.topics import Topics
from dotbus.runtime.installation.modbus import OnBad, Table
from modbus_gateway.map.register_map import Cell, RegisterMap, Span, View
from modbus_gateway.state.received import Received
from modbus_gateway.values.readings import Readings
from modbus_gateway.wire.encode import encode_bit, encode_reading

HOLDS_MOST: Final = timedelta(seconds=2)
"""How long an image may be shown when nothing turns before: ramps and ages move all the time."""

RESERVED: Final = b"\xff\xff"
"""Registers that belong to a block and show nothing: NaN as float32, "not implemented" as an integer."""


class Refusal(IntEnum):
    """Modbus exception codes."""

    FUNCTION = 0x01
    ADDRESS = 0x02
    COUNT = 0x03
    FAILURE = 0x04
    NO_SUCH_UNIT = 0x0B


@dataclass(frozen=True)
class Registers:
    """The registers of a span.

    Attributes:
        faults: a byte per register, 1 where reading is an exception; None where none is.
        held_s: for how long each address has shown a value that is bad by now.
    """

    start: int
    content: bytes
    faults: bytes | None = None
    held_s: Mapping[int, float] = field(default_factory=dict)

    def covers(self, view: View) -> bool:
        """Whether all of a view stands here."""
        return self.start <= view.start and view.start + view.length <= self.start + len(self.content) // 2

    def part(self, view: View) -> "Registers":
        """What of it a view shows."""
        first, end = view.start - self.start, view.start - self.start + view.length
        return Registers(view.start, self.content[2 * first : 2 * end], self.faults and self.faults[first:end])


@dataclass(frozen=True)
class Bits:
    """The bits of a span, the first one lowest; `faults` the same way."""

    start: int
    length: int
    content: int
    faults: int = 0

    def covers(self, view: View) -> bool:
        """Whether all of a view stands here."""
        return self.start <= view.start and view.start + view.length <= self.start + self.length

    def part(self, view: View) -> "Bits":
        """What of it a view shows."""
        first, mask = view.start - self.start, (1 << view.length) - 1
        return Bits(view.start, view.length, self.content >> first & mask, self.faults >> first & mask)


@dataclass(frozen=True)
class Image:
    """All registers of all units at one time, and the time after which they must not be shown any more."""

    rendered_at: datetime
    holds_until: datetime
    registers: Mapping[tuple[int, Table], tuple[Registers, ...]]
    bits: Mapping[tuple[int, Table], tuple[Bits, ...]]

    def read_registers(self, unit_id: int, address: int, count: int, table: Table = Table.HOLDING) -> bytes | Refusal:
        """The bytes of `count` registers, or why there are none."""
        for span in self.registers.get((unit_id, table), ()):
            first = address - span.start
            if first >= 0 and (first + count) * 2 <= len(span.content):
                if span.faults and 1 in span.faults[first : first + count]:
                    return Refusal.FAILURE
                return span.content[first * 2 : (first + count) * 2]
        return Refusal.ADDRESS

    def read_bits(self, unit_id: int, address: int, count: int, table: Table = Table.DISCRETE) -> bytes | Refusal:
        """`count` bits, packed as a reply carries them, or why there are none."""
        mask = (1 << count) - 1
        for span in self.bits.get((unit_id, table), ()):
            first = address - span.start
            if first >= 0 and first + count <= span.length:
                if span.faults >> first & mask:
                    return Refusal.FAILURE
                return (span.content >> first & mask).to_bytes((count + 7) // 8, "little")
        return Refusal.ADDRESS


@dataclass(frozen=True)
class Earlier:
    """The image before, which bad values with `on_bad = "hold"` are held from, and how long ago it was rendered.

    By a clock that cannot be set: else a value would be held for as long as ours was set back.
    """

    image: Image
    age_s: float

    def registers(self, span: Span) -> Registers | None:
        """The same span."""
        return next((known for known in self.image.registers[span.unit_id, span.table] if known.start == span.start), None)


def render(
    register_map: RegisterMap, received: Received, topics: Topics, now: datetime, earlier: Earlier | None = None
) -> Image:
    """The image at a time.

    Args:
        register_map: what stands where.
        received: what came until now.
        topics: of this installation.
        now: the gateway's clock.
        earlier: the last image of the same map.
    """
    readings = Readings.at(now, register_map, received, topics)
    shown = {unit_id: readings.as_shown(cells) for unit_id, cells in register_map.judged_cells.items()}
    registers: dict[tuple[int, Table], tuple[Registers, ...]] = {}
    bits: dict[tuple[int, Table], tuple[Bits, ...]] = {}
    for span in register_map.spans:
        unit, place = span.unit_id, (span.unit_id, span.table)
        if not span.table.has_bits:
            holding = (
                Holding(earlier.registers(span), earlier.age_s, register_map.judging.hold_at_most_s) if earlier else Holding()
            )
            registers[place] = (*registers.get(place, ()), _render_registers(span, shown[unit], holding))
        else:
            bits[place] = (*bits.get(place, ()), _render_bits(span, shown[unit]))
    for view in register_map.views:
        place, of = (view.unit_id, view.table), (view.unit_id, view.of)
        if view.table.has_bits:
            bits[place] = (*bits.get(place, ()), *(span.part(view) for span in bits[of] if span.covers(view)))
        else:
            registers[place] = (*registers.get(place, ()), *(span.part(view) for span in registers[of] if span.covers(view)))
    holds_most = now + HOLDS_MOST
    return Image(now, min(readings.hold_until or holds_most, holds_most), registers, bits)


@dataclass(frozen=True)
class Holding:
    """What bad values of a span are held from, and for how long they may be."""

    before: Registers | None = None
    elapsed_s: float = 0.0
    most_s: float = 0.0

    def held_s(self, cell: Cell) -> float:
        """For how long a cell whose value is bad has been held."""
        return self.elapsed_s + self.before.held_s.get(cell.address, 0.0) if self.before else 0.0

    def held(self, cell: Cell) -> bytes:
        """What a cell shows while its value is bad: what it showed before, until that was held long enough."""
        if self.before is None or self.held_s(cell) > self.most_s:
            return cell.form.no_value
        first = (cell.address - self.before.start) * 2
        return self.before.content[first : first + cell.form.registers * 2]


def _render_registers(span: Span, readings: Readings, holding: Holding) -> Registers:
    content = bytearray(RESERVED * span.length)
    faults = bytearray(span.length)
    held_s: dict[int, float] = {}
    for cell in span.cells:
        first, count = cell.address - span.start, cell.form.registers
        reading, held = readings.of(cell), b""
        if reading.quality.is_bad and cell.form.on_bad is OnBad.HOLD:
            held, held_s[cell.address] = holding.held(cell), holding.held_s(cell)
        words = encode_reading(reading, cell.form, held)
        if words is None:
            faults[first : first + count] = b"\x01" * count
        content[first * 2 : (first + count) * 2] = cell.form.no_value if words is None else words
    return Registers(span.start, bytes(content), bytes(faults) if any(faults) else None, held_s)


def _render_bits(span: Span, readings: Readings) -> Bits:
    content = faults = 0
    for cell in span.cells:
        bit = encode_bit(readings.of(cell), cell.form)
        place = 1 << (cell.address - span.start)
        content |= place if bit else 0
        faults |= place if bit is None else 0
    return Bits(span.start, span.length, content, faults)
