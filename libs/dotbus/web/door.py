"""The door of a port: who connects is bounded before it has said a word, and while it should speak TLS.

A server of asyncio counts a connection once its TLS is spoken, for which it gives a minute: whoever connects and stays silent
would hold as many as there are. Here too many of one address, or of all, make the one go that has had the longest time for it:
who means it needs a moment, and gets in however many others stay silent.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final

SPEAKS_TLS_WITHIN_S: Final = 10.0
AT_THE_DOOR_EACH: Final = 32
"""Of one address at once."""
AT_THE_DOOR_MOST: Final = 256
BESIDE: Final = 256
"""Files of a process that are no connections to it."""
PAUSE_S: Final = 0.1
"""Where the system gives no more connections, it is asked again after it."""


class Door:
    """Takes in who connects to a port, until it is closed. It ends as uvicorn ends a server of asyncio.

    Args:
        listener: the port, which is closed with it.
        tls: what is spoken; None for nothing.
        protocol: makes what talks with one that came in.
    """

    def __init__(self, listener: socket.socket, tls: ssl.SSLContext | None, protocol: Callable[[], asyncio.Protocol]) -> None:
        listener.settimeout(0)
        self._listener = listener
        self._tls = tls
        self._protocol = protocol
        self._coming: dict[asyncio.Task[None], tuple[socket.socket, str]] = {}
        self._taking = asyncio.ensure_future(self._take())

    def close(self) -> None:
        """Let nobody in any more."""
        self._taking.cancel()
        for task in [*self._coming]:
            self._send_away(task)

    async def wait_closed(self) -> None:
        """Until nobody comes in any more."""
        await asyncio.gather(self._taking, *self._coming, return_exceptions=True)

    async def _take(self) -> None:
        loop = asyncio.get_running_loop()
        with self._listener:
            while True:
                try:
                    connection, address = await loop.sock_accept(self._listener)
                except OSError:  # there are no more files, or who connected is gone
                    await asyncio.sleep(PAUSE_S)
                else:
                    self._let_in(connection, str(address[0]))

    def _let_in(self, connection: socket.socket, address: str) -> None:
        self._make_room(address)
        task = asyncio.ensure_future(self._come(connection))
        self._coming[task] = connection, address
        task.add_done_callback(lambda done: self._coming.pop(done, None))

    def _make_room(self, address: str) -> None:
        of_address = [task for task, (_, its) in self._coming.items() if its == address]
        if len(of_address) >= AT_THE_DOOR_EACH:
            self._send_away(of_address[0])
        if len(self._coming) >= AT_THE_DOOR_MOST:
            self._send_away(next(iter(self._coming)))

    def _send_away(self, task: asyncio.Task[None]) -> None:
        """Shut the connection: uvloop would keep one whose task is cancelled until its time for TLS is over."""
        connection, _ = self._coming.pop(task)
        with suppress(OSError):  # it is gone already
            connection.shutdown(socket.SHUT_RDWR)

    async def _come(self, connection: socket.socket) -> None:
        within_s = SPEAKS_TLS_WITHIN_S if self._tls else None
        with suppress(OSError):  # it speaks none, or not in time, or is gone
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol, connection, ssl=self._tls, ssl_handshake_timeout=within_s
            )


def allow_connections(most: int) -> None:
    """Have the system give as many files as connections need, where it gives fewer to who does not ask."""
    try:
        import resource  # noqa: PLC0415  # Windows has none, and no such bound
    except ImportError:
        return
    given, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + AT_THE_DOOR_MOST + BESIDE
    if allowed != resource.RLIM_INFINITY:
        wanted = min(wanted, allowed)
    if given != resource.RLIM_INFINITY and given < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, allowed))
