"""Connection: one client, whichever port it came by. Bytes in, bytes out; it never does more at once than is fair to others."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol, cast

from modbus_gateway.wire.admission import Reason, plain_address
from modbus_gateway.wire.framing import Framing, Mbap
from modbus_gateway.wire.tls import Channel, Closed, Securing
from modbus_gateway.wire.writing import Client

AT_ONCE: Final = 16
"""Requests of one client that are answered before others have their turn: a quarter of a millisecond."""
WAITING_MOST: Final = 64 * 1024
"""Bytes that may wait for their turn; more is left with the system, and so with whoever sends it."""

_KEEP_ALIVE: Final = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""Seconds, seconds and times: a peer that is dead and never asked is gone after a minute. Each system knows some of them."""


@dataclass(frozen=True)
class Door:
    """What one port speaks, and with whom.

    Attributes:
        speaks: what it is called.
        framing: of one connection.
        may_write: whether writes of clients without a certificate are looked at; from where they may is for the map to say.
        securing: TLS and who is behind it, None where there is none.
    """

    speaks: str = "Modbus TCP"
    framing: Callable[[], Framing] = Mbap
    may_write: bool = False
    securing: Securing | None = None


class Host(Protocol):
    """Whom the connections belong to."""

    def reply(self, unit_id: int, request: bytes, client: Client) -> bytes:
        """The reply to one request."""
        ...

    def broadcast(self, request: bytes, client: Client) -> None:
        """A request to every unit."""
        ...

    def now(self) -> float:
        """Seconds that never go back."""
        ...

    def soon(self, act: Callable[[], None]) -> None:
        """Act once others had their turn."""
        ...

    def admit(self, connection: "Connection") -> bool:
        """Whether a connection may stay."""
        ...

    def release(self, connection: "Connection") -> None:
        """A connection is gone."""
        ...

    def note(self, reason: Reason, connection: "Connection", detail: str = "") -> None:
        """A connection is being closed, and why."""
        ...


class Connection(asyncio.Protocol):
    """One client.

    Attributes:
        address: where it comes from.
        idle_since_s: when it asked last; when it connected, while it never did.
        has_asked: whether it ever asked anything.
        unfinished_since_s: since when a request (or the handshake) has begun and not ended, None while there is none.
    """

    def __init__(self, host: Host, door: Door) -> None:
        self._host = host
        self._door = door
        self._framing = door.framing()
        self._channel: Channel | None = None
        self._transport: asyncio.Transport | None = None
        self._waiting = bytearray()
        self._paused = False
        self._is_deaf = False
        self._has_next_turn = False
        self._ends_after_turn = False
        self.address = ""
        self.client = Client("")
        self.has_asked = False
        self.idle_since_s = self._heard_s = host.now()
        self.unfinished_since_s: float | None = None

    @property
    def is_in_handshake(self) -> bool:
        """Whether TLS is not agreed on yet."""
        return self._channel is not None and not self._channel.is_open

    @property
    def has_certificate_ended(self) -> bool:
        """Whether its client would not be let in any more."""
        return self._door.securing is not None and self._door.securing.has_ended(self.client)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It came; it has a place, or is closed."""
        stream = cast("asyncio.Transport", transport)  # create_server makes no others; uvloop's is no subclass of it
        peer = stream.get_extra_info("peername")
        if not peer:  # gone again before it was let in: it takes no place, and nobody knows whose
            stream.abort()
            return
        self.address = plain_address(str(peer[0]))
        self.client = Client(self.address, may_write=self._door.may_write)
        if not self._host.admit(self):
            stream.abort()
            return
        self._transport = stream
        _keep_alive(stream.get_extra_info("socket"))
        if self._door.securing:
            self._channel, self.unfinished_since_s = self._door.securing.channel(), self._host.now()

    def connection_lost(self, _error: Exception | None) -> None:
        """It is gone, whoever closed it."""
        self._transport = None
        self._host.release(self)

    def eof_received(self) -> bool:
        """The client says nothing more; what it asked is answered first."""
        self._ends_after_turn = self._has_next_turn or self._paused
        return self._ends_after_turn

    def data_received(self, chunk: bytes) -> None:
        """Bytes came, of as many requests as the client liked to pack together."""
        now_s = self._host.now()
        plain = chunk if self._channel is None else self._decrypt(self._channel, chunk)
        if self._paused or self._has_next_turn:
            self._waiting += plain
            if len(self._waiting) > WAITING_MOST:
                self._hear_no_more()
        elif self._waiting and now_s - self._heard_s <= self._framing.silence_s:
            self._waiting += plain
            self._take_turn(self._waiting, now_s)
        else:
            self._waiting.clear()
            self._take_turn(plain, now_s)
        self._heard_s = now_s

    def pause_writing(self) -> None:
        """The client does not read its replies: ask nothing more of it until it does."""
        self._paused = True
        self._hear_no_more()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._paused = False
        self._heard_s = self._host.now()  # what it sent meanwhile waited with the system: that was no silence
        if not self._has_next_turn:
            self._take_turn(self._waiting, self._heard_s)

    def reply(self, unit_id: int, request: bytes) -> bytes:
        """The reply to one request of this client."""
        return self._host.reply(unit_id, request, self.client)

    def broadcast(self, request: bytes) -> None:
        """A request of this client to every unit."""
        self._host.broadcast(request, self.client)

    def close(self) -> None:
        """Close once the replies are sent, at once when the client does not take them."""
        if self._transport:
            close = self._transport.abort if self._transport.get_write_buffer_size() else self._transport.close
            close()

    def _hear_no_more(self) -> None:
        if self._transport and not self._is_deaf:
            self._is_deaf = True
            self._transport.pause_reading()

    def _next_turn(self) -> None:
        self._has_next_turn = False
        self._take_turn(self._waiting, self._host.now())

    def _take_turn(self, stream: bytes | bytearray, now_s: float) -> None:
        """Answer what a stream begins with; what is left of it is what waits."""
        transport = self._transport
        if transport is None or transport.is_closing() or self._paused:
            return
        if self.has_certificate_ended:  # looked at now and then, too, but not while we were stopped
            self._end(Reason.CERTIFICATE, "it has ended")
            return
        turn = self._framing.answer(stream, self, AT_ONCE)
        if stream is self._waiting:
            del self._waiting[: turn.taken]
        elif turn.taken < len(stream):
            self._waiting += stream[turn.taken :]
        if turn.asked:
            self.idle_since_s = now_s
            self.has_asked = True
        if turn.replies:
            self._send(turn.replies)
        if turn.is_broken:
            self._end(Reason.NOT_MODBUS)
        elif turn.is_full and self._waiting:
            self._has_next_turn = True
            self._host.soon(self._next_turn)
        else:
            self._wait(now_s, anew=turn.taken > 0)

    def _wait(self, now_s: float, *, anew: bool) -> None:
        """All requests that came are answered; what is left is the beginning of one."""
        if not self._waiting:
            if self._channel is None or self._channel.is_open:
                self.unfinished_since_s = None
        elif anew or self.unfinished_since_s is None:
            self.unfinished_since_s = now_s
        if self._is_deaf and self._transport and not self._paused:
            self._is_deaf = False
            self._transport.resume_reading()
        if self._ends_after_turn and self._transport and not self._paused:
            self._transport.close()

    def _decrypt(self, channel: Channel, chunk: bytes) -> bytes:
        """What came inside TLS. Ends the connection when that is not to be had any more."""
        was_open = channel.is_open
        try:
            plain = channel.receive(chunk)
            if channel.is_open and not was_open:
                self._meet(channel)
        except Closed as closed:
            self._flush(channel)
            self._end(closed.reason, closed.detail)
            return b""
        self._flush(channel)
        return plain

    def _meet(self, channel: Channel) -> None:
        """The handshake is done: the certificate tells who this is."""
        self.unfinished_since_s = None
        if self._door.securing:
            self.client = self._door.securing.client(self.address, channel.certificate)

    def _send(self, replies: bytes) -> None:
        if self._channel:
            self._channel.send(replies)
            self._flush(self._channel)
        elif self._transport:
            self._transport.write(replies)

    def _flush(self, channel: Channel) -> None:
        encrypted = channel.take()
        if encrypted and self._transport and not self._transport.is_closing():
            self._transport.write(encrypted)

    def _end(self, reason: Reason | None, detail: str = "") -> None:
        """Close when what is under way has been sent; whoever does not take it is late, see `unfinished_since_s`."""
        self._waiting.clear()
        self.unfinished_since_s = self._host.now()
        if reason and self._transport and not self._transport.is_closing():
            self._host.note(reason, self, detail)
        if self._transport:
            self._transport.close()


def _keep_alive(line: socket.socket) -> None:
    """Have the system find out by itself that a peer is gone without a word."""
    with suppress(OSError):  # the peer is gone already
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE.items():
            if option := getattr(socket, name, None):
                line.setsockopt(socket.IPPROTO_TCP, option, value)
