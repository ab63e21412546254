"""Server: Modbus TCP over asyncio. Frames in, frames out; what a request means is in `pdu`.

A reply is a slice of bytes that were made before the request came, so its cost does not grow with the map. Why there is no
library here: docs/decisions/0002-modbus-server.md.
"""

import asyncio
import ipaddress
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, cast

from dotbus.runtime.logs import get_logger
from modbus_gateway.image import Image
from modbus_gateway.pdu import answer

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

WRITE_AT_ONCE: Final = 16 * 1024

_HEADER: Final = struct.Struct(">HHHB")
_LENGTH_LEAST, _LENGTH_MOST = 2, 254  # unit id and function code; MBAP length of the longest PDU


class Meter(Protocol):
    """What the server counts."""

    def answered(self, function: int, reply: bytes) -> None:
        """A request of a function was answered, perhaps with an exception."""

    def connections(self, count: int) -> None:
        """So many connections are open now."""

    def turned_away(self) -> None:
        """A connection was closed as soon as it came: the allow-list, or too many."""


@dataclass(frozen=True)
class Limits:
    """Who may connect, how many at once, and for how long without a request. No `allow` means all."""

    allow: tuple[Network, ...] = ()
    connections: int = 64
    idle_s: float = 300.0


class Server:
    """Serves images.

    Args:
        units: the unit ids that are served.
        images: gives the image of now; None refuses every read as a failure.
        clock: seconds that never go back, for idle connections.
    """

    def __init__(
        self,
        units: frozenset[int],
        images: Callable[[], Image | None],
        limits: Limits,
        meter: Meter,
        clock: Callable[[], float],
    ) -> None:
        self._units = units
        self._limits = limits
        self._meter = meter
        self._clock = clock
        self._images = images
        self._open: set[_Connection] = set()
        self._listener: asyncio.Server | None = None
        self._log = get_logger("server")

    @property
    def addresses(self) -> Sequence[tuple[str, int]]:
        """Where it listens."""
        return [socket.getsockname()[:2] for socket in self._listener.sockets] if self._listener else []

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

    def close_idle(self) -> None:
        """Close the connections that have asked nothing for too long. To be called now and then."""
        for connection in tuple(self._open):
            if self._clock() - connection.asked_at > self._limits.idle_s:
                connection.close()

    def reply(self, unit_id: int, request: bytes) -> bytes:
        """The reply to one request."""
        reply = answer(self._images(), self._units, unit_id, request)
        self._meter.answered(request[0], reply)
        return reply

    def now(self) -> float:
        """The server's clock."""
        return self._clock()

    def admit(self, connection: "_Connection", peer: str) -> bool:
        """Whether a connection may stay."""
        if not self._allows(peer) or len(self._open) >= self._limits.connections:
            self._meter.turned_away()
            self._log.warning("connection turned away", peer=peer, open=len(self._open))
            return False
        self._open.add(connection)
        self._meter.connections(len(self._open))
        return True

    def release(self, connection: "_Connection") -> None:
        """A connection is gone."""
        self._open.discard(connection)
        self._meter.connections(len(self._open))

    def _allows(self, peer: str) -> bool:
        if not self._limits.allow:
            return True
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in network for network in self._limits.allow)


class _Connection(asyncio.Protocol):
    """One client: cuts requests out of the stream, however they were packed into segments."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._waiting = bytearray()
        self._paused = False
        self.asked_at = server.now()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)  # create_server makes no others; uvloop's is no subclass of it
        peer = stream.get_extra_info("peername")
        if self._server.admit(self, str(peer[0]) if peer else ""):
            self._transport = stream
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
            close = self._transport.abort if self._paused else self._transport.close
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
            self.asked_at = self._server.now()
        if replies and self._transport:
            self._transport.write(bytes(replies))
