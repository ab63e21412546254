"""PDU: one Modbus request to its reply, pure. Modbus Application Protocol V1.1b3, section 6.

Functions 01 and 02 read the same bits, 03 and 04 the same registers. Everything else, each write among it, is refused.
"""

import struct
from typing import Final

from modbus_gateway.wire.image import Image, Refusal

READ_BITS: Final = (0x01, 0x02)
READ_REGISTERS: Final = (0x03, 0x04)
BITS_MOST: Final = 2000
REGISTERS_MOST: Final = 125

_READ: Final = struct.Struct(">BHH")
_EXCEPTION_BIT: Final = 0x80


def answer(image: Image | None, units: frozenset[int], unit_id: int, request: bytes) -> bytes:
    """The reply to a request.

    Args:
        image: the unit's registers now; None when they are not up to date, which answers every read with a failure.
        units: the unit ids that are served.
        unit_id: the one that was asked.
        request: function code and what follows it; at least one byte.
    """
    function = request[0]
    reply = _read(image, units, unit_id, request)
    if isinstance(reply, Refusal):
        return bytes((function | _EXCEPTION_BIT, reply))
    return bytes((function, len(reply))) + reply


def _read(image: Image | None, units: frozenset[int], unit_id: int, request: bytes) -> bytes | Refusal:
    function = request[0]
    if unit_id not in units:
        return Refusal.NO_SUCH_UNIT
    if function not in READ_BITS and function not in READ_REGISTERS:
        return Refusal.FUNCTION
    if len(request) != _READ.size:
        return Refusal.COUNT
    _, address, count = _READ.unpack(request)
    if not 1 <= count <= (BITS_MOST if function in READ_BITS else REGISTERS_MOST):
        return Refusal.COUNT
    if image is None:
        return Refusal.FAILURE
    read = image.read_bits if function in READ_BITS else image.read_registers
    return read(unit_id, address, count)
