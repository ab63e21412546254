"""Tables: what requests read from and write to, as the protocol sees a unit: four tables and nothing else.

Modbus Application Protocol V1.1b3, section 4.3: function 01 reads coils, 02 discrete inputs, 03 holding registers, 04 input
registers; the functions that write reach coils and holding registers alone.
"""

from typing import Protocol

from dotbus.runtime.installation.modbus import Table
from modbus_gateway.wire.images.image import Refusal


class Tables(Protocol):
    """One unit as it is now."""

    def read_registers(self, table: Table, address: int, count: int) -> bytes | Refusal:
        """Two bytes for each of `count` registers, or why there are none."""
        ...

    def read_bits(self, table: Table, address: int, count: int) -> bytes | Refusal:
        """`count` bits, eight in a byte, the first one lowest, or why there are none."""
        ...
