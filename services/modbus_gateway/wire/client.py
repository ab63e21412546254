"""Client: asks a gateway for its registers, for the command line. Modbus Application Protocol V1.1b3, functions 01 to 04."""

import socket
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar

from dotbus.runtime.installation.modbus import Table
from modbus_gateway.map.documents.live_cells import ReadCell
from modbus_gateway.map.documents.live_written import ReadWritten
from modbus_gateway.map.documents.written_rows import WrittenCell
from modbus_gateway.map.form import Form
from modbus_gateway.map.register_map import RegisterMap

_FUNCTION: Final = {Table.COIL: 0x01, Table.DISCRETE: 0x02, Table.HOLDING: 0x03, Table.INPUT: 0x04}
_HEADER: Final = struct.Struct(">HHHB")
_ASK: Final = struct.Struct(">BHH")
_AT_ONCE: Final = 120
_EXCEPTION_BIT: Final = 0x80
_EXCEPTION_SIZE: Final = 2
_LONGEST: Final = 254
"""Bytes behind the length of a frame, at the most."""
_NO_SUCH_UNIT: Final = 0x0B


class Placed(Protocol):
    """What stands at an address in a form."""

    @property
    def address(self) -> int:
        """Its first, from 0."""
        ...

    @property
    def form(self) -> Form:
        """How it is written."""
        ...


_Placed = TypeVar("_Placed", bound=Placed)


class NoAnswer(Exception):
    """Nobody answers there, or not as Modbus says."""


class Client:
    """A connection to a gateway.

    Args:
        host: where it serves.
        port: its Modbus port.
        timeout_s: how long an answer may take.

    Attributes:
        ours: the address that the gateway sees us at.
    """

    def __init__(self, host: str, port: int, timeout_s: float = 3.0) -> None:
        self._place = f"{host}:{port}"
        self._asked = 0
        try:
            self._line = socket.create_connection((host, port), timeout_s)
        except OSError as error:
            raise NoAnswer(f"no Modbus connection to {self._place}: {error.strerror or error}") from error
        self.ours = str(self._line.getsockname()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._line.close()

    def read(self, register_map: RegisterMap, unit_id: int | None = None) -> Iterator[ReadCell]:
        """Every cell of a map as it is now, of one unit or of all.

        Raises:
            NoAnswer: the connection ended, what came is no Modbus, or a unit is not served there.
        """
        for span in register_map.spans:
            if unit_id in (None, span.unit_id):
                for cell, reply in self._read(span.unit_id, span.table, span.cells):
                    yield ReadCell(span.unit_id, span.table, cell, *_content(reply))

    def read_written(self, cells: Iterable[WrittenCell], unit_id: int | None = None) -> Iterator[ReadWritten]:
        """The same of what SCADA writes.

        Raises:
            NoAnswer: as `read` does.
        """
        places: defaultdict[tuple[int, Table], list[WrittenCell]] = defaultdict(list)
        for cell in cells:
            if unit_id in (None, cell.row.unit_id):
                places[cell.row.unit_id, cell.table].append(cell)
        for (unit, table), found in places.items():
            for cell, reply in self._read(unit, table, found):
                yield ReadWritten(cell, *_content(reply))

    def _read(self, unit_id: int, table: Table, cells: Iterable[_Placed]) -> Iterator[tuple[_Placed, bytes | int]]:
        for piece in _pieces(cells):
            yield from self._read_piece(unit_id, table, piece)

    def _read_piece(self, unit_id: int, table: Table, cells: list[_Placed]) -> Iterator[tuple[_Placed, bytes | int]]:
        start = cells[0].address
        reply = self.ask(unit_id, table, start, cells[-1].address + cells[-1].form.registers - start)
        if reply == _NO_SUCH_UNIT:
            raise NoAnswer(f"{self._place} does not serve unit {unit_id}: that gateway has another configuration")
        if isinstance(reply, int) and len(cells) > 1:  # one of them refuses to be read, or they have a hole: the others do not
            for cell in cells:
                yield from self._read_piece(unit_id, table, [cell])
            return
        for cell in cells:
            yield cell, reply if isinstance(reply, int) else _part(reply, table, cell, start)

    def ask(self, unit_id: int, table: Table, address: int, count: int) -> bytes | int:
        """The bytes of so many registers or bits, or the exception with which they are refused."""
        self._asked = (self._asked + 1) & 0xFFFF
        request = _ASK.pack(_FUNCTION[table], address, count)
        try:
            self._line.sendall(_HEADER.pack(self._asked, 0, len(request) + 1, unit_id) + request)
            transaction, protocol, length, _ = _HEADER.unpack(self._receive(_HEADER.size))
            is_ours = (transaction, protocol) == (self._asked, 0)
            reply = self._receive(length - 1) if is_ours and length <= _LONGEST else b""
        except TimeoutError as error:
            raise NoAnswer(f"{self._place} accepts a connection and answers nothing") from error
        except OSError as error:
            raise self._why_closed() from error
        size = (count + 7) // 8 if table.has_bits else 2 * count
        if len(reply) == _EXCEPTION_SIZE and reply[0] == _FUNCTION[table] | _EXCEPTION_BIT:
            return reply[1]
        if len(reply) != 2 + size or reply[0] != _FUNCTION[table]:
            raise NoAnswer(f"{self._place} gives no answer that is Modbus: is that the gateway's port, and does it run?")
        return reply[2:]

    def _receive(self, count: int) -> bytes:
        received = bytearray()
        while len(received) < count:
            chunk = self._line.recv(count - len(received))
            if not chunk:
                raise self._why_closed()
            received += chunk
        return bytes(received)

    def _why_closed(self) -> NoAnswer:
        """A gateway tells nobody why it turned a client away; its log does."""
        if self._asked > 1:
            return NoAnswer(f"{self._place} closed the connection while it was read")
        return NoAnswer(
            f"{self._place} closes the connection and answers nothing. A gateway does so with a client that its "
            f"MODBUS_GATEWAY_ALLOW_CLIENTS does not name (add {self.ours}, which is this one's address, or its network), and "
            'while all its places are taken: its log says which ("connections closed"). Else it is no gateway\'s port.'
        )


def _content(reply: bytes | int) -> tuple[bytes | None, int | None]:
    return (None, reply) if isinstance(reply, int) else (reply, None)


def _part(content: bytes, table: Table, cell: Placed, start: int) -> bytes:
    first = cell.address - start
    if table.has_bits:
        return bytes((content[first // 8] >> first % 8 & 1,))
    return content[2 * first : 2 * (first + cell.form.registers)]


def _pieces(cells: Iterable[_Placed]) -> Iterator[list[_Placed]]:
    """Cells that one request may read together."""
    piece: list[_Placed] = []
    for cell in sorted(cells, key=lambda cell: cell.address):
        if piece and cell.address + cell.form.registers - piece[0].address > _AT_ONCE:
            yield piece
            piece = []
        piece.append(cell)
    if piece:
        yield piece
