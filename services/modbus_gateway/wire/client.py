"""Client: asks a gateway for its registers, for the command line. Modbus Application Protocol V1.1b3, functions 01 to 04."""

import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from dotbus.runtime.installation.modbus import Table
from modbus_gateway.map.documents.live import ReadCell
from modbus_gateway.map.register_map import Cell, RegisterMap, Span

_FUNCTION: Final = {Table.COIL: 0x01, Table.DISCRETE: 0x02, Table.HOLDING: 0x03, Table.INPUT: 0x04}
_HEADER: Final = struct.Struct(">HHHB")
_ASK: Final = struct.Struct(">BHH")
_AT_ONCE: Final = 120
_EXCEPTION_BIT: Final = 0x80


class NoAnswer(Exception):
    """Nobody answers there, or not as Modbus says."""


class Client:
    """A connection to a gateway.

    Args:
        host: where it serves.
        port: its Modbus port.
        timeout_s: how long an answer may take.
    """

    def __init__(self, host: str, port: int, timeout_s: float = 3.0) -> None:
        self._place = f"{host}:{port}"
        self._asked = 0
        try:
            self._line = socket.create_connection((host, port), timeout_s)
        except OSError as error:
            raise NoAnswer(f"no connection to {self._place}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._line.close()

    def read(self, register_map: RegisterMap, unit_id: int | None = None) -> Iterator[ReadCell]:
        """Every cell of a map as it is now, of one unit or of all.

        Raises:
            NoAnswer: the connection ended, or what came is no Modbus.
        """
        for span in register_map.spans:
            if unit_id in (None, span.unit_id):
                for piece in _pieces(span):
                    yield from self._read(span, piece)

    def _read(self, span: Span, cells: list[Cell]) -> Iterator[ReadCell]:
        start = cells[0].address
        reply = self.ask(span.unit_id, span.table, start, cells[-1].address + cells[-1].form.registers - start)
        if isinstance(reply, int) and len(cells) > 1:  # one of them refuses to be read: the others do not
            for cell in cells:
                yield from self._read(span, [cell])
            return
        for cell in cells:
            if isinstance(reply, int):
                yield ReadCell(span.unit_id, span.table, cell, None, reply)
            else:
                yield ReadCell(span.unit_id, span.table, cell, _part(reply, span.table, cell, start))

    def ask(self, unit_id: int, table: Table, address: int, count: int) -> bytes | int:
        """The bytes of so many registers or bits, or the exception with which they are refused."""
        self._asked = (self._asked + 1) & 0xFFFF
        request = _ASK.pack(_FUNCTION[table], address, count)
        try:
            self._line.sendall(_HEADER.pack(self._asked, 0, len(request) + 1, unit_id) + request)
            transaction, _, length, _ = _HEADER.unpack(self._receive(_HEADER.size))
            reply = self._receive(length - 1)
        except OSError as error:
            raise NoAnswer(f"{self._place} does not answer: {error}") from error
        if transaction != self._asked or reply[0] & ~_EXCEPTION_BIT != _FUNCTION[table]:
            raise NoAnswer(f"{self._place} answers something else than was asked")
        return reply[1] if reply[0] & _EXCEPTION_BIT else reply[2:]

    def _receive(self, count: int) -> bytes:
        received = bytearray()
        while len(received) < max(count, 1):
            chunk = self._line.recv(max(count, 1) - len(received))
            if not chunk:
                raise NoAnswer(f"{self._place} closed the connection")
            received += chunk
        return bytes(received)


def _part(content: bytes, table: Table, cell: Cell, start: int) -> bytes:
    first = cell.address - start
    if table.has_bits:
        return bytes((content[first // 8] >> first % 8 & 1,))
    return content[2 * first : 2 * (first + cell.form.registers)]


def _pieces(span: Span) -> Iterator[list[Cell]]:
    """Cells that one request may read together."""
    piece: list[Cell] = []
    for cell in sorted(span.cells, key=lambda cell: cell.address):
        if piece and cell.address + cell.form.registers - piece[0].address > _AT_ONCE:
            yield piece
            piece = []
        piece.append(cell)
    if piece:
        yield piece
