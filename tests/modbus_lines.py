"""A connection without a socket: what its client sends and hears, and what the system would do beside it."""

from collections import deque
from collections.abc import Callable, Iterable

from modbus_device import Device

from modbus_gateway.wire.admission import Reason
from modbus_gateway.wire.connection import Connection, Door
from modbus_gateway.wire.framing import Mbap
from modbus_gateway.wire.pdu import Served, answer
from modbus_gateway.wire.writing import Client


class Host:
    """Whom the connections belong to; its clock and its turns are the test's."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.now_s = 1000.0
        self.turns: deque[Callable[[], None]] = deque()
        self.reasons: list[Reason] = []
        self.details: list[str] = []
        self.present: set[Connection] = set()

    def reply(self, unit_id: int, request: bytes, client: Client) -> bytes:
        return answer(self.served, unit_id, request, client)

    def broadcast(self, request: bytes, client: Client) -> None:
        for unit_id in self.served.units:
            self.reply(unit_id, request, client)

    def now(self) -> float:
        return self.now_s

    def soon(self, act: Callable[[], None]) -> None:
        self.turns.append(act)

    def admit(self, connection: Connection) -> bool:
        self.present.add(connection)
        return True

    def release(self, connection: Connection) -> None:
        self.present.discard(connection)

    def note(self, reason: Reason, _connection: Connection, detail: str = "") -> None:
        self.reasons.append(reason)
        self.details.append(detail)

    def one_turn(self) -> None:
        if self.turns:
            self.turns.popleft()()

    def all_turns(self) -> None:
        while self.turns:
            self.one_turn()


class NoSocket:
    def setsockopt(self, *_option: object) -> None:
        pass


class Transport:
    """What asyncio gives to a connection."""

    def __init__(self, address: str | None) -> None:
        self._known = {"peername": address and (address, 50000), "socket": NoSocket()}
        self.written = bytearray()
        self.is_closed = False
        self.is_reading = True
        self.unsent = 0

    def get_extra_info(self, name: str) -> object:
        return self._known[name]

    def write(self, content: bytes) -> None:
        assert not self.is_closed
        self.written += content

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    abort = close

    def pause_reading(self) -> None:
        assert self.is_reading
        self.is_reading = False

    def resume_reading(self) -> None:
        assert not self.is_reading
        self.is_reading = True


class Line:
    """One client."""

    def __init__(self, door: Door | None = None, served: Served | None = None, address: str | None = "10.0.0.9") -> None:
        self.host = Host(served or Device().served)
        self.transport = Transport(address)
        self.connection = Connection(self.host, door or Door(framing=Mbap, may_write=True))
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]

    def say(self, *chunks: bytes) -> None:
        """Segments, one after the other, as long as anybody listens; turns come when all are said."""
        for chunk in chunks:
            if not self.transport.is_closed:
                self.connection.data_received(chunk)
        self.host.all_turns()

    def hear(self) -> bytes:
        """What came since."""
        heard = bytes(self.transport.written)
        self.transport.written.clear()
        return heard

    def ask(self, *chunks: bytes) -> bytes:
        self.say(*chunks)
        return self.hear()


def cut(content: bytes, places: Iterable[int]) -> list[bytes]:
    """A stream in segments that end at these places."""
    ends = [*sorted({place % (len(content) + 1) for place in places}), len(content)]
    return [part for start, end in zip([0, *ends], ends, strict=False) if (part := content[start:end])]
