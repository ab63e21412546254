"""Server: the ports and the places. What a client says is cut up in `connection` and `framing`, what it means is in `pdu`.

A reply is a slice of bytes that were made before the request came, so its cost does not grow with the map. Why there is no
library here: docs/decisions/0002-modbus-server.md.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from dotbus.runtime.logs import get_logger
from modbus_gateway.wire.admission import FINISHES_WITHIN_S, Closings, Limits, Reason, place_for
from modbus_gateway.wire.connection import Connection, Door
from modbus_gateway.wire.pdu import Served, answer
from modbus_gateway.wire.writing import Client


class Meter(Protocol):
    """What the server counts."""

    def answered(self, function: int, reply: bytes) -> None:
        """A request of a function was answered, perhaps with an exception."""

    def connections(self, count: int) -> None:
        """So many connections are open now."""

    def turned_away(self) -> None:
        """A connection was closed as soon as it came: the allow-list, or too many."""


class Server:
    """Serves tables to clients.

    Args:
        served: what requests are about.
        clock: seconds that never go back, for idle connections.
        closed: told why a connection was turned away or had to leave.

    Attributes:
        now: the clock.
    """

    def __init__(
        self,
        served: Served,
        limits: Limits,
        meter: Meter,
        clock: Callable[[], float],
        closed: Callable[[Reason], None] = lambda _reason: None,
    ) -> None:
        self._served = served
        self._limits = limits
        self._meter = meter
        self._clock = self.now = clock
        self._closed = closed
        self._closings = Closings()
        self._open: set[Connection] = set()
        self._listeners: list[asyncio.Server] = []
        self._log = get_logger("server")

    @property
    def addresses(self) -> Sequence[tuple[str, int]]:
        """Where it listens, in the order of `start`."""
        return [one.getsockname()[:2] for listener in self._listeners for one in listener.sockets]

    async def start(self, host: str, port: int, door: Door | None = None) -> None:
        """Listen on one more port, for Modbus TCP unless told otherwise. All have the same places.

        Raises:
            OSError: the address cannot be listened on.
        """
        entered = door or Door()
        listener = await asyncio.get_running_loop().create_server(lambda: Connection(self, entered), host, port)
        self._listeners.append(listener)
        addresses = [f"{host}:{port}" for host, port in (one.getsockname()[:2] for one in listener.sockets)]
        self._log.info("listening", addresses=addresses, speaks=entered.speaks)

    async def stop(self) -> None:
        """Close the ports and every connection."""
        for listener in self._listeners:
            listener.close()
        for connection in tuple(self._open):
            connection.close()
        for listener in self._listeners:
            await listener.wait_closed()
        self._listeners.clear()
        self._tell(last=True)

    def tend(self) -> None:
        """Close what is idle or late, and tell in one line what was closed. To be called now and then."""
        self.close_late()
        self._tell()

    def close_late(self) -> None:
        """Close the connections that asked nothing for too long, did not end what they began, or whose certificate ended."""
        now_s = self._clock()
        for connection in tuple(self._open):
            if reason := self._why_late(connection, now_s):
                self._dismiss(connection, reason)

    def reply(self, unit_id: int, request: bytes, client: Client) -> bytes:
        """The reply to one request."""
        reply = answer(self._served, self._served.aliases.get(unit_id, unit_id), request, client)
        self._meter.answered(request[0], reply)
        return reply

    def broadcast(self, request: bytes, client: Client) -> None:
        """A request to every unit, which has no reply."""
        for unit_id in sorted(self._served.units):
            self.reply(unit_id, request, client)

    def serve(self, served: Served) -> None:
        """Answer from something else, from the next request on. Who is connected stays so."""
        self._served = served

    def soon(self, act: Callable[[], None]) -> None:
        """Act once others had their turn."""
        asyncio.get_running_loop().call_soon(act)

    def admit(self, connection: Connection) -> bool:
        """Whether a connection may stay. Another one may have to leave for it."""
        place = place_for(connection.address, self._open, self._limits, self._clock())
        if isinstance(place, Reason):
            self._meter.turned_away()
            self.note(place, connection)
            return False
        if place is not None:
            self._dismiss(place, Reason.MADE_ROOM)
        self._open.add(connection)
        self._meter.connections(len(self._open))
        return True

    def release(self, connection: Connection) -> None:
        """A connection is gone."""
        self._open.discard(connection)
        self._meter.connections(len(self._open))

    def note(self, reason: Reason, connection: Connection, detail: str = "") -> None:
        """A connection is being closed, and why."""
        self._closed(reason)
        self._closings.note(reason, connection.address, detail)

    def _why_late(self, connection: Connection, now_s: float) -> Reason | None:
        since_s = connection.unfinished_since_s
        if since_s is not None and now_s - since_s > FINISHES_WITHIN_S:
            return Reason.HANDSHAKE if connection.is_in_handshake else Reason.UNFINISHED
        if connection.has_certificate_ended:
            return Reason.CERTIFICATE
        return Reason.IDLE if now_s - connection.idle_since_s > self._limits.idle_s else None

    def _dismiss(self, connection: Connection, reason: Reason) -> None:
        connection.close()
        self.release(connection)  # its place is free at once, whenever the other side lets go
        self.note(reason, connection)

    def _tell(self, *, last: bool = False) -> None:
        if told := self._closings.take(self._clock(), last=last):
            self._log.warning("connections closed", **told, open=len(self._open), most=self._limits.connections)
