"""PDU: one Modbus request to its reply, pure. Modbus Application Protocol V1.1b3, section 6.

What is wrong is told in the order of the specification's diagrams: the function (01), lengths, counts and values (03),
addresses (02), and what failed (04). Before them the unit (0B): a gateway that has no such target knows nothing of it.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from dotbus.runtime.installation.modbus import Table
from modbus_gateway.wire.identification import FUNCTION as IDENTIFY
from modbus_gateway.wire.identification import Identification
from modbus_gateway.wire.images.image import Refusal
from modbus_gateway.wire.tables import Tables
from modbus_gateway.wire.writing import Client, Writing

READ_COILS, READ_DISCRETE, READ_HOLDING, READ_INPUT = 0x01, 0x02, 0x03, 0x04
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS, WRITE_AND_READ = 0x05, 0x06, 0x0F, 0x10, 0x17
READ_BITS_MOST: Final = 2000
READ_REGISTERS_MOST: Final = 125
WRITE_BITS_MOST: Final = 1968
WRITE_REGISTERS_MOST: Final = 123
WRITE_AND_READ_MOST: Final = 121
"""Registers that function 23 can write; it can read as many as others."""

ADDRESSES: Final = 0x10000
_COIL: Final = {0x0000: False, 0xFF00: True}
_BITS: Final = {READ_COILS: Table.COIL, READ_DISCRETE: Table.DISCRETE}
_REGISTERS: Final = {READ_HOLDING: Table.HOLDING, READ_INPUT: Table.INPUT}
_TWO: Final = struct.Struct(">BHH")
_MANY: Final = struct.Struct(">BHHB")
_READ_AND_WRITE: Final = struct.Struct(">BHHHHB")
_EXCEPTION_BIT: Final = 0x80


@dataclass(frozen=True)
class Served:
    """What requests are about.

    Attributes:
        units: the unit ids that are served.
        tables: those of a unit as they are now; None when they are not up to date, which makes every read a failure.
        writing: takes what is written.
        identification: what the server says of itself.
        aliases: unit ids that answer as another one does, and which.
    """

    units: frozenset[int]
    tables: Callable[[int], Tables | None]
    writing: Writing
    identification: Identification
    aliases: Mapping[int, int] = field(default_factory=dict)


def answer(served: Served, unit_id: int, request: bytes, client: Client) -> bytes:
    """The reply to a request.

    Args:
        served: what it may be about.
        unit_id: the unit that was asked.
        request: function code and what follows it; at least one byte.
        client: who asks.
    """
    function = request[0]
    if unit_id not in served.units:
        return refused(function, Refusal.NO_SUCH_UNIT)
    act = _READS.get(function)
    if act is None and served.writing.is_offered:
        act = _WRITES.get(function)
    if act is None:
        return refused(function, Refusal.FUNCTION)
    reply = act(served, unit_id, request, client)
    if not client.may_write and function in _WRITES:  # `writing` has refused it, and keeps who tried what
        return refused(function, Refusal.FUNCTION)
    return refused(function, reply) if isinstance(reply, Refusal) else reply


def refused(function: int, refusal: Refusal) -> bytes:
    """The reply that is an exception."""
    return bytes((function | _EXCEPTION_BIT, refusal))


def is_write(request: bytes) -> bool:
    """Whether a request writes."""
    return request[0] in _WRITES


def _read_registers(served: Served, unit_id: int, request: bytes, _client: Client) -> bytes | Refusal:
    if len(request) != _TWO.size:
        return Refusal.COUNT
    function, address, count = _TWO.unpack(request)
    if not 1 <= count <= READ_REGISTERS_MOST:
        return Refusal.COUNT
    if (tables := served.tables(unit_id)) is None:
        return Refusal.FAILURE
    content = tables.read_registers(_REGISTERS[function], address, count)
    return content if isinstance(content, Refusal) else bytes((function, len(content))) + content


def _read_bits(served: Served, unit_id: int, request: bytes, _client: Client) -> bytes | Refusal:
    if len(request) != _TWO.size:
        return Refusal.COUNT
    function, address, count = _TWO.unpack(request)
    if not 1 <= count <= READ_BITS_MOST:
        return Refusal.COUNT
    if (tables := served.tables(unit_id)) is None:
        return Refusal.FAILURE
    content = tables.read_bits(_BITS[function], address, count)
    return content if isinstance(content, Refusal) else bytes((function, len(content))) + content


def _write_coil(served: Served, unit_id: int, request: bytes, client: Client) -> bytes | Refusal:
    if len(request) != _TWO.size:
        return Refusal.COUNT
    _, address, value = _TWO.unpack(request)
    if value not in _COIL:
        return Refusal.COUNT
    return served.writing.write_bits(unit_id, address, (_COIL[value],), client) or request


def _write_register(served: Served, unit_id: int, request: bytes, client: Client) -> bytes | Refusal:
    if len(request) != _TWO.size:
        return Refusal.COUNT
    _, address, _ = _TWO.unpack(request)
    return served.writing.write_registers(unit_id, address, request[3:], client) or request


def _write_coils(served: Served, unit_id: int, request: bytes, client: Client) -> bytes | Refusal:
    if (many := _many(request)) is None:
        return Refusal.COUNT
    address, count, content = many
    if not 1 <= count <= WRITE_BITS_MOST or len(content) != (count + 7) // 8:
        return Refusal.COUNT
    if address + count > ADDRESSES:
        return Refusal.ADDRESS
    packed = int.from_bytes(content, "little")
    bits = tuple(bool(packed >> i & 1) for i in range(count))
    return served.writing.write_bits(unit_id, address, bits, client) or request[: _TWO.size]


def _write_registers(served: Served, unit_id: int, request: bytes, client: Client) -> bytes | Refusal:
    if (many := _many(request)) is None:
        return Refusal.COUNT
    address, count, words = many
    if not 1 <= count <= WRITE_REGISTERS_MOST or len(words) != 2 * count:
        return Refusal.COUNT
    if address + count > ADDRESSES:
        return Refusal.ADDRESS
    return served.writing.write_registers(unit_id, address, words, client) or request[: _TWO.size]


def _write_and_read(served: Served, unit_id: int, request: bytes, client: Client) -> bytes | Refusal:
    """Write, then read. What cannot be read is found before anything is written; what is read may be what was written."""
    if len(request) < _READ_AND_WRITE.size:
        return Refusal.COUNT
    function, read_at, read, write_at, written, size = _READ_AND_WRITE.unpack_from(request)
    words = request[_READ_AND_WRITE.size :]
    counts = 1 <= read <= READ_REGISTERS_MOST and 1 <= written <= WRITE_AND_READ_MOST
    if not counts or not size == len(words) == 2 * written:
        return Refusal.COUNT
    if write_at + written > ADDRESSES:
        return Refusal.ADDRESS
    before = _registers(served, unit_id, Table.HOLDING, read_at, read)
    if isinstance(before, Refusal):
        return before
    if refusal := served.writing.write_registers(unit_id, write_at, words, client):
        return refusal
    content = _registers(served, unit_id, Table.HOLDING, read_at, read)
    return content if isinstance(content, Refusal) else bytes((function, len(content))) + content


def _identify(served: Served, _unit_id: int, request: bytes, _client: Client) -> bytes | Refusal:
    return served.identification.answer(request)


def _registers(served: Served, unit_id: int, table: Table, address: int, count: int) -> bytes | Refusal:
    tables = served.tables(unit_id)
    return Refusal.FAILURE if tables is None else tables.read_registers(table, address, count)


def _many(request: bytes) -> tuple[int, int, bytes] | None:
    """Address, count and content of a request to write several; None when its lengths do not agree."""
    if len(request) < _MANY.size:
        return None
    _, address, count, size = _MANY.unpack_from(request)
    content = request[_MANY.size :]
    return (address, count, content) if len(content) == size else None


_Act = Callable[[Served, int, bytes, Client], bytes | Refusal]
_WRITES: Final[Mapping[int, _Act]] = {
    WRITE_COIL: _write_coil,
    WRITE_REGISTER: _write_register,
    WRITE_COILS: _write_coils,
    WRITE_REGISTERS: _write_registers,
    WRITE_AND_READ: _write_and_read,
}
_READS: Final[Mapping[int, _Act]] = {
    READ_COILS: _read_bits,
    READ_DISCRETE: _read_bits,
    READ_HOLDING: _read_registers,
    READ_INPUT: _read_registers,
    IDENTIFY: _identify,
}
FUNCTIONS: Final = tuple(sorted([*_READS, *_WRITES]))
