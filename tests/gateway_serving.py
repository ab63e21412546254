"""The gateway's server for tests: real sockets, a thread of its own, a clock that only the test moves."""

import asyncio
import socket
import threading
from collections.abc import Callable

from modbus_gateway.wire.admission import Limits, Reason
from modbus_gateway.wire.connection import Door
from modbus_gateway.wire.identification import Identification
from modbus_gateway.wire.pdu import Served
from modbus_gateway.wire.server import Server
from modbus_gateway.wire.tables import Tables
from modbus_gateway.wire.writing import NothingWritable

DEADLINE_S = 20.0


class Counted:
    """A meter to look at."""

    def __init__(self) -> None:
        self.requests: list[int] = []
        self.open = 0
        self.turned = 0

    def answered(self, function: int, _reply: bytes) -> None:
        self.requests.append(function)

    def connections(self, count: int) -> None:
        self.open = count

    def turned_away(self) -> None:
        self.turned += 1


class Serving:
    """A server in a thread of its own, with a clock that only the test moves."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        units: frozenset[int],
        look: Callable[[int], Tables | None],
        limits: Limits,
        *,
        served: Served | None = None,
        door: Door | None = None,
    ) -> None:
        self.images = look
        identification = Identification.of("1.2.3", "plant sierra")
        what = served or Served(units, self._look, NothingWritable(), identification)
        self.reasons: list[Reason] = []
        self.now_s = 1000.0
        self.meter = Counted()
        self.server = Server(what, limits, self.meter, lambda: self.now_s, self.reasons.append)
        self.loop = loop
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.port = self.open(door)

    def open(self, door: Door | None = None) -> int:
        """One more port."""
        asyncio.run_coroutine_threadsafe(self.server.start("127.0.0.1", 0, door), self.loop).result(DEADLINE_S)
        return self.server.addresses[-1][1]

    def _look(self, unit_id: int) -> Tables | None:
        """What a test may replace while the server runs."""
        return self.images(unit_id)

    def do(self, act: Callable[[], None]) -> None:
        """Act in the server's thread and wait for it."""

        async def acted() -> None:
            act()

        asyncio.run_coroutine_threadsafe(acted(), self.loop).result(DEADLINE_S)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.server.stop(), self.loop).result(DEADLINE_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
