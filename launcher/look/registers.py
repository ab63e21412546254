"""Registers read back through a Modbus client, by the names of the register map. The only place that imports pymodbus."""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException

from dotbus.runtime.installation.modbus import ByteOrder, RegisterType, Table, WordOrder
from modbus_gateway.map.register_map import Cell, RegisterMap, Span

WORDS_AT_ONCE: Final = 120
_NO_SUCH_UNIT: Final = 0x0B
"""Modbus exception "gateway target device failed to respond": what the gateway says of a unit that it does not serve."""
_DATATYPE: Final = {
    **{kind: ModbusTcpClient.DATATYPE[kind.name] for kind in RegisterType if kind.name in ModbusTcpClient.DATATYPE.__members__},
    RegisterType.BOOL: ModbusTcpClient.DATATYPE.UINT16,
    RegisterType.BITS: ModbusTcpClient.DATATYPE.UINT16,
}
_NOTHING: Final = {
    RegisterType.UINT16: 0xFFFF,
    RegisterType.BITS: 0xFFFF,
    RegisterType.INT16: -0x8000,
    RegisterType.UINT32: 0xFFFF_FFFF,
    RegisterType.INT32: -0x8000_0000,
    RegisterType.UINT64: 0xFFFF_FFFF_FFFF_FFFF,
    RegisterType.INT64: -0x8000_0000_0000_0000,
}


class GatewaySilent(Exception):
    """The gateway cannot be reached, does not answer, or is another one."""


@dataclass(frozen=True)
class Shown:
    """What one place of the map shows: `value` None for "no value", with the exception's text when there was one.

    Of a string `text` is what it says, and it has no value.
    """

    unit_id: int
    table: Table
    cell: Cell
    words: tuple[int, ...]
    value: float | None
    exception: str = ""
    text: str = ""

    @property
    def quantity(self) -> str:
        """The name of what is shown."""
        return self.cell.quantity.name

    @property
    def resource_id(self) -> str | None:
        """The one resource that it is about."""
        members = self.cell.about.members
        return members[0].resource.id if len(members) == 1 else None

    @property
    def node(self) -> str | None:
        """The one node whose price it is."""
        prices = self.cell.about.prices
        return prices[0].node if len(prices) == 1 and not self.cell.about.members else None

    @property
    def at(self) -> datetime | None:
        """A time quantity as a time."""
        return None if self.value is None else datetime.fromtimestamp(self.value, UTC)


class Registers:
    """A gateway's registers.

    Args:
        host: where it serves.
        port: its Modbus TCP port.
        register_map: what it serves.
    """

    def __init__(self, host: str, port: int, register_map: RegisterMap) -> None:
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # what it would print is in what we raise
        self._client = ModbusTcpClient(host, port=port, timeout=3, retries=0)
        self._map = register_map

    def read(self, profile_units: frozenset[int] | None = None) -> list[Shown]:
        """Every place of the map as it is now, of some units only when they are given.

        Raises:
            GatewaySilent: there is no connection, no answer, or a unit of the map is not served there.
        """
        place = f"{self._client.comm_params.host}:{self._client.comm_params.port}"
        try:
            if not self._client.connected and not self._client.connect():  # type: ignore[no-untyped-call]  # pymodbus leaves it untyped
                raise GatewaySilent(f"no Modbus connection to {place}")
            spans = [span for span in self._map.spans if profile_units is None or span.unit_id in profile_units]
            return [shown for span in spans for piece in _pieces(span) for shown in self._read(span, piece)]
        except (ModbusException, OSError) as error:
            self._client.close()  # type: ignore[no-untyped-call]  # pymodbus leaves it untyped
            # pymodbus says what its socket saw, which tells nobody what to do.
            raise GatewaySilent(
                f"{place} gives no answer that is Modbus: is that the gateway's port, and does it run?"
            ) from error

    def close(self) -> None:
        """Close the connection."""
        self._client.close()  # type: ignore[no-untyped-call]  # pymodbus leaves it untyped

    def _read(self, span: Span, cells: list[Cell]) -> list[Shown]:
        start = cells[0].address
        count = cells[-1].address + cells[-1].form.registers - start
        asks = {
            Table.COIL: self._client.read_coils,
            Table.DISCRETE: self._client.read_discrete_inputs,
            Table.HOLDING: self._client.read_holding_registers,
            Table.INPUT: self._client.read_input_registers,
        }
        reply = asks[span.table](start, count=count, device_id=span.unit_id)
        if reply.isError():
            return self._refused(span, cells, getattr(reply, "exception_code", 0))
        words = [int(bit) for bit in reply.bits] if span.table.has_bits else reply.registers
        return [_shown(span, cell, tuple(words[cell.address - start :][: cell.form.registers])) for cell in cells]

    def _refused(self, span: Span, cells: list[Cell], code: int) -> list[Shown]:
        if code == _NO_SUCH_UNIT:
            raise GatewaySilent(f"unit {span.unit_id} is not served there: that gateway has another configuration")
        if len(cells) > 1:  # one of them refuses to be read: the others do not
            return [shown for cell in cells for shown in self._read(span, [cell])]
        return [Shown(span.unit_id, span.table, cell, (), None, f"exception {code:02X}") for cell in cells]


def _pieces(span: Span) -> Iterator[list[Cell]]:
    piece: list[Cell] = []
    for cell in sorted(span.cells, key=lambda cell: cell.address):
        if piece and cell.address + cell.form.registers - piece[0].address > WORDS_AT_ONCE:
            yield piece
            piece = []
        piece.append(cell)
    if piece:
        yield piece


def _shown(span: Span, cell: Cell, words: tuple[int, ...]) -> Shown:
    if span.table.has_bits:
        return Shown(span.unit_id, span.table, cell, words, float(words[0]))
    form = cell.form
    order: Literal["big", "little"] = "big" if form.word_order is WordOrder.BIG else "little"
    plain = [word if form.byte_order is ByteOrder.BIG else (word & 0xFF) << 8 | word >> 8 for word in words]
    if form.type is RegisterType.STRING:
        text = b"".join(word.to_bytes(2, "big") for word in plain).rstrip(b"\0").decode(errors="replace")
        return Shown(span.unit_id, span.table, cell, words, None, text=text)
    number = ModbusTcpClient.convert_from_registers(plain, _DATATYPE[form.type], word_order=order)
    if not isinstance(number, int | float) or math.isnan(number) or number == _NOTHING.get(form.type):
        return Shown(span.unit_id, span.table, cell, words, None)
    return Shown(
        span.unit_id, span.table, cell, words, (number - form.offset) / form.scale if form.offset else number / form.scale
    )
