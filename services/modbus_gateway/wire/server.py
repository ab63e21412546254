"""Server: Modbus TCP over asyncio. Frames in, frames out; what a request means is in `pdu`.

A reply is a slice of bytes that were made before the request came, so its cost does not grow with the map. Why there is no
library here: docs/decisions/0002-modbus-server.md.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol, cast

from dotbus.runtime.logs import get_logger
from modbus_gateway.wire.admission import Closings, Limits, Reason, place_for, plain_address
from modbus_gateway.wire.image import Image
from modbus_gateway.wire.pdu import answer

WRITE_AT_ONCE: Final = 16 * 1024

_HEADER: Final = struct.Struct(">HHHB")
_LENGTH_LEAST, _LENGTH_MOST = 2, 254  # unit id and function code; MBAP length of the longest PDU
_KEEP_ALIVE: Final = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""Seconds, seconds and times: a peer that is dead and never asked is gone after a minute. Each system knows some of them."""


class Meter(Protocol):
    """What the server counts."""

    def answered(self, function: int, reply: bytes) -> None:
        """A request of a function was answered, perhaps with an exception."""

    def connections(self, count: int) -> None:
        """So many connections are open now."""

    def turned_away(self) -> None:
        """A connection was closed as soon as it came: the allow-list, or too many."""


class Server:
    """Serves images.

    Args:
        units: the unit ids that are served.
        images: gives the image of a unit as it is now; None refuses every read as a failure.
        clock: seconds that never go back, for idle connections.
        closed: told why a connection was turned away or had to leave.
    """

    def __init__(
        self,
        units: frozenset[int],
        images: Callable[[int], Image | None],
        limits: Limits,
        meter: Meter,
        clock: Callable[[], float],
        closed: Callable[[Reason], None] = lambda _reason: None,
    ) -> None:
        self._units = units
        self._limits = limits
        self._meter = meter
        self._clock = clock
        self._closed = closed
        self._closings = Closings()
        self._images = images
        self._open: set[_Connection] = set()
        self._listener: asyncio.Server | None = None
        self._log = get_logger("server")

    @property
    def addresses(self) -> Sequence[tuple[str, int]]:
        """Where it listens."""
        return [one.getsockname()[:2] for one in self._listener.sockets] if self._listener else []

    async def start(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: _Connection(self), host, port)
        self._log.info("listening", addresses=[f"{host}:{port}" for host, port in self.addresses])

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._listener:
            self._listener.close()
        for connection in tuple(self._open):
            connection.close()
        if self._listener:
            await self._listener.wait_closed()
            self._listener = None
        self._tell(last=True)

    def tend(self) -> None:
        """Close what is idle, and tell in one line what was closed. To be called now and then."""
        self.close_idle()
        self._tell()

    def close_idle(self) -> None:
        """Close the connections that have asked nothing for too long."""
        for connection in tuple(self._open):
            if self._clock() - connection.idle_since_s > self._limits.idle_s:
                self._dismiss(connection, Reason.IDLE)

    def reply(self, unit_id: int, request: bytes) -> bytes:
        """The reply to one request."""
        reply = answer(self._images(unit_id), self._units, unit_id, request)
        self._meter.answered(request[0], reply)
        return reply

    def now(self) -> float:
        """The server's clock."""
        return self._clock()

    def admit(self, connection: "_Connection") -> bool:
        """Whether a connection may stay. Another one may have to leave for it."""
        place = place_for(connection.address, self._open, self._limits, self._clock())
        if isinstance(place, Reason):
            self._meter.turned_away()
            self._note(place, connection.address)
            return False
        if place is not None:
            self._dismiss(place, Reason.MADE_ROOM)
        self._open.add(connection)
        self._meter.connections(len(self._open))
        return True

    def release(self, connection: "_Connection") -> None:
        """A connection is gone."""
        self._open.discard(connection)
        self._meter.connections(len(self._open))

    def _dismiss(self, connection: "_Connection", reason: Reason) -> None:
        connection.close()
        self.release(connection)  # its place is free at once, whenever the other side lets go
        self._note(reason, connection.address)

    def _note(self, reason: Reason, address: str) -> None:
        self._closed(reason)
        self._closings.note(reason, address)

    def _tell(self, *, last: bool = False) -> None:
        if told := self._closings.take(self._clock(), last=last):
            self._log.warning("connections closed", **told, open=len(self._open), most=self._limits.connections)


class _Connection(asyncio.Protocol):
    """One client: cuts requests out of the stream, however they were packed into segments."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._waiting = bytearray()
        self._paused = False
        self.address = ""
        self.idle_since_s = server.now()
        self.has_asked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)  # create_server makes no others; uvloop's is no subclass of it
        peer = stream.get_extra_info("peername")
        self.address = plain_address(str(peer[0])) if peer else ""
        if self._server.admit(self):
            self._transport = stream
            _keep_alive(stream.get_extra_info("socket"))
        else:
            stream.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self._server.release(self)

    def data_received(self, chunk: bytes) -> None:
        self._waiting += chunk
        self._answer_waiting()

    def pause_writing(self) -> None:
        """The client does not read its replies: ask nothing more of it until it does."""
        self._paused = True
        if self._transport:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._paused = False
        if self._transport:
            self._transport.resume_reading()
        self._answer_waiting()

    def close(self) -> None:
        """Close once the replies are sent, at once when the client does not take them."""
        if self._transport:
            close = self._transport.abort if self._transport.get_write_buffer_size() else self._transport.close
            close()

    def _answer_waiting(self) -> None:
        replies = bytearray()
        taken = 0
        while self._transport and not self._paused and len(self._waiting) - taken >= _HEADER.size:
            transaction, protocol, length, unit_id = _HEADER.unpack_from(self._waiting, taken)
            if protocol != 0 or not _LENGTH_LEAST <= length <= _LENGTH_MOST:
                self._transport.write(replies)
                self._transport.close()  # not Modbus, or out of step: nothing after it can be understood
                return
            end = taken + _HEADER.size - 1 + length
            if len(self._waiting) < end:
                break
            reply = self._server.reply(unit_id, bytes(self._waiting[taken + _HEADER.size : end]))
            replies += _HEADER.pack(transaction, 0, len(reply) + 1, unit_id) + reply
            taken = end
            if len(replies) >= WRITE_AT_ONCE:
                self._transport.write(bytes(replies))
                replies.clear()
        if taken:
            del self._waiting[:taken]
            self.idle_since_s = self._server.now()
            self.has_asked = True
        if replies and self._transport:
            self._transport.write(bytes(replies))


def _keep_alive(line: socket.socket) -> None:
    """Have the system find out by itself that a peer is gone without a word."""
    with suppress(OSError):  # the peer is gone already
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE.items():
            if option := getattr(socket, name, None):
                line.setsockopt(socket.IPPROTO_TCP, option, value)
