"""Image: the bytes that replies are cut from, and what each stretch of them speaks of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from modbus_gateway.map.register_map import Span, View
from modbus_gateway.wire.images.encode import ZERO

RESERVED: Final = b"\xff\xff"
"""Registers that belong to a block and show nothing: NaN as float32, "not implemented" as an integer."""
WINDOWS_KEPT: Final = 1024


class Refusal(IntEnum):
    """Modbus exception codes."""

    FUNCTION = 0x01
    ADDRESS = 0x02
    COUNT = 0x03
    FAILURE = 0x04
    NO_SUCH_UNIT = 0x0B


class Stretch:
    """The registers (or bits) of a span as they are now.

    Args:
        span: the addresses.
        places: who writes each of them: a number for each address, None where it is reserved.

    Attributes:
        table: that it stands in.
        width: bytes of an address.
        content: what they show.
        faults: a byte per address, 1 where reading is an exception.
        has_faults: whether any ever was.
    """

    def __init__(self, span: Span, places: Sequence[int | None]) -> None:
        self.start, self.length = span.start, span.length
        self.table, self.is_bits = span.table, span.table.has_bits
        self.width = len(ZERO) if self.is_bits else len(RESERVED)
        self.content = bytearray((ZERO if self.is_bits else RESERVED) * span.length)
        self.faults = bytearray(span.length)
        self.has_faults = False
        self._places = tuple(places)
        self._windows: dict[tuple[int, int], tuple[int, ...]] = {}

    def covers(self, view: View) -> bool:
        """Whether all of a view stands here."""
        return self.start <= view.start and view.start + view.length <= self.start + self.length

    def written_by(self, first: int, count: int) -> Iterable[int]:
        """The places that some addresses speak of. A client asks for the same ones again and again."""
        window = self._windows.get((first, count))
        if window is None:
            if len(self._windows) >= WINDOWS_KEPT:
                self._windows.clear()
            found = dict.fromkeys(self._places[first : first + count])
            window = self._windows[first, count] = tuple(place for place in found if place is not None)
        return window

    def cut(self, first: int, count: int) -> bytes | Refusal:
        """The bytes of some addresses as a reply carries them, or why there are none."""
        if self.has_faults and 1 in self.faults[first : first + count]:
            return Refusal.FAILURE
        part = self.content[first * self.width : (first + count) * self.width]
        return int(part[::-1], 2).to_bytes((count + 7) // 8, "little") if self.is_bits else bytes(part)

    def words(self, address: int, count: int) -> bytes:
        """What some addresses of the span show."""
        first = address - self.start
        return bytes(self.content[first * self.width : (first + count) * self.width])

    def write(self, address: int, words: bytes | None, no_value: bytes) -> None:
        """Show something at an address of the span; None makes reading it an exception."""
        first = address - self.start
        shown = no_value if words is None else words
        end = first + len(shown) // self.width
        self.content[first * self.width : end * self.width] = shown
        if words is None or self.has_faults:
            self.has_faults = True
            self.faults[first:end] = (b"\x00" if words is not None else b"\x01") * (end - first)


@dataclass(frozen=True)
class Area:
    """Addresses of a table that one request may read, and the stretch that they show."""

    start: int
    length: int
    stretch: Stretch
