"""Tables: what requests read from and write to, as the protocol sees a unit: four tables and nothing else.

Modbus Application Protocol V1.1b3, section 4.3: function 01 reads coils, 02 discrete inputs, 03 holding registers, 04 input
registers; the functions that write reach coils and holding registers alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dotbus.runtime.installation.modbus import Table
from modbus_gateway.wire.image import Image, Refusal


class Tables(Protocol):
    """One unit at one time."""

    def read_registers(self, table: Table, address: int, count: int) -> bytes | Refusal:
        """Two bytes for each of `count` registers, or why there are none."""
        ...

    def read_bits(self, table: Table, address: int, count: int) -> bytes | Refusal:
        """`count` bits, eight in a byte, the first one lowest, or why there are none."""
        ...


@dataclass(frozen=True, slots=True)
class UnitTables:
    """A unit of an image."""

    image: Image
    unit_id: int

    def read_registers(self, table: Table, address: int, count: int) -> bytes | Refusal:
        """As `Tables`."""
        return self.image.read_registers(self.unit_id, address, count, table)

    def read_bits(self, table: Table, address: int, count: int) -> bytes | Refusal:
        """As `Tables`."""
        return self.image.read_bits(self.unit_id, address, count, table)


def unit_tables(look: Callable[[int], Image | None]) -> Callable[[int], Tables | None]:
    """The tables of a unit as they are now, of what gives its image. They are made once for each image."""
    made: dict[int, UnitTables] = {}

    def tables(unit_id: int) -> Tables | None:
        image, known = look(unit_id), made.get(unit_id)
        if image is None:
            return None
        if known is None or known.image is not image:
            known = made[unit_id] = UnitTables(image, unit_id)
        return known

    return tables
